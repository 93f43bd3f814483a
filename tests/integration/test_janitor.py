"""The janitor on the embedded cloud: what a dry run tells, and what the account's function may and does.

Janitors that are killed, and stacks by the dozen, are the bench's: `bench/fleet.py`, whose short form `make test` runs.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from deploy.stack import stack_name
from janitor import look, storage
from janitor.clients import Clients, Here
from janitor.decisions import Wish
from janitor.locks import Locks
from janitor.run import plan
from tests.conftest import REGION, REPOSITORY, Cloud

BYSTANDER = os.environ.get("PAYGO_TEST_BRANCH") or "bystander"
ACCOUNT = "000000000000"
FUNCTION = {"FunctionName": f"paygo-janitor-{REGION}", "Qualifier": "live"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture
def clients(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", cloud.credentials_file)
    monkeypatch.setenv("AWS_PROFILE", "deployer")
    return Clients(Here(REGION, ACCOUNT, cloud.endpoint_url))


def deploy(branch: str, **more: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "up"],
        cwd=REPOSITORY,
        env=os.environ | {"BRANCH": branch, "DELAY_SCALE": "0.001"} | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def is_up(clients: Clients, branch: str) -> None:
    if storage.read(clients, storage.state_key(stack_name(branch))) is None:
        deploy(branch)


def resources(clients: Clients, stack: str) -> Mapping[str, Counter[str]]:
    """What a stack has, by kind and identifier."""
    found: dict[str, Counter[str]] = {}
    for task in look.at(clients, stack):
        if not task.kind.by_devices:
            found.setdefault(task.kind.words, Counter())[task.found.id] += 1
    return found


def test_a_dry_run_removes_nothing_and_says_what_would_go(clients: Clients) -> None:
    is_up(clients, BYSTANDER)
    stack = stack_name(BYSTANDER)
    before = resources(clients, stack)

    said = subprocess.run(
        [sys.executable, "-m", "janitor"],
        cwd=REPOSITORY,
        env=os.environ | {"BRANCH": BYSTANDER, "APPLY": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert f"{stack}" in said
    assert "Nothing was removed: APPLY=yes does." in said
    assert resources(clients, stack) == before
    judged = {
        one.stack: one.verdict for one in plan(clients, Locks(clients, "a test"), Wish(), datetime.now(UTC)).judged
    }
    assert not judged[stack].goes


def by_hand(clients: Clients, stack: str) -> None:
    """A stack without a state: one of each kind that is made in one call, tagged as its stack's."""
    tags = {"Stack": stack}
    pairs = [{"Key": "Stack", "Value": stack}]
    clients("sqs").create_queue(QueueName=f"{stack}-ledger", tags=tags)
    clients("sns").create_topic(Name=f"{stack}-ledger", Tags=pairs)
    clients("logs").create_log_group(logGroupName=f"/aws/lambda/{stack}-ledger", tags=tags)
    clients("iam").create_role(RoleName=f"{stack}-ledger", AssumeRolePolicyDocument=TRUST, Tags=pairs)
    clients("dynamodb").create_table(
        TableName=f"{stack}-ledger",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        Tags=pairs,
    )
    s3, bucket = clients("s3"), f"{stack}-payloads-{ACCOUNT}-{REGION}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for text in (b"before", b"after"):
        s3.put_object(Bucket=bucket, Key="one", Body=text)


def test_the_accounts_function_removes_under_its_own_role_what_it_is_told_and_nothing_else(clients: Clients) -> None:
    is_up(clients, BYSTANDER)
    if clients("lambda").get_function_configuration(**FUNCTION)["Environment"]["Variables"]["APPLY"] != "yes":
        deploy(BYSTANDER, JANITOR_APPLIES="yes")
    stack, bystander = f"paygo-{uuid4().hex[:8]}", stack_name(BYSTANDER)
    by_hand(clients, stack)
    before = resources(clients, bystander)
    assert sum(map(Counter.total, resources(clients, stack).values())) == 6

    answer = clients("lambda").invoke(**FUNCTION, Payload=json.dumps({"stacks": [stack]}).encode())

    assert json.loads(answer["Payload"].read()) == {"going": [stack], "gone": [stack], "left": 0}
    assert resources(clients, stack) == {}
    assert resources(clients, bystander) == before
