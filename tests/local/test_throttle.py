"""The account that deploys meet: AWS's rates and quotas, on a cloud of its own, since all its callers feel them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench.throttle import Throttled, ThrottleError, throttled
from deploy.terraform import Folder, provider_version
from tests.conftest import REGION, REPOSITORY, Clients, Cloud
from tests.local.conftest import ANYONE_ASSUMES, Bench, allow, eventually, policy, refusal
from tests.local.test_control import Clone

TOO_SOON = "TooManyRequestsException"
LIMIT = "LimitExceededException"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    made = Clone(tmp_path_factory.mktemp("throttled"))
    yield made
    made.run("stop")


@pytest.fixture(scope="module")
def cloud(clone: Clone) -> Cloud:
    described = clone.start()
    return Cloud(described["endpoint_url"], "localhost", described["mqtt_port"], "", described["credentials_file"])


@pytest.fixture(scope="module")
def deployer(cloud: Cloud) -> Clients:
    return cloud.profile("deployer")


@pytest.fixture
def bench(cloud: Cloud, deployer: Clients) -> Iterator[Bench]:
    with ExitStack() as cleanup:
        yield Bench(cloud, deployer, cleanup, "throttled")


@pytest.fixture
def virtual(cloud: Cloud) -> Iterator[Throttled]:
    with throttled(cloud.endpoint_url, "virtual") as held:
        yield held


def rest_apis(bench: Bench, count: int) -> list[str]:
    """Make REST APIs whose deletion is the test's own; those that are left go with the cloud."""
    client = bench.deployer("apigateway")
    return [client.create_rest_api(name=f"{bench.name}-{number}")["id"] for number in range(count)]


def new_role(bench: Bench, name: str) -> object:
    bench.later(bench.deployer("iam").delete_role, RoleName=name)
    return bench.deployer("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy(ANYONE_ASSUMES))


def test_a_second_api_is_not_deleted_within_thirty_seconds_and_is_after(bench: Bench) -> None:
    client, (one, two) = bench.deployer("apigateway"), rest_apis(bench, 2)
    with throttled(bench.cloud.endpoint_url, "virtual") as held:
        client.delete_rest_api(restApiId=one)
        held.sleep(29.5)
        assert refusal(lambda: client.delete_rest_api(restApiId=two)) == TOO_SOON
        assert client.get_rest_api(restApiId=two)["id"] == two
        held.sleep(0.5)
        client.delete_rest_api(restApiId=two)

    seen = held.record()["apigateway.DeleteRestApi"]
    assert (seen.calls, seen.refused, seen.passed_at, seen.refused_at) == (3, 1, [0.0, 30.0], [29.5])


def test_in_real_time_too(bench: Bench) -> None:
    client, (one, two) = bench.deployer("apigateway"), rest_apis(bench, 2)
    with throttled(bench.cloud.endpoint_url, "real"):
        client.delete_rest_api(restApiId=one)
        assert refusal(lambda: client.delete_rest_api(restApiId=two)) == TOO_SOON


def test_a_virtual_clock_can_go_by_itself(bench: Bench) -> None:
    client, (one, two) = bench.deployer("apigateway"), rest_apis(bench, 2)
    with throttled(bench.cloud.endpoint_url, "virtual", speed=100_000):
        client.delete_rest_api(restApiId=one)
        assert eventually(lambda: client.delete_rest_api(restApiId=two))


def test_all_callers_share_the_rate(bench: Bench) -> None:
    one, two = rest_apis(bench, 2)
    other = bench.user(allow("apigateway:*"))("apigateway")
    with throttled(bench.cloud.endpoint_url, "virtual"):
        bench.deployer("apigateway").delete_rest_api(restApiId=one)
        assert refusal(lambda: other.delete_rest_api(restApiId=two)) == TOO_SOON


TWO_APIS = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "%s"
    }
  }
}

resource "aws_api_gateway_rest_api" "these" {
  count = 2
  name  = "throttled-by-terraform-${count.index}"
}
"""


def test_terraform_waits_and_tries_again_where_it_came_too_soon(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint_url)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", cloud.credentials_file)
    monkeypatch.setenv("AWS_PROFILE", "deployer")
    monkeypatch.setenv("AWS_REGION", REGION)
    home = Path(os.environ.get("PAYGO_HOME") or REPOSITORY / ".paygo")
    (tmp_path / "main.tf").write_text(TWO_APIS % provider_version(REPOSITORY / "terraform"))
    folder = Folder(tmp_path, tmp_path / "work", home, backend=None)
    folder.init()

    with throttled(cloud.endpoint_url, "virtual", speed=5) as held:
        made = folder.run("apply", "-auto-approve", "-no-color")
        removed = folder.run("destroy", "-auto-approve", "-no-color")
    record = held.record()

    assert (made.returncode, removed.returncode) == (0, 0), made.stderr + removed.stderr
    assert len(record["apigateway.CreateRestApi"].passed_at) == 2
    assert len(record["apigateway.DeleteRestApi"].passed_at) == 2
    assert record["apigateway.CreateRestApi"].refused > 0
    assert record["apigateway.DeleteRestApi"].refused > 0


def test_who_may_not_call_takes_nothing_of_the_rate(bench: Bench) -> None:
    (one,) = rest_apis(bench, 1)
    stranger = bench.user(allow("apigateway:GET"))("apigateway")
    with throttled(bench.cloud.endpoint_url, "virtual"):
        assert refusal(lambda: stranger.delete_rest_api(restApiId=one)).startswith("AccessDenied")
        bench.deployer("apigateway").delete_rest_api(restApiId=one)


def test_api_gateway_takes_forty_calls_at_once_and_then_ten_a_second(bench: Bench, virtual: Throttled) -> None:
    client, newer = bench.deployer("apigateway"), bench.deployer("apigatewayv2")
    for _ in range(20):
        client.get_account()
        newer.get_apis()

    assert refusal(client.get_account) == TOO_SOON
    assert refusal(newer.get_apis) == TOO_SOON
    virtual.sleep(0.1)
    client.get_account()


def test_off_lets_all_through_and_keeps_the_last_record(bench: Bench) -> None:
    client, (one, two) = bench.deployer("apigateway"), rest_apis(bench, 2)
    with throttled(bench.cloud.endpoint_url, "virtual", quotas={"iam.roles": 0}) as held:
        client.get_account()
    for api in (one, two):
        client.delete_rest_api(restApiId=api)
    new_role(bench, "off")

    assert {name: seen.calls for name, seen in held.record().items()} == {"apigateway.GetAccount": 1}


def test_what_functions_call_is_never_held_up(bench: Bench) -> None:
    table = bench.table()
    source = (
        "import os, boto3\n"
        "def handler(event, context):\n"
        f"    table = boto3.resource('dynamodb').Table('{table}')\n"
        "    for n in range(100):\n"
        "        table.put_item(Item={'pk': 'a', 'sk': str(n)})\n"
        "    print('put')\n"
    )
    function = bench.function(source, allow("dynamodb:*"))
    with throttled(bench.cloud.endpoint_url, "virtual") as held:
        answer = bench.deployer("lambda").invoke(FunctionName=function)

    assert "FunctionError" not in answer
    assert bench.deployer("dynamodb").scan(TableName=table, Select="COUNT")["Count"] == 100
    assert held.record() == {}


def test_one_role_more_than_the_quota_is_refused_in_iams_words(bench: Bench, virtual: Throttled) -> None:
    roles = len(bench.deployer("iam").list_roles()["Roles"])
    virtual.lower({"iam.roles": roles + 1})
    new_role(bench, "fits")

    assert refusal(lambda: new_role(bench, "too-many")) == "LimitExceeded"
    # One that is there is told of as ever.
    assert refusal(lambda: new_role(bench, "fits")) == "EntityAlreadyExists"
    bench.deployer("iam").delete_role(RoleName="fits")
    new_role(bench, "too-many")
    assert virtual.record()["iam.CreateRole"].refused_by == {"iam.roles": 1}


KEY = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
ALARM = {
    "Namespace": "Tests",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
RULE = {"sql": "SELECT * FROM 'a'", "actions": [{"lambda": {"functionArn": FUNCTION}}]}
IDENTITIES = {"IdentityPoolName": "p", "AllowUnauthenticatedIdentities": False}
EMPTY_ZIP = b"PK\5\6" + bytes(18)

MADE: dict[str, tuple[Callable[[Clients], object], str]] = {
    "apigateway.regional_rest_apis": (lambda of: of("apigateway").create_rest_api(name="a"), LIMIT),
    "cloudwatch.alarms": (lambda of: of("cloudwatch").put_metric_alarm(AlarmName="a", **ALARM), "LimitExceeded"),
    "cognito-identity.identity_pools": (lambda of: of("cognito-identity").create_identity_pool(**IDENTITIES), LIMIT),
    "cognito-idp.user_pools": (lambda of: of("cognito-idp").create_user_pool(PoolName="p"), LIMIT),
    "dynamodb.tables": (lambda of: of("dynamodb").create_table(TableName="table", **KEY), LIMIT),
    "events.rules_per_bus": (lambda of: of("events").put_rule(Name="r", ScheduleExpression="rate(1 day)"), LIMIT),
    "iam.customer_managed_policies": (
        lambda of: of("iam").create_policy(PolicyName="p", PolicyDocument=policy(allow("s3:GetObject"))),
        "LimitExceeded",
    ),
    "iot.topic_rules": (lambda of: of("iot").create_topic_rule(ruleName="r", topicRulePayload=RULE), LIMIT),
    "lambda.code_storage_bytes": (
        lambda of: of("lambda").publish_layer_version(LayerName="l", Content={"ZipFile": EMPTY_ZIP}),
        "CodeStorageExceededException",
    ),
    "s3.buckets": (lambda of: of("s3").create_bucket(Bucket="throttled-bucket"), "TooManyBuckets"),
}


@pytest.mark.parametrize("quota", MADE)
def test_each_counted_quota_is_refused_with_its_services_code(deployer: Clients, cloud: Cloud, quota: str) -> None:
    make, code = MADE[quota]
    with throttled(cloud.endpoint_url, "virtual", quotas={quota: 0}):
        assert refusal(lambda: make(deployer)) == code
    with throttled(cloud.endpoint_url, "virtual"):
        make(deployer)
    if quota in {"cloudwatch.alarms", "events.rules_per_bus"}:
        # What is there is changed, not made: no quota is in its way.
        with throttled(cloud.endpoint_url, "virtual", quotas={quota: 0}):
            make(deployer)


def test_quotas_of_an_api_are_each_apis_own(bench: Bench, virtual: Throttled) -> None:
    client, (api,) = bench.deployer("apigateway"), rest_apis(bench, 1)
    (root,) = client.get_resources(restApiId=api)["items"]
    virtual.lower({"apigateway.resources_per_api": 2})
    client.create_resource(restApiId=api, parentId=root["id"], pathPart="one")

    def one_more() -> object:
        return client.create_resource(restApiId=api, parentId=root["id"], pathPart="two")

    assert refusal(one_more) == "LimitExceededException"


def test_service_quotas_tells_what_is_in_force(bench: Bench) -> None:
    client = bench.deployer("service-quotas")

    def roles(operation: Callable[..., Any]) -> float:
        return float(operation(ServiceCode="iam", QuotaCode="L-FE177D64")["Quota"]["Value"])

    assert roles(client.get_service_quota) == 1000
    with throttled(bench.cloud.endpoint_url, "virtual", quotas={"iam.roles": 80}):
        assert roles(client.get_service_quota) == 80
        assert roles(client.get_aws_default_service_quota) == 1000
        listed = client.list_service_quotas(ServiceCode="iam")["Quotas"]
        assert [(each["QuotaCode"], each["Value"]) for each in listed] == [("L-FE177D64", 80.0)]
    assert roles(client.get_service_quota) == 1000


def test_service_quotas_knows_no_quota_that_is_not_written_down(bench: Bench) -> None:
    client = bench.deployer("service-quotas")

    def ask(service: str, code: str) -> str:
        return refusal(lambda: client.get_service_quota(ServiceCode=service, QuotaCode=code))

    assert ask("iam", "L-00000000") == "NoSuchResourceException"
    assert ask("glacier", "L-FE177D64") == "NoSuchResourceException"


def test_service_quotas_is_asked_by_who_may(bench: Bench) -> None:
    asked = {"ServiceCode": "iam", "QuotaCode": "L-FE177D64"}
    allowed = bench.user(allow("servicequotas:GetServiceQuota"))("service-quotas")
    denied = bench.user(allow("iam:*"))("service-quotas")

    assert allowed.get_service_quota(**asked)["Quota"]["GlobalQuota"] is True
    assert refusal(lambda: denied.get_service_quota(**asked)).startswith("AccessDenied")


def test_asking_for_quotas_does_not_make_the_server_grow(bench: Bench, clone: Clone) -> None:
    pid = json.loads((clone.folder / "cloud.json").read_text())["pid"]

    def megabytes() -> float:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
        return int(told.stdout) / 1024

    before = megabytes()
    bench.deployer("service-quotas").get_service_quota(ServiceCode="iam", QuotaCode="L-FE177D64")

    assert megabytes() - before < 100


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"clock": "sundial"}, "off, real, virtual"),
        ({"pace": 1}, "clock, speed, quotas, advance"),
        ({"clock": "virtual", "quotas": {"iam.rolls": 1}}, "iam.rolls"),
        ({"clock": "virtual", "quotas": {"roles": 1}}, "roles"),
        ({"clock": "virtual", "quotas": {"iam.roles": "few"}}, "Quotas are numbers"),
        ({"clock": "real", "advance": 1}, "Only a virtual clock"),
        ({"clock": "virtual", "advance": -1}, "0 or more"),
        ({"clock": "real", "speed": 2}, "virtual"),
    ],
)
def test_the_control_route_says_what_it_does_not_do(
    cloud: Cloud, virtual: Throttled, asked: dict[str, Any], answer: str
) -> None:
    with pytest.raises(ThrottleError, match=answer):
        virtual._ask(asked)


def test_what_is_off_can_neither_be_advanced_nor_lowered(cloud: Cloud) -> None:
    off = Throttled(cloud.endpoint_url)
    with throttled(cloud.endpoint_url):
        pass

    with pytest.raises(ThrottleError, match="off"):
        off.sleep(1)
    with pytest.raises(ThrottleError, match="off"):
        off.lower({"iam.roles": 1})


def test_a_cloud_can_be_started_throttled(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = Clone(tmp_path_factory.mktemp("started"))
    try:
        refused = own.run("start", PAYGO_THROTTLE="sundial")
        described = own.start(PAYGO_THROTTLE="virtual")
        told = Throttled(described["endpoint_url"])._ask()
    finally:
        own.run("stop")

    assert refused.returncode == 1
    assert "PAYGO_THROTTLE is one of off, real, virtual, not sundial." in refused.stderr
    assert (told["clock"], told["now"]) == ("virtual", 0.0)
