"""The deployed stack that the journey is played on, and what its operator hands to a third party or a device maker."""

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict

from demo.mailbox import Mail, Mailbox, code_in
from paygo_client import PartnerClient, PendingRegistration
from paygo_device import Endpoint, KeyPair

if TYPE_CHECKING:
    import boto3

ROOT = Path(__file__).resolve().parents[1]


class NoStack(Exception):
    """There is no such stack, or not what is needed to use it."""


class _Description(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Mqtt(_Description):
    """Where devices connect."""

    host: str
    port: int
    ca_file: Path | None = None


class Secret(_Description):
    """Where a partner's keys are kept."""

    secret_arn: str


class Mocks(_Description):
    """Where the mock of every partner keeps what it is to answer and what it was asked."""

    bucket: str
    table: str


class Access(_Description):
    """How a deployed stack is reached: what `deploy` writes, without secrets."""

    stack: str
    branch: str
    region: str
    api_url: str
    identity_pool_id: str
    mqtt: Mqtt
    provisioning_template: str
    partners: Mapping[str, Secret]
    claim_secret_arn: str
    mail_sender: str
    mocks: Mocks | None = None
    endpoint_url: str | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where the stack's devices connect."""
        return Endpoint(stack=self.stack, host=self.mqtt.host, port=self.mqtt.port, ca_file=self.mqtt.ca_file)


class PartnerKeys(_Description):
    """What a partner is given to sign with."""

    class Keys(_Description):
        """The signing keys."""

        current: str

    api_key: str
    keys: Keys


def home_folder() -> Path:
    """Return the working folder, `PAYGO_HOME` or `.paygo`."""
    return Path(os.environ.get("PAYGO_HOME") or ROOT / ".paygo").absolute()


def stacks_folder() -> Path:
    """Return where `deploy` writes how its stacks are reached."""
    return home_folder() / "stacks"


def read_access(stack: str) -> Access:
    """Return how the stack is reached; raise `NoStack` when nothing was deployed under that name."""
    path = stacks_folder() / f"{stack}.json"
    try:
        return Access.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        message = f"The stack {stack} is not deployed: {path} is missing."
        raise NoStack(message) from None


def point_aws_tools_at(access: Access) -> None:
    """Let whoever uses AWS's own tools in this process, as signing in by password does, find the embedded cloud."""
    if access.endpoint_url is not None:
        os.environ["AWS_ENDPOINT_URL"] = access.endpoint_url


class Stage:
    """A stack as its operator sees it, who hands out secrets and looks at mail.

    Parameters
    ----------
    profile
        The operator's AWS profile; on the embedded cloud that is `operator`.
    """

    def __init__(self, access: Access, profile: str | None = None) -> None:
        self.access = access
        self._profile = profile

    @cached_property
    def claim(self) -> KeyPair:
        """The claim certificate that the device maker puts into every device of a batch."""
        return KeyPair.model_validate(self._secret(self.access.claim_secret_arn))

    def partner_keys(self, name: str) -> PartnerKeys:
        """Return what the partner was given."""
        return PartnerKeys.model_validate(self._secret(self.access.partners[name].secret_arn))

    def partner(self, name: str) -> PartnerClient:
        """Return the partner's own client."""
        keys = self.partner_keys(name)
        return PartnerClient(self.access.api_url, keys.api_key, keys.keys.current)

    def mail_to(self, address: str) -> list[Mail] | None:
        """Return what the embedded cloud's SES sent to the address; `None` on AWS, where mail really leaves."""
        return None if self._mailbox is None else self._mailbox.to(address)

    def code_for(self, pending: PendingRegistration, address: str) -> str | None:
        """Return the code that was sent to a household, if it was sent yet: from its mail, on AWS from our table."""
        mails = self.mail_to(address)
        return self._kept_code(pending) if mails is None else code_in(mails)

    def _kept_code(self, pending: PendingRegistration) -> str | None:
        key = {"pk": {"S": f"REGISTRATION#{pending.registration.registration_id}"}, "sk": {"S": "CODE"}}
        tables = self.session.client("dynamodb", region_name=self.access.region)
        found = tables.get_item(TableName=f"{self.access.stack}-identity", Key=key, ConsistentRead=True)
        return found["Item"]["code"]["S"] if "Item" in found else None

    @cached_property
    def _mailbox(self) -> Mailbox | None:
        return None if self.access.endpoint_url is None else Mailbox(self.access.endpoint_url)

    def _secret(self, arn: str) -> dict[str, Any]:
        found = self.session.client(
            "secretsmanager", region_name=self.access.region, endpoint_url=self.access.endpoint_url
        ).get_secret_value(SecretId=arn)
        return cast("dict[str, Any]", json.loads(found["SecretString"]))

    @cached_property
    def session(self) -> "boto3.Session":
        """The operator's own session."""
        import boto3

        if self.access.endpoint_url is None:
            return boto3.Session(profile_name=self._profile)
        import configparser

        profiles = configparser.ConfigParser()
        profiles.read(home_folder() / "cloud" / "credentials")
        name = self._profile or "operator"
        if name not in profiles:
            message = f"The embedded cloud has no user {name}: is it running?"
            raise NoStack(message)
        keys = profiles[name]
        return boto3.Session(keys["aws_access_key_id"], keys["aws_secret_access_key"])
