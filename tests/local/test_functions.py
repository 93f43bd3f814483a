"""What invokes a function, through the alias that a deployment points at a published version.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html, https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.local.conftest import Bench, allow, policy
from tests.local.test_rest_api_import import document, proxied

VERSIONED = """
import json
def handler(event, context):
    print("called")
    return {"statusCode": 200, "body": json.dumps({"version": context.function_version})}
"""
READ_STREAM = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]


def publish(bench: Bench, function: str, alias: str = "live") -> str:
    client = bench.deployer("lambda")
    version = client.publish_version(FunctionName=function)["Version"]
    arn: str = client.create_alias(FunctionName=function, Name=alias, FunctionVersion=version)["AliasArn"]
    return arn


def map_events(bench: Bench, source_arn: str, function: str, **more: Any) -> None:
    client = bench.deployer("lambda")
    mapping = client.create_event_source_mapping(EventSourceArn=source_arn, FunctionName=function, **more)["UUID"]
    bench.later(client.delete_event_source_mapping, UUID=mapping)


def test_an_api_calls_the_version_its_alias_names_until_the_alias_moves(bench: Bench) -> None:
    client, api = bench.deployer("lambda"), bench.deployer("apigateway")
    function = bench.function(VERSIONED)
    alias = publish(bench, function)
    client.update_function_configuration(FunctionName=function, Description="later")
    api_id = api.create_rest_api(name=bench.name)["id"]
    bench.later(api.delete_rest_api, restApiId=api_id)
    api.put_rest_api(restApiId=api_id, mode="overwrite", body=json.dumps(document({"/said": {"get": proxied(alias)}})))
    api.create_deployment(restApiId=api_id, stageName="v")

    def version() -> str:
        url = f"{bench.cloud.endpoint_url}/_aws/execute-api/{api_id}/v/said"
        return str(requests.get(url, timeout=20).json()["version"])

    assert version() == "1"
    later = client.publish_version(FunctionName=function)["Version"]
    assert version() == "1"
    client.update_alias(FunctionName=function, Name="live", FunctionVersion=later)
    assert version() == later


def test_the_workers_of_a_function_share_its_code_which_is_compiled_once(bench: Bench) -> None:
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    print('called')\n"
        "    time.sleep(1)\n"
        "    return [os.getpid(), os.path.realpath(__file__), os.path.exists(__cached__)]\n"
    )
    function, client = bench.function(source), bench.deployer("lambda")

    def call(_: int) -> list[Any]:
        answer: list[Any] = json.loads(client.invoke(FunctionName=function)["Payload"].read())
        return answer

    with ThreadPoolExecutor(2) as pool:
        (one, code, compiled), (other, same_code, _) = pool.map(call, range(2))
    assert one != other
    assert code == same_code
    assert compiled


def test_a_queues_consumer_is_an_alias_and_fails_message_by_message(bench: Bench) -> None:
    sqs = bench.deployer("sqs")
    dead_url, dead_arn = bench.queue()
    url, arn = bench.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "3"})
    done_url, _ = bench.queue()
    source = (
        "import boto3, os\n"
        "def handler(event, context):\n"
        "    print('called')\n"
        "    failed = []\n"
        "    for record in event['Records']:\n"
        "        if record['body'] == 'bad':\n"
        "            failed.append({'itemIdentifier': record['messageId']})\n"
        "        else:\n"
        "            boto3.client('sqs').send_message(QueueUrl=os.environ['DONE'], MessageBody=record['body'])\n"
        "    return {'batchItemFailures': failed}\n"
    )
    function = bench.function(source, allow("sqs:SendMessage"), Environment={"Variables": {"DONE": done_url}})
    alias = publish(bench, function)
    map_events(bench, arn, alias, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
    bench.deployer("lambda").invoke(FunctionName=alias, Payload=b'{"Records": []}')  # a cold start takes time
    for body in ("good", "bad", "fine"):
        sqs.send_message(QueueUrl=url, MessageBody=body)

    assert sorted(bench.messages(done_url, 2, seconds=30)) == ["fine", "good"]
    assert bench.messages(dead_url, 1, seconds=30) == ["bad"]


def test_a_topics_subscription_passes_on_only_the_types_it_names(bench: Bench) -> None:
    sns = bench.deployer("sns")
    topic = sns.create_topic(Name=bench.name)["TopicArn"]
    bench.later(sns.delete_topic, TopicArn=topic)
    url, arn = bench.queue()
    delivery = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    queue_policy = policy({**delivery, "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}})
    bench.deployer("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": queue_policy})
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"FilterPolicy": json.dumps({"type": ["wanted.v1"]}), "RawMessageDelivery": "true"},
    )
    for kind in ("other.v1", "wanted.v1"):
        attributes = {"type": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=topic, Message=kind, MessageAttributes=attributes)
    sns.publish(TopicArn=topic, Message="no type at all")

    assert bench.messages(url, 2, seconds=3) == ["wanted.v1"]


def stream_table(bench: Bench) -> tuple[str, str]:
    table = bench.table(StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    stream: str = bench.deployer("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    return table, stream


def put(bench: Bench, table: str, partition: str, sort: str = "x") -> None:
    bench.deployer("dynamodb").put_item(TableName=table, Item={"pk": {"S": partition}, "sk": {"S": sort}})


def test_a_tables_stream_reaches_an_alias_with_the_records_its_filter_lets_through(bench: Bench) -> None:
    table, stream = stream_table(bench)
    url, _ = bench.queue()
    source = (
        "import boto3, os, json\n"
        "def handler(event, context):\n"
        "    print('called')\n"
        "    for record in event['Records']:\n"
        "        body = json.dumps([record['eventName'], record['dynamodb']['NewImage']['pk']['S']])\n"
        "        boto3.client('sqs').send_message(QueueUrl=os.environ['DONE'], MessageBody=body)\n"
        "    return {'batchItemFailures': []}\n"
    )
    function = bench.function(
        source, allow("sqs:SendMessage"), allow(READ_STREAM), Environment={"Variables": {"DONE": url}}
    )
    pattern = {"eventName": ["INSERT"], "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "OUTBOX#"}]}}}}
    map_events(
        bench,
        stream,
        publish(bench, function),
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
        MaximumRecordAgeInSeconds=60,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]},
    )
    put(bench, table, "ACCOUNT#1")
    put(bench, table, "OUTBOX#1")

    assert [json.loads(body) for body in bench.messages(url, 2, seconds=8)] == [["INSERT", "OUTBOX#1"]]


POISONED = """
import boto3, os
def handler(event, context):
    keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
    print(keys)
    if os.environ.get("RAISE") and "bad" in keys:
        raise RuntimeError("never")
    failures = []
    for key, record in zip(keys, event["Records"]):
        if key == "bad":
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
        else:
            boto3.client("sqs").send_message(QueueUrl=os.environ["DONE"], MessageBody=key)
    return {"batchItemFailures": failures}
"""


def test_a_batch_that_cannot_be_handled_is_bisected_and_only_the_bad_record_is_parked(bench: Bench) -> None:
    table, stream = stream_table(bench)
    done_url, _ = bench.queue()
    failed_url, failed_arn = bench.queue()
    function = bench.function(
        POISONED, allow("sqs:SendMessage"), Environment={"Variables": {"DONE": done_url, "RAISE": "yes"}}
    )
    for partition in ("a", "bad", "b", "c"):
        put(bench, table, partition)
    map_events(
        bench,
        stream,
        publish(bench, function),
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": failed_arn}},
    )

    assert sorted(bench.messages(done_url, 3, seconds=40)) == ["a", "b", "c"]
    (body,) = bench.messages(failed_url, 1, seconds=30)
    told = json.loads(body)
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["DDBStreamBatchInfo"]["streamArn"] == stream
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_record_reported_as_failed_is_tried_again_and_parked_while_the_others_are_done(bench: Bench) -> None:
    table, stream = stream_table(bench)
    done_url, _ = bench.queue()
    failed_url, failed_arn = bench.queue()
    function = bench.function(POISONED, allow("sqs:SendMessage"), Environment={"Variables": {"DONE": done_url}})
    for partition in ("a", "bad"):
        put(bench, table, partition)
    map_events(
        bench,
        stream,
        publish(bench, function),
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": failed_arn}},
    )

    assert bench.messages(done_url, 1, seconds=30) == ["a"]
    (body,) = bench.messages(failed_url, 1, seconds=30)
    assert json.loads(body)["DDBStreamBatchInfo"]["batchSize"] == 1
    put(bench, table, "b")
    assert bench.messages(done_url, 1, seconds=30) == ["b"]


def test_an_environment_outlives_an_error_of_its_handler(bench: Bench) -> None:
    function = bench.function(
        """
import os
def handler(event, context):
    if event["raise"]:
        raise ValueError(os.getpid())
    return os.getpid()
"""
    )
    client = bench.deployer("lambda")

    def call(*, is_to_raise: bool) -> dict[str, Any]:
        answer: dict[str, Any] = client.invoke(FunctionName=function, Payload=json.dumps({"raise": is_to_raise}))
        return answer

    raised, answered = call(is_to_raise=True), call(is_to_raise=False)
    told = json.loads(raised["Payload"].read())

    assert (raised["FunctionError"], told["errorType"]) == ("Unhandled", "ValueError")
    assert told["errorMessage"] == answered["Payload"].read().decode()
