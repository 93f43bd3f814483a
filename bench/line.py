"""A topic, a queue, a function and a table in a row, set up by the bench as Terraform sets up a consumer."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import batched
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from bench.cloud import Clients
from bench.figures import NotMeasured
from bench.workshop import ROOT
from paygo.events import Event, PaymentConfirmed

HANDLERS = ROOT / "bench" / "throughput_handlers"

BATCH = 10
MEMORY = 512
TIMEOUT = 15
VISIBILITY = 6 * TIMEOUT
RECEIVES = 10

PUBLISHERS = 4
MESSAGES_A_PUBLISH = 10  # https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
PATIENCE = 120.0
OFTEN = 0.05
"""Seconds between two looks at a queue: each costs the embedded cloud what an event does."""
VERY_OFTEN = 0.001

ASSUMED_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
RIGHTS = (
    "dynamodb:PutItem",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
)


class Line:
    """The resources of one handler, which is a file of `throughput_handlers`."""

    def __init__(self, handler: str, clients: Clients) -> None:
        self.handler = handler
        self.name = f"throughput-{handler}"
        self._dead, self._attempts = f"{self.name}-dead", f"{self.name}-attempts"
        self._published = 0
        self._iam, self._lambda, self._logs = clients("iam"), clients("lambda"), clients("logs")
        self._dynamodb, self._sns, self._sqs = clients("dynamodb"), clients("sns"), clients("sqs")
        identity = clients("sts").get_caller_identity()
        _, self._partition, *_ = identity["Arn"].split(":")
        self._here = f"{self._lambda.meta.region_name}:{identity['Account']}"

    def handle(self, events: Sequence[Event[PaymentConfirmed]]) -> None:
        """Publish events and wait until the queue has none of them any more."""
        batches = list(batched(events, MESSAGES_A_PUBLISH, strict=False))
        with ThreadPoolExecutor(PUBLISHERS) as publishers:
            self._published += sum(publishers.map(self._publish, batches))
        self._wait(self._is_empty, OFTEN)

    def latency(self, event: Event[PaymentConfirmed]) -> float:
        """Publish one event and return the seconds until it could be read from the table."""
        key = {"pk": {"S": f"PAYMENT#{event.data.payment_id}"}, "sk": {"S": "PAYMENT"}}

        def is_written() -> bool:
            return "Item" in self._dynamodb.get_item(TableName=self.name, Key=key, ConsistentRead=True)

        began = time.perf_counter()
        self._published += self._publish((event,))
        self._wait(is_written, VERY_OFTEN)
        return time.perf_counter() - began

    def check(self) -> None:
        """Raise when not each event was written once."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.name, Select="COUNT")
        written = sum(page["Count"] for page in pages)
        if written != self._published:
            message = f"{self.handler}: {self._published} events were published and {written} written."
            raise NotMeasured(message)

    def make(self, layer: Path) -> None:
        """Make everything; `layer` is the built zip."""
        for table in (self.name, self._attempts):
            self._make_table(table)
        dead = self._make_queue(self._dead, {})
        redrive = {"deadLetterTargetArn": self._arn("sqs", self._dead), "maxReceiveCount": RECEIVES}
        self._queue = self._make_queue(self.name, {"RedrivePolicy": json.dumps(redrive)})
        self._topic = self._sns.create_topic(Name=self.name)["TopicArn"]
        self._sns.subscribe(
            TopicArn=self._topic,
            Protocol="sqs",
            Endpoint=self._arn("sqs", self.name),
            Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"type": [PaymentConfirmed.TYPE]})},
        )
        self._make_function(
            layer,
            {
                "TABLE": self.name,
                "STACK": self.name,
                "STAGE": "development",
                "POWERTOOLS_SERVICE_NAME": "bench",
                "LOG_LEVEL": "INFO",
                "QUEUE_URL": self._queue,
                "DEAD_QUEUE_URL": dead,
                "ATTEMPTS_TABLE": self._attempts,
                "PAYLOADS_BUCKET": self.name,  # no event of the bench is too large
                "DELAY_SCALE": "1",
            },
        )
        self._lambda.create_event_source_mapping(
            EventSourceArn=self._arn("sqs", self.name),
            FunctionName=self.name,
            BatchSize=BATCH,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )

    def remove(self) -> None:
        """Remove everything, and whatever an earlier line of this name has left."""
        for mapping in self._lambda.list_event_source_mappings()["EventSourceMappings"]:
            if mapping["EventSourceArn"] == self._arn("sqs", self.name):
                self._lambda.delete_event_source_mapping(UUID=mapping["UUID"])
        _quietly(self._lambda.delete_function, FunctionName=self.name)
        for version in self._lambda.list_layer_versions(LayerName=self.name)["LayerVersions"]:
            self._lambda.delete_layer_version(LayerName=self.name, VersionNumber=version["Version"])
        _quietly(self._logs.delete_log_group, logGroupName=f"/aws/lambda/{self.name}")
        _quietly(self._iam.delete_role_policy, RoleName=self.name, PolicyName=self.name)
        _quietly(self._iam.delete_role, RoleName=self.name)
        for subscription in self._sns.get_paginator("list_subscriptions").paginate().search("Subscriptions[]"):
            if subscription["TopicArn"] == self._arn("sns", self.name):
                self._sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        self._sns.delete_topic(TopicArn=self._arn("sns", self.name))
        for queue in (self.name, self._dead):
            with suppress(ClientError):
                self._sqs.delete_queue(QueueUrl=self._sqs.get_queue_url(QueueName=queue)["QueueUrl"])
        for table in (self.name, self._attempts):
            _quietly(self._dynamodb.delete_table, TableName=table)

    def _arn(self, service: str, name: str) -> str:
        return f"arn:{self._partition}:{service}:{self._here}:{name}"

    def _make_table(self, name: str) -> None:
        keys = {"pk": "HASH", "sk": "RANGE"}
        self._dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )

    def _make_queue(self, name: str, more: dict[str, str]) -> str:
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": self._arn("sqs", name),
                    "Condition": {"ArnEquals": {"aws:SourceArn": self._arn("sns", self.name)}},
                }
            ],
        }
        attributes = {"VisibilityTimeout": str(VISIBILITY), "Policy": json.dumps(policy)}
        url: str = self._sqs.create_queue(QueueName=name, Attributes=attributes | more)["QueueUrl"]
        return url

    def _make_function(self, layer: Path, settings: dict[str, str]) -> None:
        role = self._iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps(ASSUMED_BY_LAMBDA))
        rights = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": RIGHTS, "Resource": f"arn:{self._partition}:*:{self._here}:*"}],
        }
        self._iam.put_role_policy(RoleName=self.name, PolicyName=self.name, PolicyDocument=json.dumps(rights))
        published = self._lambda.publish_layer_version(LayerName=self.name, Content={"ZipFile": layer.read_bytes()})
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.write(HANDLERS / f"{self.handler}.py", f"{self.handler}.py")
        self._logs.create_log_group(logGroupName=f"/aws/lambda/{self.name}")
        self._lambda.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler=f"{self.handler}.handler",
            Code={"ZipFile": code.getvalue()},
            Layers=[published["LayerVersionArn"]],
            MemorySize=MEMORY,
            Timeout=TIMEOUT,
            Environment={"Variables": settings},
        )
        self._lambda.get_waiter("function_active_v2").wait(FunctionName=self.name)

    def _publish(self, events: Sequence[Event[PaymentConfirmed]]) -> int:
        answer = self._sns.publish_batch(
            TopicArn=self._topic,
            PublishBatchRequestEntries=[
                {
                    "Id": event.id,
                    "Message": event.model_dump_json(),
                    "MessageAttributes": {"type": {"DataType": "String", "StringValue": event.type}},
                }
                for event in events
            ],
        )
        return len(answer["Successful"])

    def _is_empty(self) -> bool:
        asked = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=asked)["Attributes"]
        return not any(int(found[name]) for name in asked)

    def _wait(self, is_so: Callable[[], bool], often: float) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            if time.monotonic() > deadline:
                message = f"{self.handler}: its events were not all handled within {PATIENCE:.0f} s."
                raise NotMeasured(message)
            time.sleep(often)


def _quietly(remove: Callable[..., Any], **what: str) -> None:
    with suppress(ClientError):
        remove(**what)
