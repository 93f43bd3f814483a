import pytest
from botocore import exceptions as aws

from deploy.errors import sentence


def refused(code: str, message: str = "why") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "CreateThing")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refused("ExpiredToken"), "have expired"),
        (refused("InvalidClientTokenId"), "check PROFILE"),
        (refused("AccessDeniedException", "not you"), "may not do CreateThing: not you"),
        (refused("Throttling", "slower"), "refused CreateThing: slower"),
        (aws.ProfileNotFound(profile="x"), "no AWS profile"),
        (aws.NoCredentialsError(), "PROFILE="),
        (aws.EndpointConnectionError(endpoint_url="https://aws"), "check the network"),
        (aws.ConnectTimeoutError(endpoint_url="https://aws"), "check the network"),
        (aws.NoRegionError(), "REGION="),
        (aws.UnknownServiceError(service_name="x", known_service_names="y"), "An AWS call failed"),
    ],
)
def test_an_aws_error_is_told_in_one_sentence(error: aws.BotoCoreError | aws.ClientError, told: str) -> None:
    assert told in sentence(error)
    assert "\n" not in sentence(error)
