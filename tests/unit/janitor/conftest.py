"""An account in memory, with a stack or two in it."""

import json
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.backends import get_backend

from deploy.storage import make_state_bucket, state_bucket
from janitor import look, run, storage
from janitor.clients import Clients, Here

HERE = Here("us-east-1", "123456789012")
# Moto has no templates, and no tags of rules and policies of IoT.
NOT_PLAYED = {"provisioning template", "IoT rule", "IoT policy", "certificate", "device certificate"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})

# Moto imports a service when it is first called; by many threads at once that ends in each other's way.
for service in (
    "apigateway",
    "cloudwatch",
    "cognito-identity",
    "cognito-idp",
    "dynamodb",
    "events",
    "iam",
    "iot",
    "lambda",
    "logs",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
):
    get_backend(service)


@pytest.fixture(autouse=True)
def clients(aws: None, monkeypatch: pytest.MonkeyPatch) -> Clients:
    clients = Clients(HERE)
    make_state_bucket(clients)
    # moto takes every call for one without TLS, which the bucket's policy denies.
    clients("s3").delete_bucket_policy(Bucket=state_bucket(clients.target))
    return clients


@pytest.fixture(autouse=True)
def _what_moto_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "LOOKED_FOR", [kind for kind in look.LOOKED_FOR if kind.words not in NOT_PLAYED])
    monkeypatch.setattr(run, "SETTLES", 0)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Note every call to AWS that the janitor makes."""
    made: list[tuple[str, str]] = []
    session = boto3.Session()

    def note(model: Any, **_: Any) -> None:
        made.append((model.service_model.service_name, model.name))

    session.events.register("before-call", note)
    monkeypatch.setattr("janitor.clients._session", lambda: session)
    return made


@dataclass
class Account:
    """What tests put into an account."""

    clients: Clients

    def client(self, service: str) -> Any:
        return boto3.Session().client(service, region_name=HERE.region)  # type: ignore[call-overload]

    def stack(self, name: str, state: dict[str, Any] | None = None, **tags: str) -> dict[str, str]:
        """Make a small stack: a table, a versioned bucket with objects, a role and a device; return its tags."""
        tags = {"Stack": name, "Branch": name, "ExpiresAt": "never", "CreatedAt": "2026-11-20T00:00:00Z", **tags}
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.table(f"{name}-identity", pairs)
        self.bucket(f"{name}-payloads-{HERE.account}-{HERE.region}", pairs)
        self.client("iam").create_role(RoleName=f"{name}-identity", AssumeRolePolicyDocument=TRUST, Tags=pairs)
        self.client("iot").create_thing(thingName=f"{name}-0001", attributePayload={"attributes": {"stack": name}})
        self.client("sqs").create_queue(QueueName=f"{name}-identity", tags=tags)
        self.state(name, state if state is not None else tags)
        return tags

    def state(self, name: str, tags: dict[str, Any], **more: Any) -> None:
        attributes = {"name": f"{name}-identity", "tags_all": tags, **more}
        resource = {"mode": "managed", "type": "aws_dynamodb_table", "instances": [{"attributes": attributes}]}
        storage.write(self.clients, storage.state_key(name), {"version": 4, "resources": [resource]})

    def hide(self, prefix: str) -> None:
        """Let nobody read what is kept under a prefix."""
        bucket = state_bucket(HERE)
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/{prefix}*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)

    def table(self, name: str, tags: list[dict[str, str]], *, protected: bool = False) -> None:
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            DeletionProtectionEnabled=protected,
            Tags=tags,
        )

    def bucket(self, name: str, tags: list[dict[str, str]]) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name)
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        for text in (b"before", b"after"):
            s3.put_object(Bucket=name, Key="one", Body=text)


@pytest.fixture
def account(clients: Clients) -> Account:
    return Account(clients)
