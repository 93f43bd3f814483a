"""A published version keeps its code, its configuration and its layers, and every caller of an alias follows it.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html,
https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html,
https://docs.aws.amazon.com/lambda/latest/api/API_DeleteLayerVersion.html
"""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.local.conftest import Bench, allow, refusal
from tests.local.test_functions import READ_STREAM, map_events, publish, put, stream_table

TOLD = """
import boto3, json, os
def handler(event, context):
    told = json.dumps([context.function_version, os.environ["WORD"]])
    boto3.client("sqs").send_message(QueueUrl=os.environ["TOLD"], MessageBody=told)
    return {"batchItemFailures": []}
"""

type Trigger = Callable[[], object]


def zipped(name: str, text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(name, text)
    return archive.getvalue()


def test_a_version_that_an_alias_goes_back_to_has_its_code_its_environment_and_its_layer(bench: Bench) -> None:
    client = bench.deployer("lambda")

    def layer(word: str) -> dict[str, Any]:
        made: dict[str, Any] = client.publish_layer_version(
            LayerName=bench.name, Content={"ZipFile": zipped("python/shelf.py", f"WORD = {word!r}\n")}
        )
        bench.later(client.delete_layer_version, LayerName=bench.name, VersionNumber=made["Version"])
        return made

    def source(word: str) -> str:
        return (
            "import os, shelf\n"
            "def handler(event, context):\n"
            "    print('called')\n"
            f"    return [{word!r}, os.environ['WORD'], shelf.WORD, int(context.memory_limit_in_mb)]\n"
        )

    def said() -> Any:
        return json.loads(client.invoke(FunctionName=alias, Payload=b"{}")["Payload"].read())

    first = layer("old")
    old: dict[str, Any] = {"Environment": {"Variables": {"WORD": "old"}}, "MemorySize": 128}
    new: dict[str, Any] = {"Environment": {"Variables": {"WORD": "new"}}, "MemorySize": 256}
    function = bench.function(source("old"), Layers=[first["LayerVersionArn"]], **old)
    alias = publish(bench, function)
    client.update_function_configuration(FunctionName=function, Layers=[layer("new")["LayerVersionArn"]], **new)
    client.update_function_code(FunctionName=function, ZipFile=zipped("index.py", source("new")))
    later = client.publish_version(FunctionName=function)["Version"]
    client.update_alias(FunctionName=function, Name="live", FunctionVersion=later)
    assert said() == ["new", "new", "new", 256]

    # A layer's version can be deleted while a function's version has it, which keeps it.
    client.delete_layer_version(LayerName=bench.name, VersionNumber=first["Version"])
    client.update_alias(FunctionName=function, Name="live", FunctionVersion="1")

    assert said() == ["old", "old", "old", 128]


def by_queue(bench: Bench, alias: str) -> Trigger:
    url, arn = bench.queue()
    map_events(bench, arn, alias)
    return lambda: bench.deployer("sqs").send_message(QueueUrl=url, MessageBody="x")


def by_stream(bench: Bench, alias: str) -> Trigger:
    table, stream = stream_table(bench)
    map_events(bench, stream, alias, StartingPosition="TRIM_HORIZON", MaximumRecordAgeInSeconds=60)
    keys = iter("abc")
    return lambda: put(bench, table, next(keys))


def by_topic(bench: Bench, alias: str) -> Trigger:
    sns = bench.deployer("sns")
    topic = sns.create_topic(Name=bench.name)["TopicArn"]
    bench.later(sns.delete_topic, TopicArn=topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=alias)
    return lambda: sns.publish(TopicArn=topic, Message="x")


def by_rule(bench: Bench, alias: str) -> Trigger:
    events = bench.deployer("events")
    events.put_rule(Name=bench.name, EventPattern=json.dumps({"source": [bench.name]}))
    events.put_targets(Rule=bench.name, Targets=[{"Id": "f", "Arn": alias}])
    bench.later(events.delete_rule, Name=bench.name)
    bench.later(events.remove_targets, Rule=bench.name, Ids=["f"])
    return lambda: events.put_events(Entries=[{"Source": bench.name, "DetailType": "x", "Detail": "{}"}])


@pytest.mark.parametrize("called", [by_queue, by_stream, by_topic, by_rule])
def test_whoever_calls_an_alias_follows_it_forward_and_back(
    bench: Bench, called: Callable[[Bench, str], Trigger]
) -> None:
    client = bench.deployer("lambda")
    told, _ = bench.queue()

    def variables(word: str) -> dict[str, Any]:
        return {"Variables": {"TOLD": told, "WORD": word}}

    function = bench.function(
        TOLD, allow(["sqs:SendMessage", "sqs:ReceiveMessage", *READ_STREAM]), Environment=variables("old")
    )
    alias = publish(bench, function)
    client.update_function_configuration(FunctionName=function, Environment=variables("new"))
    later = client.publish_version(FunctionName=function)["Version"]
    call = called(bench, alias)
    heard = []
    for version in ("1", later, "1"):
        client.update_alias(FunctionName=function, Name="live", FunctionVersion=version)
        call()
        heard += [json.loads(body) for body in bench.messages(told, 1, seconds=30)]

    assert heard == [["1", "old"], [later, "new"], ["1", "old"]]


def test_a_version_that_an_alias_points_at_cannot_be_deleted_and_another_is_then_gone(bench: Bench) -> None:
    client = bench.deployer("lambda")
    function = bench.function("def handler(event, context): return 1")
    publish(bench, function)
    client.update_function_configuration(FunctionName=function, Description="later")
    later = client.publish_version(FunctionName=function)["Version"]

    assert refusal(lambda: client.delete_function(FunctionName=function, Qualifier="1")) == "ResourceConflictException"
    client.delete_function(FunctionName=function, Qualifier=later)
    gone = refusal(lambda: client.get_function(FunctionName=function, Qualifier=later))
    assert gone == "ResourceNotFoundException"
