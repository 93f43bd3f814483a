import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.iot.models import IoTBackend

from deploy import leftovers, storage
from deploy.leftovers import KINDS, KNOWN_TO_STATES, Found, Kind, Leftover, counted, sweep
from deploy.stack import stack_name
from deploy.storage import State
from deploy.target import Clients, Target
from janitor.found import belongs, is_here, owner

STACK = "paygo-demo"
NOTHING = State({})


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        yield Clients(Target("us-east-1", "123456789012", "nobody"))


def kind(words: str) -> Kind:
    return next(one for one in KINDS if one.words == words)


def state(resource: str, **attributes: str) -> State:
    instance = {"attributes": attributes}
    return State({"resources": [{"mode": "managed", "type": resource, "instances": [instance]}]})


def make_table(name: str, stack: str | None = STACK) -> None:
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        Tags=[{"Key": "Stack", "Value": stack}] if stack else [],
    )


def names(found: list[Leftover]) -> list[str]:
    return sorted(f"{one.kind.words} {one.found.name}" for one in found)


@pytest.mark.parametrize(
    ("name", "stack"),
    [
        ("paygo-demo", "paygo-demo"),
        ("paygo-demo-identity", "paygo-demo"),
        ("paygo-demo-2-identity", "paygo-demo-2"),
        ("paygo-demo-20", "paygo-demo"),
        ("/aws/lambda/paygo-demo-2-identity-sessions", "paygo-demo-2"),
        ("paygo_demo_answer_credit", "paygo-demo"),
        ("paygo-demo/partners/supplier", "paygo-demo"),
        ("paygo-demolition", None),
        ("somebody-elses", None),
    ],
)
def test_a_name_belongs_to_the_longest_stack_that_it_begins_with(name: str, stack: str | None) -> None:
    assert owner(name, ["paygo-demo", "paygo-demo-2"]) == stack


def test_a_tag_overrules_a_name() -> None:
    assert belongs(Found("1", "paygo-demo-identity", {"Stack": STACK}), STACK, [])
    assert not belongs(Found("1", "paygo-demo-identity", {"Stack": "paygo-demo-identity"}), STACK, [])
    assert not belongs(Found("1", "paygo-demo-gateway", {"Project": "paygo"}), STACK, [])
    assert belongs(Found("1", "paygo-demo-identity", None), STACK, [])
    assert not belongs(Found("1", "paygo-demo-2-identity", None), STACK, ["paygo-demo-2"])


def test_what_the_state_knows_is_no_leftover(clients: Clients) -> None:
    make_table("paygo-demo-identity")
    make_table("paygo-demo-ledger")
    known = state("aws_dynamodb_table", name="paygo-demo-identity")

    assert names(sweep(clients, STACK, [], known, [kind("table")])) == ["table paygo-demo-ledger"]


def test_another_stack_is_left_alone_though_its_name_begins_alike(clients: Clients) -> None:
    make_table("paygo-demo-2-identity", "paygo-demo-2")
    make_table("paygo-demo-2-untagged", None)

    assert sweep(clients, STACK, ["paygo-demo-2"], NOTHING, [kind("table")]) == []


def test_the_second_of_two_apis_of_one_name_is_found_and_removed(clients: Clients) -> None:
    gateway = boto3.client("apigateway")
    first = gateway.create_rest_api(name=STACK, tags={"Stack": STACK})["id"]
    second = gateway.create_rest_api(name=STACK, tags={"Stack": STACK})["id"]

    found = sweep(clients, STACK, [], state("aws_api_gateway_rest_api", id=first), [kind("REST API")])
    failures = leftovers.remove(clients, found)

    assert [one.found.id for one in found] == [second]
    assert failures == []
    assert [api["id"] for api in gateway.get_rest_apis()["items"]] == [first]


def test_a_table_with_items_and_a_pool_with_users_may_hold_peoples_data(clients: Clients) -> None:
    make_table("paygo-demo-empty")
    make_table("paygo-demo-ledger")
    boto3.client("dynamodb").put_item(TableName="paygo-demo-ledger", Item={"pk": {"S": "1"}})
    pool = boto3.client("cognito-idp").create_user_pool(PoolName=STACK)["UserPool"]["Id"]
    boto3.client("cognito-idp").admin_create_user(UserPoolId=pool, Username="ada")

    found = sweep(clients, STACK, [], NOTHING, [kind("table"), kind("user pool")])

    assert leftovers.holding_data(clients, found) == [
        "table paygo-demo-ledger (it has items)",
        "user pool paygo-demo (it has users)",
    ]


def make_bucket(name: str, stack: str | None = STACK) -> str:
    boto3.client("s3").create_bucket(Bucket=name)
    if stack:
        boto3.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "Stack", "Value": stack}]})
    return name


def test_a_bucket_goes_with_every_version_of_its_objects(clients: Clients) -> None:
    s3 = boto3.client("s3")
    bucket = make_bucket(f"{STACK}-payloads-123456789012-us-east-1")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for text in (b"before", b"after"):
        s3.put_object(Bucket=bucket, Key="one", Body=text)
    s3.put_object(Bucket=bucket, Key="two", Body=b"deleted")
    s3.delete_object(Bucket=bucket, Key="two")

    found = sweep(clients, STACK, [], NOTHING, [kind("bucket")])

    assert leftovers.holding_data(clients, found) == [f"bucket {bucket} (it has objects)"]
    assert leftovers.remove(clients, found) == []
    assert s3.list_buckets()["Buckets"] == []


def test_a_bucket_that_was_made_but_not_yet_tagged_is_found_by_its_name(clients: Clients) -> None:
    bucket = make_bucket(f"{STACK}-payloads-123456789012-us-east-1", stack=None)

    found = sweep(clients, STACK, [], NOTHING, [kind("bucket")])

    assert names(found) == [f"bucket {bucket}"]
    assert leftovers.holding_data(clients, found) == []


@pytest.mark.parametrize(
    "name",
    [
        "paygo-demo-payloads-123456789012-eu-west-1",  # the branch's stack in another region
        "paygo-demo-payloads-210987654321-us-east-1",
        "paygo-demo-2-payloads-123456789012-us-east-1",
        "paygo-demolition",
    ],
)
def test_buckets_of_others_are_left_alone(name: str, clients: Clients) -> None:
    make_bucket(name, stack=None)

    assert sweep(clients, STACK, ["paygo-demo-2"], NOTHING, [kind("bucket")]) == []


@pytest.mark.parametrize("branch", ["state", "artefacts"])
def test_a_branch_named_like_the_accounts_buckets_owns_none_of_them(branch: str, clients: Clients) -> None:
    storage.make_state_bucket(clients)
    make_bucket(storage.artefact_bucket(clients.target), stack=None)

    assert sweep(clients, stack_name(branch), [], NOTHING, [kind("bucket")]) == []


def test_a_schedule_goes_with_what_it_calls(clients: Clients) -> None:
    events = boto3.client("events")
    rule = f"{STACK}-identity-publish-outbox"
    tags = [{"Key": "Stack", "Value": STACK}]
    events.put_rule(Name=rule, ScheduleExpression="rate(5 minutes)", Tags=tags)
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f"}])
    events.put_rule(Name=f"{STACK}-aimless", ScheduleExpression="rate(5 minutes)")

    assert leftovers.remove(clients, sweep(clients, STACK, [], NOTHING, [kind("schedule")])) == []
    assert events.list_rules()["Rules"] == []


def of_types(**known: list[dict[str, str]]) -> State:
    resources = [
        {"mode": "managed", "type": f"aws_{kind}", "instances": [{"attributes": one} for one in attributes]}
        for kind, attributes in known.items()
    ]
    return State({"resources": resources})


def test_what_the_state_knows_and_is_gone_is_missing_and_what_it_does_not_know_is_a_stray(clients: Clients) -> None:
    make_table("paygo-demo-identity")
    make_table("paygo-demo-ledger")
    api = boto3.client("apigateway").create_rest_api(name=STACK, tags={"Stack": STACK})["id"]
    known = of_types(
        dynamodb_table=[{"name": "paygo-demo-identity"}, {"name": "paygo-demo-payments"}],
        sqs_queue=[{"name": "paygo-demo-dead"}],
        api_gateway_rest_api=[{"id": api}, {"id": "gone"}],
    )

    differs = leftovers.compare(clients, STACK, [], known, [kind("table"), kind("queue"), kind("REST API")])

    assert names(differs.strays) == ["table paygo-demo-ledger"]
    assert differs.missing == ["REST API gone", "queue paygo-demo-dead", "table paygo-demo-payments"]


def test_a_log_group_that_bears_no_stacks_name_is_missing_only_when_it_is_gone(clients: Clients) -> None:
    execution, strange = "API-Gateway-Execution-Logs_a1/v", "API-Gateway-Execution-Logs_b2/v"
    for name in (execution, strange):
        boto3.client("logs").create_log_group(logGroupName=name, tags={"Stack": STACK})
    known = state("aws_cloudwatch_log_group", name=execution)

    kinds = [kind("log group"), kind("execution log group")]

    differs = leftovers.compare(clients, STACK, [], known, kinds)
    assert (differs.strays, differs.missing) == ([], [])  # one the state does not know is no stray for that

    boto3.client("logs").delete_log_group(logGroupName=execution)
    assert leftovers.compare(clients, STACK, [], known, kinds).missing == [f"log group {execution}"]


def test_a_secret_that_waits_for_its_end_is_missing_and_still_goes_with_its_stack(clients: Clients) -> None:
    client, name = boto3.client("secretsmanager"), f"{STACK}/partners/bank"
    arn = client.create_secret(Name=name, SecretString="x", Tags=[{"Key": "Stack", "Value": STACK}])["ARN"]
    known = state("aws_secretsmanager_secret", arn=arn)
    assert leftovers.compare(clients, STACK, [], known, [kind("secret")]).missing == []

    client.delete_secret(SecretId=arn, RecoveryWindowInDays=30)

    assert leftovers.compare(clients, STACK, [], known, [kind("secret")]).missing == [f"secret {arn}"]
    assert names(sweep(clients, STACK, [], NOTHING, [kind("secret")])) == [f"secret {name}"]


def test_devices_and_what_bears_no_stacks_name_are_not_what_a_deploy_removes() -> None:
    made = {one.words for one in KNOWN_TO_STATES if one.of_its_own_name}
    assert {one.words for one in KINDS} - made == {"thing", "device certificate", "execution log group"}


def device(number: int) -> str:
    iot: Any = boto3.client("iot")
    thing = f"{STACK}-{number:04}"
    certificate = iot.create_keys_and_certificate(setAsActive=True)
    iot.create_thing(thingName=thing, attributePayload={"attributes": {"stack": STACK}})
    iot.attach_thing_principal(thingName=thing, principal=certificate["certificateArn"])
    iot.attach_policy(policyName=f"{STACK}-device", target=certificate["certificateArn"])
    return thing


@pytest.fixture
def policies_forget_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto keeps a deleted certificate attached to its policies, and then finds no principal at all."""
    deletes = IoTBackend.delete_certificate

    def delete_certificate(self: IoTBackend, certificate_id: str, force_delete: bool) -> None:
        deletes(self, certificate_id, force_delete)
        for attached in [pair for pair in self.principal_policies if certificate_id in pair[0]]:
            del self.principal_policies[attached]

    monkeypatch.setattr(IoTBackend, "delete_certificate", delete_certificate)


@pytest.mark.usefixtures("policies_forget_certificates")
def test_devices_go_with_their_certificates_before_their_policy(clients: Clients) -> None:
    iot = boto3.client("iot")
    iot.create_policy(policyName=f"{STACK}-device", policyDocument="{}")
    for number in range(3):
        device(number)
    untagged = replace(kind("IoT policy"), tags=None)  # moto has no tags of policies
    iot_kinds = [kind("thing"), kind("device certificate"), untagged]

    failures = leftovers.remove(clients, sweep(clients, STACK, [], NOTHING, iot_kinds))

    assert failures == []
    assert iot.list_things()["things"] == []
    assert iot.list_certificates()["certificates"] == []
    assert iot.list_policies()["policies"] == []


def test_a_role_goes_with_its_policies(clients: Clients) -> None:
    iam = boto3.client("iam")
    role = f"{STACK}-identity"
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}", Tags=[{"Key": "Stack", "Value": STACK}])
    iam.put_role_policy(RoleName=role, PolicyName="statements", PolicyDocument=document)

    assert leftovers.remove(clients, sweep(clients, STACK, [], NOTHING, [kind("role")])) == []
    assert iam.list_roles()["Roles"] == []


def test_what_is_gone_already_is_no_failure(clients: Clients) -> None:
    gone = Leftover(kind("function"), Found("paygo-demo-gone", "paygo-demo-gone"))

    assert leftovers.remove(clients, [gone]) == []


def test_every_kind_names_the_state_s_resources_by_what_it_finds() -> None:
    assert len({one.words for one in KINDS}) == len(KINDS)
    assert kind("function alias").key({"function_name": "arn:aws:lambda:x:1:function:f", "name": "live"}) == "f:live"
    assert kind("API stage").key({"rest_api_id": "a", "stage_name": "v"}) == "a/v"


@pytest.mark.parametrize(
    ("count", "words", "written"), [(1, "role", "1 role"), (0, "function alias", "0 function aliases")]
)
def test_counts_are_written_as_people_say_them(count: int, words: str, written: str) -> None:
    assert counted(count, words) == written


def test_a_stacks_role_of_another_region_is_not_here() -> None:
    assert is_here(Found("1", "paygo-demo-identity", {"Region": "us-east-1"}), "us-east-1")
    assert is_here(Found("1", "paygo-demo-identity", None), "us-east-1")
    assert not is_here(Found("1", "paygo-demo-identity", {"Region": "eu-west-1"}), "us-east-1")


def test_a_branch_named_like_another_stacks_resources_owns_none_of_them() -> None:
    stacks = [stack_name("demo"), stack_name("demo-ledger")]

    assert owner("paygo-demo-ledger-book-payments", stacks) == "paygo-demo"
    assert owner(f"{stack_name('demo-ledger')}-ledger-book-payments", stacks) == stack_name("demo-ledger")


@pytest.mark.parametrize(("region", "expected"), [("us-east-1", ["role paygo-demo-identity"]), ("eu-west-1", [])])
def test_a_role_of_the_branchs_stack_in_another_region_is_not_swept(
    clients: Clients, region: str, expected: list[str]
) -> None:
    boto3.client("iam").create_role(
        RoleName="paygo-demo-identity",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}),
        Tags=[{"Key": "Stack", "Value": STACK}, {"Key": "Region", "Value": region}],
    )

    assert names(sweep(clients, STACK, [], State({}), [kind("role")])) == expected


def test_a_state_is_forgotten_while_its_lock_is_kept(clients: Clients) -> None:
    # Not by our own function: moto takes a bucket's policy that denies what comes without TLS for one that denies all.
    bucket = storage.state_bucket(clients.target)
    clients("s3").create_bucket(Bucket=bucket)
    clients("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    storage.write(clients, "stacks/paygo-demo/terraform.tfstate", {"version": 4})
    storage.write(clients, "stacks/paygo-demo/deploy.lock", {"host": "here"})

    storage.forget(clients, "stacks/paygo-demo/", kept="stacks/paygo-demo/deploy.lock")

    assert storage.read(clients, "stacks/paygo-demo/terraform.tfstate") is None
    assert storage.read(clients, "stacks/paygo-demo/deploy.lock") == {"host": "here"}
