"""Signing in at a stack's Cognito user pool: by SRP, so that the password never leaves this process."""

from typing import TYPE_CHECKING

from paygo_client.errors import ApiUnreachable, PaygoProblem, UnexpectedAnswer
from paygo_client.models import Configuration
from paygo_client.transport import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

REFUSALS = frozenset({"NotAuthorizedException", "UserNotFoundException", "UserNotConfirmedException"})
TOO_MANY = frozenset({"TooManyRequestsException", "LimitExceededException"})


def id_token(configuration: Configuration, email: str, password: str) -> str:
    """Return the ID token that the user pool gives for an e-mail address and its password.

    Raises
    ------
    PaygoProblem
        When the pool refuses, as the API tells it too: `sign-in-refused`, or `too-many-requests`.
    ApiUnreachable
        When the pool does not answer.
    """
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
        from pycognito.aws_srp import AWSSRP  # type: ignore[import-untyped]
        from pycognito.exceptions import WarrantException  # type: ignore[import-untyped]
    except ModuleNotFoundError as missing:
        message = f"Signing in by password needs {missing.name}: install paygo-client[sign-in]."
        raise ModuleNotFoundError(message, name=missing.name) from missing
    settings = Config(
        signature_version=UNSIGNED,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    pool = boto3.client("cognito-idp", region_name=configuration.region, config=settings)
    client_id = configuration.user_pool_client_id
    try:
        answer = AWSSRP(email, password, configuration.user_pool_id, client_id, client=pool).authenticate_user()
        return str(answer["AuthenticationResult"]["IdToken"])
    except ClientError as error:
        raise _problem(error) from error
    except BotoCoreError as error:
        message = f"No answer from the user pool: {error}"
        raise ApiUnreachable(message) from error
    except (WarrantException, NotImplementedError, KeyError) as error:
        message = "The user pool asked for something else than the password."
        raise UnexpectedAnswer(message) from error


def _problem(error: "ClientError") -> Exception:
    code = error.response["Error"]["Code"]
    if code in REFUSALS:
        return PaygoProblem.of(
            "sign-in-refused", 401, "The sign-in was refused", "Compare address and password, or register."
        )
    if code in TOO_MANY:
        return PaygoProblem.of("too-many-requests", 429, "Too many requests", "Wait a moment and sign in again.")
    return UnexpectedAnswer(f"The user pool answered {code}: {error.response['Error'].get('Message', '')}")
