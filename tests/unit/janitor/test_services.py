"""Every kind that moto plays: found by the beginning of its name, told by its tag, removed once."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from janitor.clients import Clients
from janitor.found import PREFIX, Found, stack_of
from janitor.kinds import NAMED
from tests.unit.janitor.conftest import HERE, TRUST, Account
from tests.unit.janitor.test_prune import code

STACK = "paygo-demo"
TAGS = {"Stack": STACK}
PAIRS = [{"Key": "Stack", "Value": STACK}]

type Make = Callable[[Account], Any]


def function(account: Account) -> Any:
    role = account.client("iam").create_role(RoleName=f"{STACK}-f", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    return account.client("lambda").create_function(
        FunctionName=f"{STACK}-f",
        Runtime="python3.13",
        Role=role,
        Handler="f.handler",
        Code={"ZipFile": code(0)},
        Tags=TAGS,
        Publish=True,
    )


def alias(account: Account) -> None:
    function(account)
    account.client("lambda").create_alias(FunctionName=f"{STACK}-f", Name="live", FunctionVersion="1")


def mapping(account: Account) -> None:
    function(account)
    account.client("sqs").create_queue(QueueName=f"{STACK}-q")
    arn = f"arn:aws:sqs:{HERE.region}:{HERE.account}:{STACK}-q"
    account.client("lambda").create_event_source_mapping(FunctionName=f"{STACK}-f", EventSourceArn=arn)


def layer(account: Account) -> None:
    account.client("lambda").publish_layer_version(LayerName=f"{STACK}-shared", Content={"ZipFile": code(0)})


def schedule(account: Account) -> None:
    events = account.client("events")
    events.put_rule(Name=f"{STACK}-s", ScheduleExpression="rate(5 minutes)", Tags=PAIRS)
    events.put_targets(Rule=f"{STACK}-s", Targets=[{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:1:function:f"}])


def log_group(account: Account) -> None:
    account.client("logs").create_log_group(logGroupName=f"/aws/lambda/{STACK}-f", tags=TAGS)


def execution_log_group(account: Account) -> None:
    account.client("logs").create_log_group(logGroupName="API-Gateway-Execution-Logs_a1/v", tags=TAGS)


def role(account: Account) -> None:
    account.client("iam").create_role(RoleName=f"{STACK}-r", AssumeRolePolicyDocument=TRUST, Tags=PAIRS)
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("iam").put_role_policy(RoleName=f"{STACK}-r", PolicyName="p", PolicyDocument=document)


def queue(account: Account) -> None:
    account.client("sqs").create_queue(QueueName=f"{STACK}-q", tags=TAGS)


def topic(account: Account) -> None:
    arn = account.client("sns").create_topic(Name=f"{STACK}-t", Tags=PAIRS)["TopicArn"]
    account.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:1:q")


def table(account: Account) -> None:
    account.table(f"{STACK}-t", PAIRS)


def bucket(account: Account) -> None:
    account.bucket(f"{STACK}-b-{HERE.account}-{HERE.region}", PAIRS)


def secret(account: Account) -> None:
    account.client("secretsmanager").create_secret(Name=f"{STACK}/partners/bank", SecretString="x", Tags=PAIRS)


def user_pool(account: Account) -> None:
    cognito = account.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName=STACK, UserPoolTags=TAGS)["UserPool"]["Id"]
    cognito.create_user_pool_domain(UserPoolId=pool, Domain=STACK)


def identity_pool(account: Account) -> None:
    account.client("cognito-identity").create_identity_pool(
        IdentityPoolName=STACK, AllowUnauthenticatedIdentities=True, IdentityPoolTags=TAGS
    )


def alarm(account: Account) -> None:
    account.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{STACK}-a",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Threshold=0,
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Sum",
    )


def api(account: Account) -> str:
    return str(account.client("apigateway").create_rest_api(name=STACK, tags=TAGS)["id"])


def stage(account: Account) -> None:
    gateway, identifier = account.client("apigateway"), api(account)
    root = gateway.get_resources(restApiId=identifier)["items"][0]["id"]
    gateway.put_method(restApiId=identifier, resourceId=root, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(restApiId=identifier, resourceId=root, httpMethod="GET", type="MOCK")
    deployment = gateway.create_deployment(restApiId=identifier)["id"]
    gateway.create_stage(restApiId=identifier, stageName="v", deploymentId=deployment)


def plan(account: Account) -> None:
    account.client("apigateway").create_usage_plan(name=f"{STACK}-partners", tags=TAGS)


def key(account: Account) -> None:
    account.client("apigateway").create_api_key(name=f"{STACK}-bank", tags=TAGS)


def rule(account: Account) -> None:
    payload = {"sql": "SELECT *", "actions": []}
    account.client("iot").create_topic_rule(ruleName="paygo_demo_rule", topicRulePayload=payload)


def thing(account: Account) -> None:
    iot = account.client("iot")
    iot.create_thing(thingName=f"{STACK}-0001", attributePayload={"attributes": {"stack": STACK}})
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_thing_principal(thingName=f"{STACK}-0001", principal=certificate)


def claim(account: Account, policy: str = "claim") -> None:
    iot = account.client("iot")
    iot.create_policy(policyName=f"{STACK}-{policy}", policyDocument="{}")
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=f"{STACK}-{policy}", target=certificate)


MADE: dict[str, Make] = {
    "function": function,
    "function alias": alias,
    "event source mapping": mapping,
    "layer version": layer,
    "schedule": schedule,
    "log group": log_group,
    "execution log group": execution_log_group,
    "role": role,
    "queue": queue,
    "topic": topic,
    "table": table,
    "bucket": bucket,
    "secret": secret,
    "user pool": user_pool,
    "identity pool": identity_pool,
    "alarm": alarm,
    "REST API": api,
    "API stage": stage,
    "usage plan": plan,
    "API key": key,
    "IoT rule": rule,
    "thing": thing,
    "IoT policy": claim,
}
UNTAGGED = {"event source mapping", "layer version", "alarm", "IoT rule", "IoT policy"}  # by AWS, or by moto


def found(clients: Clients, words: str) -> list[Found]:
    return list(NAMED[words].find(clients, PREFIX))


@pytest.mark.parametrize("words", MADE)
def test_a_kind_is_found_told_and_removed(words: str, clients: Clients, account: Account) -> None:
    kind = NAMED[words]
    MADE[words](account)

    [one] = found(clients, words)
    if words not in UNTAGGED:
        tags = one.tags if one.tags is not None else kind.tags(clients, one) if kind.tags else None
        assert tags is not None
        assert tags["Stack"] == STACK
    elif words not in {"IoT rule", "IoT policy"}:
        assert stack_of(one, [STACK]) == STACK
    kind.remove(clients, one)

    assert found(clients, words) == []


@pytest.mark.parametrize(("words", "policy"), [("certificate", "claim"), ("device certificate", "device")])
def test_a_certificate_is_found_by_its_policy_until_it_is_gone(
    words: str, policy: str, clients: Clients, account: Account
) -> None:
    claim(account, policy)
    other = {"certificate": "device certificate", "device certificate": "certificate"}[words]

    [one] = found(clients, words)
    assert found(clients, other) == []
    NAMED[words].remove(clients, one)

    assert account.client("iot").list_certificates()["certificates"] == []


def test_a_certificate_that_cannot_be_forced_leaves_its_policies_first(
    clients: Clients, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(account)
    [one] = found(clients, "certificate")
    iot = clients("iot")
    deletes = iot.delete_certificate
    asked: list[int] = []

    def refuses_once(**arguments: Any) -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise iot.exceptions.DeleteConflictException({"Error": {"Code": "DeleteConflictException"}}, "Delete")
        return deletes(**arguments)

    monkeypatch.setattr(iot, "delete_certificate", refuses_once)

    NAMED["certificate"].remove(clients, one)

    assert account.client("iot").list_certificates()["certificates"] == []
    assert found(clients, "certificate") == []


def test_others_resources_are_not_found(clients: Clients, account: Account) -> None:
    account.table("somebody-elses", [])
    account.bucket(f"paygo-demo-b-{HERE.account}-eu-west-1", [])
    account.client("iam").create_role(RoleName="admin", AssumeRolePolicyDocument=TRUST)
    account.client("sns").create_topic(Name="alerts")
    account.client("apigateway").create_rest_api(name="other")

    assert [words for words in ("table", "bucket", "role", "topic", "REST API") if found(clients, words)] == []


def test_a_bucket_without_tags_is_nobodys_by_tag(clients: Clients, account: Account) -> None:
    name = f"paygo-demo-b-{HERE.account}-{HERE.region}"
    account.client("s3").create_bucket(Bucket=name)

    assert NAMED["bucket"].tags is not None
    assert NAMED["bucket"].tags(clients, Found(name, name)) is None


def test_what_polls_a_queue_is_told_from_what_reads_a_stream(clients: Clients, account: Account) -> None:
    mapping(account)

    assert [one.about for one in found(clients, "event source mapping")] == ["sqs"]


@pytest.mark.parametrize("words", ["table", "user pool"])
def test_what_may_not_be_deleted_says_so(words: str, clients: Clients, account: Account) -> None:
    MADE[words](account)
    account.table(f"{STACK}-kept", PAIRS, protected=True)
    account.client("cognito-idp").create_user_pool(PoolName=f"{STACK}-kept", DeletionProtection="ACTIVE")

    protected = NAMED[words].protected
    assert protected is not None
    told = {one.name: protected(clients, one) for one in found(clients, words)}
    assert sorted(told.values()) == [False, True]
    assert told[f"{STACK}-kept"]
