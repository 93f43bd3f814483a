"""Each kind says which limited calls it makes, and every type of our Terraform is a kind or part of one."""

import json
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import paygo_limits
from janitor.clients import Clients
from janitor.found import Found
from janitor.kinds import KINDS, NAMED, PARTS
from janitor.services import stores
from tests.unit.janitor.conftest import HERE, Account

ROOT = Path(__file__).resolve().parents[3]
RESOURCE = re.compile(r'^resource "(\w+)"', re.MULTILINE)


def usage_plan(account: Account) -> tuple[str, str]:
    gateway = account.client("apigateway")
    api = gateway.create_rest_api(name="paygo-demo")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
    deployment = gateway.create_deployment(restApiId=api)["id"]
    for stage in ("v", "w"):
        gateway.create_stage(restApiId=api, stageName=stage, deploymentId=deployment)
    stages = [{"apiId": api, "stage": stage} for stage in ("v", "w")]
    return api, gateway.create_usage_plan(name="paygo-demo-partners", apiStages=stages)["id"]


def limited(made: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(service, operation) for service, operation in made if service in paygo_limits.limited_services()]


@pytest.mark.parametrize("words", ["usage plan", "API key", "API stage", "REST API"])
def test_a_kind_says_what_limited_calls_its_removal_makes(
    words: str, account: Account, called: list[tuple[str, str]]
) -> None:
    api, plan = usage_plan(account)
    key = account.client("apigateway").create_api_key(name="paygo-demo-bank")["id"]
    identifier = {"usage plan": plan, "API key": key, "API stage": f"{api}/v", "REST API": api}[words]

    called.clear()
    NAMED[words].remove(Clients(HERE), Found(identifier, "paygo-demo"))

    assert limited(called) == list(NAMED[words].calls)


def test_a_plan_leaves_all_its_stages_in_one_call(account: Account, called: list[tuple[str, str]]) -> None:
    _, plan = usage_plan(account)

    called.clear()
    NAMED["usage plan"].remove(Clients(HERE), Found(plan, "paygo-demo"))

    assert called.count(("apigateway", "UpdateUsagePlan")) == 1
    assert account.client("apigateway").get_usage_plans()["items"] == []


def test_only_kinds_of_limited_services_name_calls() -> None:
    for kind in KINDS:
        for service, _ in kind.calls:
            assert service in paygo_limits.limited_services()


def test_every_type_of_a_stack_is_a_kind_or_a_part_of_one() -> None:
    texts = [path.read_text() for path in (ROOT / "terraform").rglob("*.tf") if "account" not in path.parts]
    types = {name for text in texts for name in RESOURCE.findall(text)}

    assert len(types) > 30
    assert types - {kind.terraform for kind in KINDS} - PARTS == set()


def test_what_goes_with_something_else_waits_like_it() -> None:
    for kind in KINDS:
        if kind.within:
            assert kind.words in NAMED[kind.within].after


def test_a_bucket_with_many_versions_is_emptied_in_batches(
    account: Account, called: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stores.MOST_AT_ONCE == 1000
    monkeypatch.setattr(stores, "MOST_AT_ONCE", 10)
    s3, name = account.client("s3"), f"paygo-demo-payloads-{HERE.account}-{HERE.region}"
    account.bucket(name, [{"Key": "Stack", "Value": "paygo-demo"}])  # two versions of one object
    for number in range(14):
        s3.put_object(Bucket=name, Key=str(number), Body=b"")
    s3.delete_object(Bucket=name, Key="1")

    called.clear()
    NAMED["bucket"].remove(Clients(HERE), Found(name, name))

    assert called.count(("s3", "DeleteObjects")) == 2
    assert name not in [one["Name"] for one in s3.list_buckets()["Buckets"]]


def test_a_bucket_whose_objects_cannot_go_says_so(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"paygo-demo-payloads-{HERE.account}-{HERE.region}"
    account.bucket(name, [])
    clients = Clients(HERE)
    monkeypatch.setattr(clients("s3"), "delete_objects", lambda **_: {"Errors": [{"Code": "AccessDenied"}]})

    with pytest.raises(ClientError, match="BucketNotEmpty"):
        NAMED["bucket"].remove(clients, Found(name, name))


def test_a_role_goes_with_what_is_attached_to_it(account: Account) -> None:
    iam = account.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="paygo-demo-x", AssumeRolePolicyDocument=trust)
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    policy = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="paygo-demo-x", PolicyArn=policy)

    NAMED["role"].remove(Clients(HERE), Found("paygo-demo-x", "paygo-demo-x"))

    assert iam.list_roles()["Roles"] == []
