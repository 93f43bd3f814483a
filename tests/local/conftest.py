"""What the embedded cloud's tests share: throw-away resources, and functions made from a few lines of source."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Clients, Cloud

ACCOUNT = "000000000000"
ANYONE_ASSUMES = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def eventually[T](look: Callable[[], T], seconds: float = 15) -> T:
    """Look until something is found; return it, or the last nothing."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def refusal(call: Callable[[], object]) -> str:
    """The error code a call is refused with."""
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


@dataclass(frozen=True)
class Bench:
    """Make throw-away things as the deployer; all of them are removed after the test."""

    cloud: Cloud
    deployer: Clients
    cleanup: ExitStack
    name: str

    def later(self, call: Callable[..., object], **arguments: object) -> None:
        def quietly() -> None:
            with suppress(ClientError):
                call(**arguments)

        self.cleanup.callback(quietly)

    def role(self, *statements: dict[str, Any], trust: dict[str, Any] = ANYONE_ASSUMES) -> str:
        iam, name = self.deployer("iam"), f"{self.name}-{uuid.uuid4().hex[:6]}"
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        self.later(iam.delete_role, RoleName=name)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy(*statements))
            self.later(iam.delete_role_policy, RoleName=name, PolicyName="inline")
        return arn

    def user(self, *statements: dict[str, Any]) -> Clients:
        iam, name = self.deployer("iam"), f"{self.name}-{uuid.uuid4().hex[:6]}"
        iam.create_user(UserName=name)
        self.later(iam.delete_user, UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=policy(*statements))
        self.later(iam.delete_user_policy, UserName=name, PolicyName="inline")
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.later(iam.delete_access_key, UserName=name, AccessKeyId=key["AccessKeyId"])
        return self.cloud.session(key["AccessKeyId"], key["SecretAccessKey"])

    def table(self, **more: Any) -> str:
        dynamodb, name = self.deployer("dynamodb"), f"{self.name}-{uuid.uuid4().hex[:6]}"
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )
        self.later(dynamodb.delete_table, TableName=name)
        return name

    def queue(self) -> tuple[str, str]:
        sqs, name = self.deployer("sqs"), f"{self.name}-{uuid.uuid4().hex[:6]}"
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        self.later(sqs.delete_queue, QueueUrl=url)
        return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    def function(self, source: str, *statements: dict[str, Any], **more: Any) -> str:
        client, name = self.deployer("lambda"), f"{self.name}-{uuid.uuid4().hex[:6]}"
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("index.py", source)
        arn: str = client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handler",
            Role=self.role(*statements),
            Code={"ZipFile": archive.getvalue()},
            Timeout=20,
            **more,
        )["FunctionArn"]
        self.later(client.delete_function, FunctionName=name)
        return arn

    def messages(self, url: str, count: int = 1, seconds: float = 15) -> list[str]:
        """Receive and delete messages until there are enough or time is up."""
        sqs, bodies = self.deployer("sqs"), list[str]()
        deadline = time.monotonic() + seconds
        while len(bodies) < count and time.monotonic() < deadline:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
                "Messages", []
            ):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(message["Body"])
        return bodies


@pytest.fixture
def bench(cloud: Cloud, deployer: Clients) -> Iterator[Bench]:
    with ExitStack() as cleanup:
        yield Bench(cloud, deployer, cleanup, f"local-{uuid.uuid4().hex[:8]}")
