"""Queues, and the functions that take their messages.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

import json
import threading
import time
from typing import Any

import pytest

from tests.local.conftest import Bench, allow, eventually, refusal
from tests.local.test_functions import map_events, publish

TELLING = """
import boto3, json, os, time
sqs = boto3.client("sqs")
def handler(event, context):
    failures = []
    for record in event["Records"]:
        body, ask = record["body"], json.loads(record["body"])
        told = {"body": ask, "at": time.time(), **{key: record[key] for key in ("attributes", "messageAttributes")}}
        sqs.send_message(QueueUrl=os.environ["TOLD"], MessageBody=json.dumps(told))
        handle = {"QueueUrl": os.environ["OWN"], "ReceiptHandle": record["receiptHandle"]}
        if ask["do"] == "wait":
            sqs.change_message_visibility(**handle, VisibilityTimeout=ask["seconds"])
            failures.append(record["messageId"])
        if ask["do"] == "delete":
            sqs.delete_message(**handle)
        if ask["do"] == "sleep":
            time.sleep(ask["seconds"])
        if ask["do"] == "name":
            failures.append(ask["failure"])
        if ask["do"] == "answer":
            return ask["answer"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failures]}
"""


class Consumer:
    """A queue, the function that takes its messages, and the queue that the function tells of them."""

    def __init__(self, bench: Bench, visibility: int = 2, most: int = 10, **mapping: Any) -> None:
        self.bench, self.sqs = bench, bench.deployer("sqs")
        self.url, self.arn = bench.queue()
        self.dead_url, self.dead_arn = bench.queue()
        self.told_url, _ = bench.queue()
        redrive = json.dumps({"deadLetterTargetArn": self.dead_arn, "maxReceiveCount": most})
        attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": str(visibility)}
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes=attributes)
        environment = {"TOLD": self.told_url, "OWN": self.url}
        self.function = bench.function(TELLING, allow("sqs:*"), Environment={"Variables": environment})
        bench.deployer("lambda").invoke(FunctionName=self.function, Payload=b'{"Records": []}')  # starts a worker
        self.map(self.arn, **mapping)

    def map(self, source_arn: str, **mapping: Any) -> None:
        alias = publish(self.bench, self.function, f"live{len(source_arn)}{source_arn[-6:]}".replace("-", ""))
        map_events(
            self.bench, source_arn, alias, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"], **mapping
        )

    def send(self, **ask: Any) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps(ask))

    def told(self, count: int = 1, seconds: float = 40) -> list[Any]:
        return [json.loads(body) for body in self.bench.messages(self.told_url, count, seconds)]

    def is_empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return not any(int(value) for value in found.values())


def test_a_failed_message_comes_back_when_the_function_said_and_not_with_its_queue(bench: Bench) -> None:
    consumer = Consumer(bench, visibility=60)
    consumer.send(do="wait", seconds=3)

    first, second = consumer.told(2)

    assert second["at"] - first["at"] == pytest.approx(3, abs=2)
    assert [each["attributes"]["ApproximateReceiveCount"] for each in (first, second)] == ["1", "2"]


def test_a_message_that_the_function_deletes_is_deleted_once(bench: Bench) -> None:
    consumer = Consumer(bench, visibility=8)  # longer than a worker takes to start on a busy machine
    consumer.send(do="delete")

    assert len(consumer.told()) == 1
    assert eventually(consumer.is_empty, 30)
    assert not consumer.told(seconds=9)


@pytest.mark.parametrize(
    "ask",
    [
        {"do": "name", "failure": "no such message"},
        {"do": "name", "failure": ""},
        {"do": "name", "failure": None},
        {"do": "answer", "answer": {"batchItemFailures": [{"other": "name"}]}},
        {"do": "answer", "answer": {"batchItemFailures": "no list"}},
    ],
)
def test_a_report_that_cannot_be_understood_fails_the_whole_batch(bench: Bench, ask: dict[str, Any]) -> None:
    consumer = Consumer(bench, visibility=2)
    consumer.send(**ask)

    assert len(consumer.told(2)) == 2


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_a_report_of_no_failure_deletes_the_whole_batch(bench: Bench, answer: Any) -> None:
    consumer = Consumer(bench, visibility=1)
    consumer.send(do="answer", answer=answer)

    assert len(consumer.told()) == 1
    assert eventually(consumer.is_empty, 30)


def test_a_dead_letter_tells_where_it_is_from_and_keeps_its_attributes(bench: Bench) -> None:
    consumer = Consumer(bench, visibility=1, most=1)
    archive = Consumer(bench)
    archive.map(consumer.dead_arn)
    attributes = {"type": {"DataType": "String", "StringValue": "x.v1"}}
    body = json.dumps({"do": "name", "failure": ""})
    consumer.sqs.send_message(QueueUrl=consumer.url, MessageBody=body, MessageAttributes=attributes)

    (dead,) = archive.told(seconds=20)

    assert dead["attributes"]["DeadLetterQueueSourceArn"] == consumer.arn
    assert dead["messageAttributes"]["type"]["stringValue"] == "x.v1"
    assert dead["messageAttributes"]["type"]["dataType"] == "String"


def test_a_mapping_runs_no_more_batches_at_once_than_it_may(bench: Bench) -> None:
    consumer = Consumer(bench, visibility=30, ScalingConfig={"MaximumConcurrency": 2})
    client = bench.deployer("lambda")
    (mapping,) = client.list_event_source_mappings(EventSourceArn=consumer.arn)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=1)
    for _ in range(4):
        consumer.send(do="sleep", seconds=2)

    at = sorted(each["at"] for each in consumer.told(4, seconds=30))

    assert at[2] - at[0] >= 1.5
    assert at[3] - at[1] >= 1.5


def test_a_message_may_wait_longer_than_its_queue_says(bench: Bench) -> None:
    consumer = Consumer(bench)
    sent = time.time()
    consumer.sqs.send_message(QueueUrl=consumer.url, MessageBody='{"do": "nothing"}', DelaySeconds=4)

    (told,) = consumer.told()

    assert told["at"] - sent >= 3.9


def test_a_timed_out_invocation_ends_its_worker_and_its_messages_come_back(bench: Bench) -> None:
    consumer = Consumer(bench, visibility=4, most=1)
    client = bench.deployer("lambda")
    client.update_function_configuration(FunctionName=consumer.function, Timeout=1)
    (mapping,) = client.list_event_source_mappings(EventSourceArn=consumer.arn)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], FunctionName=consumer.function)
    consumer.send(do="sleep", seconds=3)

    assert len(consumer.told()) == 1
    assert len(bench.messages(consumer.dead_url, 1, seconds=20)) == 1


def test_deleting_twice_is_no_mistake_and_deleting_nonsense_is(bench: Bench) -> None:
    sqs, (url, _) = bench.deployer("sqs"), bench.queue()
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    (again,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"]
    old, new = message["ReceiptHandle"], again["ReceiptHandle"]

    sqs.delete_message(QueueUrl=url, ReceiptHandle=old)  # it was received again since: it stays
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=new, VisibilityTimeout=30)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=new)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=new)
    batch = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": new}])
    assert [each["Id"] for each in batch["Successful"]] == ["a"]
    assert refusal(lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense")) == "ReceiptHandleIsInvalid"
    gone = {"QueueUrl": url, "ReceiptHandle": new}
    assert refusal(lambda: sqs.change_message_visibility(**gone, VisibilityTimeout=1)) == "InvalidParameterValue"


def test_what_is_over_a_limit_is_refused(bench: Bench) -> None:
    sqs, (url, _) = bench.deployer("sqs"), bench.queue()
    sns = bench.deployer("sns")
    topic = sns.create_topic(Name=bench.name)["TopicArn"]
    bench.later(sns.delete_topic, TopicArn=topic)
    type_ = {"type": {"DataType": "String", "StringValue": "x" * 100}}  # 4 + 6 + 100 bytes
    many = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(11)}

    sqs.send_message(QueueUrl=url, MessageBody="x" * (1_048_576 - 110), MessageAttributes=type_, DelaySeconds=900)
    sns.publish(TopicArn=topic, Message="x" * (262_144 - 110), MessageAttributes=type_)
    over: list[dict[str, Any]] = [
        {"MessageBody": "x" * (1_048_577 - 110), "MessageAttributes": type_},
        {"MessageBody": "x", "MessageAttributes": many},
        {"MessageBody": "x", "DelaySeconds": 901},
    ]
    for message in over:
        code = refusal(lambda message=message: sqs.send_message(QueueUrl=url, **message))  # type: ignore[misc]
        assert code == "InvalidParameterValue"
    too_long = "x" * (262_145 - 110)
    assert refusal(lambda: sns.publish(TopicArn=topic, Message=too_long, MessageAttributes=type_)) == "InvalidParameter"


def test_no_message_is_lost_or_given_to_two_when_many_come_and_go_at_once(bench: Bench) -> None:
    url, _ = bench.queue()
    received, lock, wanted = list[str](), threading.Lock(), 600

    def send(part: int) -> None:
        sqs = bench.deployer("sqs")
        for start in range(part * 200, part * 200 + 200, 10):
            entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(start, start + 10)]
            sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def receive() -> None:
        sqs, idle = bench.deployer("sqs"), 0
        while idle < 3:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            idle = 0 if messages else idle + 1
            with lock:
                received.extend(message["Body"] for message in messages)
            if messages:
                entries = [{"Id": each["Body"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    threads = [threading.Thread(target=send, args=(part,)) for part in range(3)]
    threads += [threading.Thread(target=receive) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(received, key=int) == [str(number) for number in range(wanted)]


def test_an_index_holds_whole_items_that_have_its_keys_and_no_others(bench: Bench) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-indexes-general-sparse-indexes.html."""
    dynamodb = bench.deployer("dynamodb")
    name = f"{bench.name}-sparse"
    keys = ("pk", "unpublished", "unpublished_since")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "unpublished",
                "KeySchema": [
                    {"AttributeName": "unpublished", "KeyType": "HASH"},
                    {"AttributeName": "unpublished_since", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    bench.later(dynamodb.delete_table, TableName=name)

    def item(pk: str, **more: str) -> dict[str, Any]:
        return {key: {"S": value} for key, value in ({"pk": pk, "event": f"event of {pk}"} | more).items()}

    old, new = item("old", unpublished="a", unpublished_since="1"), item("new", unpublished="a", unpublished_since="3")
    for each in (
        old,
        new,
        item("other", unpublished="b", unpublished_since="1"),
        item("none"),
        item("half", unpublished="a"),
    ):
        dynamodb.put_item(TableName=name, Item=each)

    def unpublished() -> list[Any]:
        found: list[Any] = dynamodb.query(
            TableName=name,
            IndexName="unpublished",
            KeyConditionExpression="unpublished = :shard AND unpublished_since < :limit",
            ExpressionAttributeValues={":shard": {"S": "a"}, ":limit": {"S": "2"}},
        )["Items"]
        return found

    assert unpublished() == [old]
    dynamodb.update_item(
        TableName=name, Key={"pk": {"S": "old"}}, UpdateExpression="REMOVE unpublished, unpublished_since"
    )
    assert unpublished() == []
    assert dynamodb.scan(TableName=name, IndexName="unpublished")["Count"] == 2
    assert dynamodb.scan(TableName=name)["Count"] == 5
