"""What must be refused to whom, as checks that can be run again when the doors have been opened on purpose."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from demo.journey import NotRefused, Story
from demo.manifest import Kit
from demo.stage import Stage
from paygo_client import Device as RegisteredDevice
from paygo_client import Session, SessionDetails
from paygo_device import DeviceCredentials
from tests.e2e.callers import routes

AT_THE_GATE = {"refused"}
"""API Gateway's own answer: no function was asked."""

REFUSED_BY_IAM = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "ForbiddenException",
    "NotAuthorized",
    "UnauthorizedException",
}


@dataclass(frozen=True)
class Neighbour:
    """Another household with a device of its own."""

    app: Session
    kit: Kit
    credentials: DeviceCredentials
    registered: RegisteredDevice


@dataclass(frozen=True)
class World:
    """Everybody who calls the stack in these tests."""

    stage: Stage
    story: Story
    neighbour: Neighbour
    anonymous: SessionDetails

    @property
    def household(self) -> SessionDetails:
        return self.story.app.details

    def opens(self, operation: str) -> SessionDetails:
        """Return a session that may call an operation."""
        return self.anonymous if "anonymous" in routes()[operation].sessions else self.household


OF_A_SESSION = tuple(name for name, route in routes().items() if route.sessions)
OF_A_PARTNER = tuple(name for name, route in routes().items() if route.path.startswith("/partners/"))


def check_anonymous_cannot_use_aws(world: World, service: str) -> None:
    """Anonymous credentials do nothing at AWS but call the API."""
    credentials = world.anonymous.credentials
    session: Any = boto3.Session()  # its clients' types need a literal name
    client = session.client(
        service,
        region_name=world.anonymous.region,
        endpoint_url=world.stage.access.endpoint_url,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
    )
    try:
        AWS_CALLS[service](client, world.stage)
    except ClientError as error:
        if error.response["Error"]["Code"] in REFUSED_BY_IAM:
            return
        message = f"{service} let an anonymous session in and answered: {error}"
        raise NotRefused(message) from error
    message = f"{service} let an anonymous session in."
    raise NotRefused(message)


AWS_CALLS: dict[str, Callable[[Any, Stage], object]] = {
    "dynamodb": lambda client, stage: client.scan(TableName=f"{stage.access.stack}-ledger", Limit=1),
    "secretsmanager": lambda client, stage: client.get_secret_value(SecretId=stage.access.claim_secret_arn),
    "lambda": lambda client, stage: client.get_function(FunctionName=f"{stage.access.stack}-ledger-accounts"),
    "sns": lambda client, _: client.list_topics(),
    "sqs": lambda client, stage: client.list_queues(QueueNamePrefix=stage.access.stack),
    "iot": lambda client, _: client.list_things(),
    "iam": lambda client, _: client.list_roles(),
}
