"""IAM as it is enforced here: who is root, policy variables, DynamoDB's leading keys, sessions that end.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import json
import time
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from tests.conftest import Clients, Cloud
from tests.local.conftest import ACCOUNT, Bench, allow, policy, refusal
from tests.local.test_rest_api_import import document


def key(partition: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": partition}, "sk": {"S": "x"}}


@pytest.mark.parametrize("name", ["test", "123456789012", ACCOUNT, "AKIAIOSFODNN7EXAMPLE"])
def test_nobody_is_root_by_the_name_of_a_key(cloud: Cloud, name: str) -> None:
    caller = cloud.session(name, "test")

    assert refusal(caller("dynamodb").list_tables) == "UnrecognizedClientException"
    assert refusal(caller("s3").list_buckets) == "InvalidAccessKeyId"


def test_the_operator_reads_secrets_and_changes_nothing(bench: Bench, operator: Clients) -> None:
    secrets = bench.deployer("secretsmanager")
    secrets.create_secret(Name=bench.name, SecretString="told")
    bench.later(secrets.delete_secret, SecretId=bench.name, ForceDeleteWithoutRecovery=True)

    assert operator("secretsmanager").get_secret_value(SecretId=bench.name)["SecretString"] == "told"
    change = operator("secretsmanager").put_secret_value
    assert refusal(lambda: change(SecretId=bench.name, SecretString="x")) == "AccessDeniedException"
    assert refusal(operator("iam").list_users) == "AccessDenied"


def test_the_operator_mends_dead_letters_and_plays_partners(bench: Bench, cloud: Cloud, operator: Clients) -> None:
    secrets, s3 = bench.deployer("secretsmanager"), bench.deployer("s3")
    webhook, bucket, table = f"paygo-{bench.name}/operations/webhook", f"paygo-{bench.name}-mocks-x", bench.table()
    secrets.create_secret(Name=webhook, SecretString="none")
    bench.later(secrets.delete_secret, SecretId=webhook, ForceDeleteWithoutRecovery=True)
    other = bucket.replace("mocks", "payloads")
    for each in (bucket, other):
        s3.create_bucket(Bucket=each)
        bench.later(s3.delete_bucket, Bucket=each)

    operator("secretsmanager").put_secret_value(SecretId=webhook, SecretString="there")
    own = operator("s3")
    own.put_object(Bucket=bucket, Key="crm/ANY.json", Body=b"{}")
    assert [each["Key"] for each in own.list_objects_v2(Bucket=bucket)["Contents"]] == ["crm/ANY.json"]
    assert own.get_object(Bucket=bucket, Key="crm/ANY.json")["Body"].read() == b"{}"
    own.delete_object(Bucket=bucket, Key="crm/ANY.json")
    assert refusal(lambda: own.put_object(Bucket=other, Key="x")) == "AccessDenied"
    assert refusal(lambda: operator("dynamodb").scan(TableName=table)) == "AccessDeniedException"
    assert signed_call(bench, operator, "operations") == 200
    assert signed_call(bench, operator, "v1") == 403


def test_the_operator_approves_and_gives_stages_their_secrets(bench: Bench, operator: Clients) -> None:
    s3, secrets = bench.deployer("s3"), bench.deployer("secretsmanager")
    bucket, name, key = f"paygo-state-{bench.name}", f"paygo/staging/{bench.name}", "approvals/paygo-x/0123/now.json"
    s3.create_bucket(Bucket=bucket)
    bench.later(s3.delete_bucket, Bucket=bucket)
    bench.later(s3.delete_object, Bucket=bucket, Key=key)
    bench.later(secrets.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)

    operator("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")
    operator("secretsmanager").create_secret(Name=name, SecretString="1", Tags=[{"Key": "Project", "Value": "paygo"}])
    operator("secretsmanager").put_secret_value(SecretId=name, SecretString="2")

    assert refusal(lambda: operator("s3").delete_object(Bucket=bucket, Key=key)) == "AccessDenied"
    assert refusal(lambda: operator("s3").put_object(Bucket=bucket, Key="stacks/x")) == "AccessDenied"


def test_a_bucket_that_is_reached_over_tls_only_is_reached_here(bench: Bench) -> None:
    s3, bucket = bench.deployer("s3"), bench.name
    s3.create_bucket(Bucket=bucket)
    bench.later(s3.delete_bucket, Bucket=bucket)
    bench.later(s3.delete_bucket_policy, Bucket=bucket)
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}

    s3.put_bucket_policy(Bucket=bucket, Policy=policy({**denied, "Condition": over_tls("false")}))
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    s3.put_bucket_policy(Bucket=bucket, Policy=policy({**denied, "Condition": over_tls("true")}))
    assert refusal(lambda: s3.list_objects_v2(Bucket=bucket)) == "AccessDenied"


def over_tls(answer: str) -> dict[str, dict[str, str]]:
    return {"Bool": {"aws:SecureTransport": answer}}


def test_a_role_does_what_its_boundary_allows_by_its_own_tags_too(bench: Bench, cloud: Cloud) -> None:
    iam = bench.deployer("iam")
    boundary = iam.create_policy(
        PolicyName=bench.name,
        PolicyDocument=policy(
            allow("dynamodb:*", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/${{aws:PrincipalTag/Stack}}-*")
        ),
    )["Policy"]["Arn"]
    bench.later(iam.delete_policy, PolicyArn=boundary)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    role = bench.role(allow(["dynamodb:DescribeTable", "s3:ListAllMyBuckets"]), trust=trust)
    name = role.rpartition("/")[2]
    table = bench.table()
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    iam.tag_role(RoleName=name, Tags=[{"Key": "Stack", "Value": table.rpartition("-")[0]}])
    given = bench.deployer("sts").assume_role(RoleArn=role, RoleSessionName="bound")["Credentials"]
    caller = cloud.session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    assert caller("dynamodb").describe_table(TableName=table)
    iam.tag_role(RoleName=name, Tags=[{"Key": "Stack", "Value": "another"}])
    assert refusal(lambda: caller("dynamodb").describe_table(TableName=table)) == "AccessDeniedException"
    assert refusal(caller("s3").list_buckets) == "AccessDenied"


def signed_call(bench: Bench, caller: Clients, path: str) -> int:
    """Call a route that takes signed requests only."""
    api = bench.deployer("apigateway")
    api_id = api.create_rest_api(name=f"{bench.name}-{path}")["id"]
    bench.later(api.delete_rest_api, restApiId=api_id)
    answer = {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
    answer |= {"responses": {"default": {"statusCode": "200"}}}
    operation = {
        "security": [{"operator": []}],
        "responses": {"200": {"description": "Done"}},
        "x-amazon-apigateway-integration": answer,
    }
    described = document({f"/{path}/letters": {"get": operation}})
    scheme = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
    described["components"] = {"securitySchemes": {"operator": scheme}}
    api.put_rest_api(restApiId=api_id, mode="overwrite", body=json.dumps(described))
    api.create_deployment(restApiId=api_id, stageName="v")
    url = f"{bench.cloud.endpoint_url}/_aws/execute-api/{api_id}/v/{path}/letters"
    request = AWSRequest("GET", url)
    SigV4Auth(caller("sts")._request_signer._credentials, "execute-api", "us-east-1").add_auth(request)
    return requests.get(url, headers=dict(request.headers), timeout=20).status_code


def test_a_batch_of_calls_is_allowed_by_the_action_of_one(bench: Bench) -> None:
    url, arn = bench.queue()
    entries = [{"Id": "1", "MessageBody": "told"}]
    sender = bench.user(allow("sqs:SendMessage", arn))("sqs")

    assert sender.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    refused = bench.user(allow("sqs:ReceiveMessage", arn))("sqs").send_message_batch
    assert refusal(lambda: refused(QueueUrl=url, Entries=entries)) == "AccessDenied"


def test_a_session_is_refused_once_it_has_expired(bench: Bench, cloud: Cloud) -> None:
    role = bench.role(
        allow("dynamodb:ListTables"),
        trust={"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"},
    )
    # AWS's shortest session is 15 minutes, and botocore knows; here a shorter one is given, so its end can be seen.
    sts = bench.deployer("sts", parameter_validation=False)
    given = sts.assume_role(RoleArn=role, RoleSessionName="short", DurationSeconds=3)["Credentials"]
    caller = cloud.session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])("dynamodb")

    caller.list_tables()
    time.sleep(3.2)
    sts.assume_role(RoleArn=role, RoleSessionName="next", DurationSeconds=3)  # and is not forgotten for a new one
    assert refusal(caller.list_tables) == "ExpiredTokenException"


def test_a_variable_stands_for_what_is_known_of_the_caller(bench: Bench) -> None:
    named = bench.user(
        allow("s3:CreateBucket", "arn:aws:s3:::${aws:username}-own"),
        allow("s3:ListBucket", "arn:aws:s3:::*", Condition={"StringEquals": {"s3:prefix": "${aws:username}/"}}),
    )
    name = named("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    bench.later(bench.deployer("s3").delete_bucket, Bucket=f"{name}-own")

    named("s3").create_bucket(Bucket=f"{name}-own")
    assert refusal(lambda: named("s3").create_bucket(Bucket=f"{name}-other")) == "AccessDenied"
    named("s3").list_objects_v2(Bucket=f"{name}-own", Prefix=f"{name}/")
    assert refusal(lambda: named("s3").list_objects_v2(Bucket=f"{name}-own", Prefix="else/")) == "AccessDenied"


def test_a_variable_with_no_value_matches_nothing_unless_it_has_a_default(bench: Bench) -> None:
    table = bench.table()
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table}"
    unresolved = bench.user(allow("dynamodb:GetItem", f"{arn}${{aws:PrincipalTag/none}}"))("dynamodb")
    excluded = {"Effect": "Allow", "Action": "dynamodb:GetItem", "NotResource": "${aws:PrincipalTag/none}"}
    all_but = bench.user(excluded)("dynamodb")
    defaulted = bench.user(allow("dynamodb:GetItem", f"{arn[:-1]}${{aws:PrincipalTag/none, '{arn[-1]}'}}"))("dynamodb")

    assert refusal(lambda: unresolved.get_item(TableName=table, Key=key("a"))) == "AccessDeniedException"
    assert refusal(lambda: all_but.get_item(TableName=table, Key=key("a"))) == "AccessDeniedException"
    defaulted.get_item(TableName=table, Key=key("a"))


def limited_to(partition: str, table: str) -> dict[str, Any]:
    return allow(
        ["dynamodb:*Item", "dynamodb:Query", "dynamodb:ConditionCheckItem"],
        [
            f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table}",
            f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table}/*",
        ],
        Condition={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [partition]}},
    )


def requests_for(client: Any, table: str, partition: str) -> dict[str, Any]:
    """Every way to name an item of a partition."""
    item, where = key(partition), {"TableName": table}
    query = {**where, "KeyConditionExpression": "#p = :p", "ExpressionAttributeValues": {":p": {"S": partition}}}
    return {
        "get": lambda: client.get_item(**where, Key=item),
        "put": lambda: client.put_item(**where, Item=item),
        "update": lambda: client.update_item(**where, Key=item),
        "query": lambda: client.query(**query, ExpressionAttributeNames={"#p": "pk"}),
        "batch get": lambda: client.batch_get_item(RequestItems={table: {"Keys": [item]}}),
        "batch write": lambda: client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}}]}),
        "transact get": lambda: client.transact_get_items(TransactItems=[{"Get": {**where, "Key": item}}]),
        "transact write": lambda: client.transact_write_items(
            TransactItems=[
                {"Put": {**where, "Item": key("mine")}},
                {"Delete": {**where, "Key": item | {"sk": {"S": "y"}}}},
            ]
        ),
        "delete": lambda: client.delete_item(**where, Key=item),
    }


def test_leading_keys_limit_a_caller_to_a_partition(bench: Bench) -> None:
    table = bench.table()
    caller = bench.user(limited_to("mine", table))("dynamodb")

    for request in requests_for(caller, table, "mine").values():
        request()
    refused = {name: refusal(request) for name, request in requests_for(caller, table, "theirs").items()}
    assert refused == dict.fromkeys(refused, "AccessDeniedException")


def test_leading_keys_are_those_of_the_index_in_a_query_on_one(bench: Bench) -> None:
    table = bench.table(
        GlobalSecondaryIndexes=[
            {
                "IndexName": "turned",
                "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
    )
    caller = bench.user(limited_to("mine", table))("dynamodb")

    def query(value: str) -> object:
        return caller.query(
            TableName=table,
            IndexName="turned",
            KeyConditionExpression="sk = :v",
            ExpressionAttributeValues={":v": {"S": value}},
        )

    query("mine")
    assert refusal(lambda: query("theirs")) == "AccessDeniedException"


def test_a_functions_role_is_enforced_on_its_calls(bench: Bench) -> None:
    table = bench.table()
    source = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    print('called')\n"
        "    try:\n"
        "        return str(boto3.client('dynamodb').scan(TableName=event['table'])['Count'])\n"
        "    except boto3.client('dynamodb').exceptions.ClientError as refused:\n"
        "        return refused.response['Error']['Code']\n"
    )
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table}"
    granted, denied = bench.function(source, allow("dynamodb:Scan", arn)), bench.function(source)

    def invoke(function: str) -> Any:
        answer = bench.deployer("lambda").invoke(FunctionName=function, Payload=json.dumps({"table": table}))
        return json.loads(answer["Payload"].read())

    assert invoke(granted) == "0"
    assert invoke(denied) == "AccessDeniedException"


def test_removing_an_alarm_or_a_rules_targets_is_allowed_by_its_name(bench: Bench) -> None:
    mine, other = f"{bench.name}-mine", f"{bench.name}-other"
    for name in (mine, other):
        bench.deployer("cloudwatch").put_metric_alarm(
            AlarmName=name,
            Namespace="Paygo",
            MetricName="x",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        bench.later(bench.deployer("cloudwatch").delete_alarms, AlarmNames=[name])
        bench.deployer("events").put_rule(Name=name, ScheduleExpression="rate(1 day)")
        bench.later(bench.deployer("events").delete_rule, Name=name)
    own = bench.user(
        allow("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{mine}"),
        allow("events:RemoveTargets", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{mine}"),
    )

    own("cloudwatch").delete_alarms(AlarmNames=[mine])
    own("events").remove_targets(Rule=mine, Ids=["one"])
    for names in ([other], [mine, other]):
        assert refusal(lambda names=names: own("cloudwatch").delete_alarms(AlarmNames=names)) == "AccessDeniedException"  # type: ignore[misc]
    assert refusal(lambda: own("events").remove_targets(Rule=other, Ids=["one"])) == "AccessDeniedException"
