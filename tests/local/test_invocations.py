"""What is invoked asynchronously, what becomes of it when it fails, and what a function's log says of it.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html,
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html,
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
"""

import base64
import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.local.conftest import ACCOUNT, Bench, allow, refusal
from tests.local.test_functions import publish

COUNTED = """
import boto3, json, os
def handler(event, context):
    told = json.dumps({"event": event, "version": context.function_version, "id": context.aws_request_id})
    boto3.client("sqs").send_message(QueueUrl=os.environ["TOLD"], MessageBody=told)
    if os.environ.get("FAILS"):
        raise ValueError("never")
    print("done")
"""
FAILING = """
import os, signal, sys, time
def handler(event, context):
    print("begun", context.log_stream_name)
    if event == "timeout":
        time.sleep(30)
    if event == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "raise":
        raise KeyError("never")
    return context.log_stream_name
"""
RUNS_ON = """
import boto3, os, time
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="begun")
    time.sleep(2)
"""


def teller(bench: Bench, **environment: str) -> tuple[str, str]:
    """Make a function that tells a queue what it was called with; return its alias and the queue."""
    url, _ = bench.queue()
    function = bench.function(
        COUNTED, allow("sqs:SendMessage"), Environment={"Variables": {"TOLD": url, **environment}}
    )
    alias = publish(bench, function)
    bench.deployer("lambda").update_function_configuration(FunctionName=function, Description="unpublished")
    return alias, url


def parked(bench: Bench, alias: str) -> str:
    """Give the alias a failure destination; return the queue's URL."""
    url, arn = bench.queue()
    bench.deployer("lambda").put_function_event_invoke_config(
        FunctionName=alias.rpartition(":")[0],
        Qualifier="live",
        MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    return url


def through_topic(bench: Bench, alias: str) -> dict[str, Any]:
    sns = bench.deployer("sns")
    topic = sns.create_topic(Name=bench.name)["TopicArn"]
    bench.later(sns.delete_topic, TopicArn=topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=alias)
    sns.publish(TopicArn=topic, Message="hello", Subject="Greeting")
    return {"EventSource": "aws:sns"}


def through_rule(bench: Bench, alias: str) -> dict[str, Any]:
    events = bench.deployer("events")
    pattern = json.dumps({"source": [bench.name]})
    events.put_rule(Name=bench.name, EventPattern=pattern)
    events.put_targets(Rule=bench.name, Targets=[{"Id": "f", "Arn": alias, "Input": '{"action": "sweep"}'}])
    bench.later(events.delete_rule, Name=bench.name)
    bench.later(events.remove_targets, Rule=bench.name, Ids=["f"])
    events.put_events(Entries=[{"Source": bench.name, "DetailType": "x", "Detail": "{}"}])
    return {"action": "sweep"}


def through_thing(bench: Bench, alias: str) -> dict[str, Any]:
    iot, name = bench.deployer("iot"), bench.name.replace("-", "_")
    actions = [{"lambda": {"functionArn": alias}}]
    query = f"SELECT * FROM '{name}'"  # noqa: S608 no database reads it
    iot.create_topic_rule(ruleName=name, topicRulePayload={"sql": query, "actions": actions})
    bench.later(iot.delete_topic_rule, ruleName=name)
    bench.deployer("iot-data").publish(topic=name, payload=b'{"said": "hello"}')
    return {"said": "hello"}


def through_caller(bench: Bench, alias: str) -> dict[str, Any]:
    bench.deployer("lambda").invoke(FunctionName=alias, InvocationType="Event", Payload=b'{"said": "directly"}')
    return {"said": "directly"}


@pytest.mark.parametrize("call", [through_topic, through_rule, through_thing, through_caller])
def test_what_fails_three_times_is_parked_with_what_it_was_called_with(
    bench: Bench, call: Callable[[Bench, str], dict[str, Any]]
) -> None:
    alias, told_url = teller(bench, FAILS="yes")
    url = parked(bench, alias)

    expected = call(bench, alias)

    (body,) = bench.messages(url, seconds=30)
    record = json.loads(body)
    attempts = [json.loads(body) for body in bench.messages(told_url, 4, seconds=2)]
    assert len(attempts) == 3
    assert {attempt["version"] for attempt in attempts} == {"1"}
    assert {attempt["id"] for attempt in attempts} == {record["requestContext"]["requestId"]}
    called_with = record["requestPayload"].get("Records", [record["requestPayload"]])[0]
    assert expected.items() <= called_with.items()
    assert record["version"] == "1.0"
    assert record["requestContext"]["functionArn"] == alias
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"}
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert record["responsePayload"]["errorMessage"] == "never"


def test_a_burst_of_events_is_handled_by_a_few_workers_in_turn(bench: Bench) -> None:
    url, _ = bench.queue()
    source = (
        "import boto3, os, time\n"
        "def handler(event, context):\n"
        "    time.sleep(0.3)\n"
        "    boto3.client('sqs').send_message(QueueUrl=os.environ['TOLD'], MessageBody=str(os.getpid()))\n"
        "    print('told')\n"
    )
    function = bench.function(source, allow("sqs:SendMessage"), Environment={"Variables": {"TOLD": url}})
    for _ in range(6):
        bench.deployer("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")

    workers = bench.messages(url, 6, seconds=30)
    assert len(workers) == 6
    assert len(set(workers)) <= 2


def test_a_function_that_may_not_send_to_its_destination_parks_nothing(bench: Bench) -> None:
    function = bench.function("def handler(event, context):\n    raise ValueError\n")
    alias = publish(bench, function)
    url = parked(bench, alias)

    bench.deployer("lambda").invoke(FunctionName=alias, InvocationType="Event", Payload=b"{}")

    assert not bench.messages(url, seconds=7)


def test_a_topic_tells_an_alias_once_what_was_published(bench: Bench) -> None:
    alias, url = teller(bench)
    through_topic(bench, alias)

    (told,) = (json.loads(body) for body in bench.messages(url, 2, seconds=6))

    assert told["version"] == "1"
    (record,) = told["event"]["Records"]
    assert record["EventSubscriptionArn"].startswith(f"arn:aws:sns:us-east-1:{ACCOUNT}:{bench.name}:")
    assert (record["Sns"]["Message"], record["Sns"]["Subject"]) == ("hello", "Greeting")
    assert record["Sns"]["MessageAttributes"] == {}


def subscribed(bench: Bench, function: str, pattern: str) -> str:
    """Make a function that tells of the matching lines of another's log; return its queue."""
    alias, url = teller(bench)
    logs, group = bench.deployer("logs"), f"/aws/lambda/{function.rsplit(':', 1)[1]}"
    logs.create_log_group(logGroupName=group)
    bench.later(logs.delete_log_group, logGroupName=group)
    logs.put_subscription_filter(logGroupName=group, filterName="errors", filterPattern=pattern, destinationArn=alias)
    return url


def lines(body: str) -> tuple[list[str], dict[str, Any]]:
    told = json.loads(body)
    assert told["version"] == "1"
    data = json.loads(gzip.decompress(base64.b64decode(told["event"]["awslogs"]["data"])))
    return [event["message"] for event in data["logEvents"]], data


@pytest.mark.parametrize(
    ("event", "kind", "message", "line"),
    [
        ("raise", "KeyError", "'never'", "[ERROR] KeyError: 'never'\nTraceback (most recent call last):\n"),
        ("timeout", "Sandbox.Timedout", "RequestId: {id} Error: Task timed out after 2.00 seconds", "{id} Task timed"),
        (
            "kill",
            "Runtime.ExitError",
            "RequestId: {id} Error: Runtime exited with error: signal: killed",
            "RequestId: {id} Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
        ),
    ],
)
def test_the_runtime_tells_how_a_function_ended(bench: Bench, event: str, kind: str, message: str, line: str) -> None:
    client, logs = bench.deployer("lambda"), bench.deployer("logs")
    function = bench.function(FAILING)
    client.update_function_configuration(FunctionName=function, Timeout=2)
    url = subscribed(bench, function, '?"[ERROR]" ?"Task timed out" ?"Runtime exited"')

    answer = client.invoke(FunctionName=function, Payload=json.dumps(event))

    error = json.loads(answer["Payload"].read())
    (body,) = bench.messages(url, seconds=20)
    (told,), data = lines(body)
    events = logs.get_log_events(logGroupName=data["logGroup"], logStreamName=data["logStream"])["events"]
    written = [each["message"] for each in events]
    request_id = written[0].split()[2]
    assert error["errorType"] == kind
    assert error["errorMessage"] == message.format(id=request_id)
    assert line.format(id=request_id) in told
    assert written[1] == f"begun {data['logStream']}"
    assert written[2] == told
    assert written[3] == f"END RequestId: {request_id}"
    if event == "raise":
        assert told.splitlines()[2].startswith('\u00a0\u00a0File "')
        assert told.splitlines()[2].endswith("line 10, in handler")
        assert "index.py" in error["stackTrace"][-1]
    next_stream = json.loads(client.invoke(FunctionName=function, Payload=b'"fine"')["Payload"].read())
    assert (next_stream == data["logStream"]) is (event == "raise"), "only what a handler raises is outlived"


def test_a_module_that_cannot_be_imported_is_in_the_log(bench: Bench) -> None:
    function = bench.function("import nowhere\n")
    url = subscribed(bench, function, '"[ERROR]"')

    bench.deployer("lambda").invoke(FunctionName=function)

    (body,) = bench.messages(url, seconds=20)
    assert lines(body)[0] == ["[ERROR] Runtime.ImportModuleError: No module named 'nowhere'"]


def test_invocations_of_one_worker_share_the_stream_that_the_function_was_told_of(bench: Bench) -> None:
    client, logs = bench.deployer("lambda"), bench.deployer("logs")
    function = bench.function(FAILING)

    streams = {json.loads(client.invoke(FunctionName=function, Payload=b"{}")["Payload"].read()) for _ in range(2)}

    (stream,) = streams
    group = f"/aws/lambda/{function.rsplit(':', 1)[1]}"
    found = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [each["logStreamName"] for each in found] == [stream]
    assert "[$LATEST]" in stream


def test_a_function_that_was_removed_while_it_ran_leaves_no_log_group(bench: Bench) -> None:
    client, logs = bench.deployer("lambda"), bench.deployer("logs")
    url, _ = bench.queue()
    function = bench.function(RUNS_ON, allow("sqs:SendMessage"), Environment={"Variables": {"QUEUE": url}})
    group = f"/aws/lambda/{function.rsplit(':', 1)[1]}"
    logs.create_log_group(logGroupName=group)
    client.invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    assert bench.messages(url, seconds=20), "it runs"

    client.delete_function(FunctionName=function)
    logs.delete_log_group(logGroupName=group)

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
        time.sleep(0.2)


PATTERNS = [
    ("", {"one two", '{"level": "ERROR"}', "x [ERROR] y"}),
    ("one", {"one two"}),
    ("two one", {"one two"}),
    ("two three", set()),
    ("?two ?ERROR", {"one two", '{"level": "ERROR"}', "x [ERROR] y"}),
    ('"[ERROR]"', {"x [ERROR] y"}),
    (r'?"\"level\": \"ERROR\"" ?"[ERROR]"', {'{"level": "ERROR"}', "x [ERROR] y"}),
    ("ERROR -x", {'{"level": "ERROR"}'}),
    ("error", set()),
    ("%o[a-z]e t%", {"one two"}),
    ('{ $.level = "ERROR" }', {'{"level": "ERROR"}'}),
    ('{ $.level = "E*R" && $.other NOT EXISTS }', {'{"level": "ERROR"}'}),
    ('{ ($.level = "CRITICAL") || ($.level = "ERROR") }', {'{"level": "ERROR"}'}),
    ('{ $.level != "ERROR" }', set()),
]


def test_a_pattern_lets_through_what_it_says(bench: Bench) -> None:
    logs, group = bench.deployer("logs"), bench.name
    logs.create_log_group(logGroupName=group)
    bench.later(logs.delete_log_group, logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    messages = ["one two", '{"level": "ERROR"}', "x [ERROR] y"]
    logs.put_log_events(
        logGroupName=group, logStreamName="s", logEvents=[{"timestamp": 1, "message": each} for each in messages]
    )

    for pattern, expected in PATTERNS:
        found = logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        assert {each["message"] for each in found} == expected, pattern

    for pattern in ("[ERROR", "Task timed out!", '{ $.level == "x" }', "{ level = 1 }"):
        code = refusal(lambda pattern=pattern: logs.filter_log_events(logGroupName=group, filterPattern=pattern))  # type: ignore[misc]
        assert code == "InvalidParameterException", pattern


def test_a_subscription_passes_on_only_what_its_pattern_lets_through(bench: Bench) -> None:
    source = "import json\ndef handler(event, context):\n    print(json.dumps(event))\n    print('ERROR in words')\n"
    function = bench.function(source)
    url = subscribed(bench, function, '{ $.level = "ERROR" && $.count >= 2 }')
    for event in ({"level": "INFO", "count": 3}, {"level": "ERROR", "count": 1}, {"level": "ERROR", "count": 2}):
        bench.deployer("lambda").invoke(FunctionName=function, Payload=json.dumps(event))

    told = [lines(body) for body in bench.messages(url, 2, seconds=6)]

    assert [json.loads(line) for found, _ in told for line in found] == [{"level": "ERROR", "count": 2}]
    data = told[0][1]
    assert data["messageType"] == "DATA_MESSAGE"
    assert data["subscriptionFilters"] == ["errors"]
    assert data["owner"] == ACCOUNT
    assert data["logGroup"] == f"/aws/lambda/{function.rsplit(':', 1)[1]}"
