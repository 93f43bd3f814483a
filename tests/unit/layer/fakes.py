"""A queue with its dead-letter queue and the service that gives its messages to a function, in a time of their own.

`FakeSqs` keeps to what AWS documents of SQS and runs through the same tests as moto's; `FakeQueue.run` keeps to what
AWS documents of event source mappings.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paygo import batches, composition
from tests.unit.conftest import SETTINGS

BATCH = 10
MAX_RECEIVES = 10
VISIBILITY = timedelta(seconds=90)
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class Killed(BaseException):
    """The worker is gone: no code of its own runs any more."""


@dataclass
class Calls:
    """Counts calls to AWS, and kills the worker before or after one of them."""

    made: int = 0
    kill_before: int | None = None
    kill_after: int | None = None

    @contextmanager
    def one(self) -> Iterator[None]:
        number = self.made
        self.made += 1
        if number == self.kill_before:
            raise Killed
        yield
        if number == self.kill_after:
            raise Killed


@dataclass
class Kept:
    """A message on a queue."""

    message_id: str
    body: str
    attributes: dict[str, Any]
    sent_at: datetime
    visible_at: datetime
    receives: int = 0
    receipt: str = ""

    def record(self) -> dict[str, Any]:
        """The message as a function is given it."""
        return {
            "messageId": self.message_id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": str(self.receives),
                "SentTimestamp": str(int(self.sent_at.timestamp() * 1000)),
            },
            "messageAttributes": {name: _received(value) for name, value in self.attributes.items()},
            "eventSource": "aws:sqs",
        }


@dataclass
class FakeQueue:
    """A standard queue in a time of its own, which stands still while a message is handled."""

    now: datetime = NOW
    messages: list[Kept] = field(default_factory=list)
    dead: list[Kept] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)
    down: bool = False
    sent: int = 0

    def clock(self) -> datetime:
        return self.now

    def send(self, body: str, attributes: dict[str, Any] | None = None, delay: int = 0) -> Kept:
        self.sent += 1
        message = Kept(f"m-{self.sent}", body, attributes or {}, self.now, self.now + timedelta(seconds=delay))
        self.messages.append(message)
        return message

    def receive(self) -> list[Kept]:
        visible = [message for message in self.messages if message.visible_at <= self.now]
        for message in visible:
            if message.receives >= MAX_RECEIVES:
                self.messages.remove(message)
                self.dead.append(message)
        received = [message for message in visible if message.receives < MAX_RECEIVES][:BATCH]
        for message in received:
            message.receives += 1
            message.receipt = f"{message.message_id}-{message.receives}"
            message.visible_at = self.now + VISIBILITY
        return received

    def run(
        self,
        handler: Callable[..., Any],
        context: Any,
        *,
        until: Callable[[], bool] = lambda: False,
        invocations: int = 20_000,
    ) -> None:
        """Give the function all messages until there are none, or until what is waited for has happened."""
        for _ in range(invocations):
            if until() or not self.messages:
                return
            self.now = max(self.now, min(message.visible_at for message in self.messages))
            received = self.receive()
            if not received:
                continue
            try:
                answer = handler({"Records": [message.record() for message in received]}, context)
            except Killed:
                continue
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            for message in received:
                if message.message_id not in failed and message in self.messages:
                    self.messages.remove(message)
        raise AssertionError("There is no end to it.")


class FakeSqs:
    """The part of an SQS client that `paygo.queues.Queue` uses, on `FakeQueue`."""

    def __init__(self, queue: FakeQueue, url: str, dead_url: str) -> None:
        self._queue = queue
        self._urls = {url: queue.messages, dead_url: queue.dead}
        self._dead_url = dead_url

    def send_message(self, **call: Any) -> None:
        with self._call():
            delay = call.get("DelaySeconds", 0)
            assert 0 <= delay <= 900
            assert len(call["MessageAttributes"]) <= 10
            assert all(value.get("StringValue", "binary") for value in call["MessageAttributes"].values())
            message = self._queue.send(call["MessageBody"], call["MessageAttributes"], delay)
            if call["QueueUrl"] == self._dead_url:
                self._queue.messages.remove(message)
                self._queue.dead.append(message)

    def change_message_visibility(self, **call: Any) -> None:
        self.change_message_visibility_batch(QueueUrl=call["QueueUrl"], Entries=[call])

    def change_message_visibility_batch(self, **call: Any) -> None:
        with self._call():
            assert 1 <= len(call["Entries"]) <= 10
            for entry in call["Entries"]:
                assert 0 <= entry["VisibilityTimeout"] <= 43_200
                (message,) = self._received(call["QueueUrl"], entry["ReceiptHandle"])
                message.visible_at = self._queue.now + timedelta(seconds=entry["VisibilityTimeout"])

    def delete_message(self, **call: Any) -> None:
        with self._call():
            for message in self._received(call["QueueUrl"], call["ReceiptHandle"]):
                self._urls[call["QueueUrl"]].remove(message)

    def _received(self, url: str, receipt: str) -> list[Kept]:
        return [message for message in self._urls[url] if message.receipt == receipt]

    @contextmanager
    def _call(self) -> Iterator[None]:
        with self._queue.calls.one():
            if self._queue.down:
                raise ConnectionError("SQS is out of reach")
            yield


@contextmanager
def consumed(queue: FakeQueue) -> Iterator[FakeQueue]:
    """Let it be the queue that consumers consume."""
    with pytest.MonkeyPatch.context() as patched:
        sqs = FakeSqs(queue, SETTINGS["QUEUE_URL"], SETTINGS["DEAD_QUEUE_URL"])
        patched.setattr(composition, "sqs", lambda: sqs)
        patched.setattr(batches, "_now", queue.clock)
        composition.own_queue.cache_clear()
        yield queue
    composition.own_queue.cache_clear()


def _received(attribute: dict[str, Any]) -> dict[str, Any]:
    if "BinaryValue" in attribute:
        return {
            "dataType": attribute["DataType"],
            "binaryValue": base64.b64encode(attribute["BinaryValue"]).decode(),
            "stringListValues": [],
            "binaryListValues": [],
        }
    return {
        "dataType": attribute["DataType"],
        "stringValue": attribute["StringValue"],
        "stringListValues": [],
        "binaryListValues": [],
    }
