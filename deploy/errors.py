"""What goes wrong between here and a cloud, in one sentence with a way on."""

from botocore import exceptions as aws


class DeployError(Exception):
    """Something a person must know about; its text is all they are shown."""


class Interrupted(Exception):
    """Ctrl-C, or its like."""


class AlreadyThereError(DeployError):
    """Terraform was to make something that is there and that its state does not know."""


class TerraformKilled(DeployError):
    """Terraform ended without writing down what it made: its locks are left for the next run to find and break."""


_SENTENCES: dict[str, str] = {
    "ExpiredToken": "The AWS credentials have expired: sign in again.",
    "ExpiredTokenException": "The AWS credentials have expired: sign in again.",
    "RequestExpired": "AWS says that this request is too old: check this machine's clock and sign in again.",
    "InvalidClientTokenId": "AWS does not know these credentials: check PROFILE.",
    "InvalidAccessKeyId": "AWS does not know these credentials: check PROFILE.",
    "UnrecognizedClientException": "AWS does not know these credentials: check PROFILE.",
    "NoSuchBucket": "Nothing of Paygo is in this account and region yet: make account",
    "SignatureDoesNotMatch": "AWS refuses these credentials' signature: check PROFILE and this machine's clock.",
}
_WITHOUT_AN_ANSWER = (
    (aws.ProfileNotFound, "There is no AWS profile of that name: {}."),
    (
        (aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError),
        "No AWS credentials were found: name a profile that has some with PROFILE=..., or sign in.",
    ),
    ((aws.SSOError, aws.TokenRetrievalError), "The AWS sign-in has run out: run `aws sso login` for that profile."),
    (aws.NoRegionError, "No AWS region is set: give the profile one, or say REGION=..."),
    ((aws.HTTPClientError, aws.ConnectionError), "AWS cannot be reached: check the network. ({})"),
)
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def sentence(error: aws.BotoCoreError | aws.ClientError) -> str:
    """Say in one sentence what an AWS call's error means for the person who made it."""
    if isinstance(error, aws.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _SENTENCES:
            return _SENTENCES[code]
        told = str(error.response.get("Error", {}).get("Message") or code).strip()
        if code in DENIED:
            return f"These credentials may not do {error.operation_name}: {told}"
        return f"AWS refused {error.operation_name}: {told}"
    told = next((told for kinds, told in _WITHOUT_AN_ANSWER if isinstance(error, kinds)), "An AWS call failed: {}")
    return told.format(error)
