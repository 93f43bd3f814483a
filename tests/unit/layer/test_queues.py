from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from paygo.messages import Message
from paygo.queues import LONGEST_WAIT, REASON_BYTES, Queue, wait_failed, wait_not_ready
from tests.unit.conftest import STACK
from tests.unit.layer.fakes import NOW, FakeQueue, FakeSqs

if TYPE_CHECKING:
    from collections.abc import Callable

URL, DEAD_URL = "https://sqs.example.org/1/queue", "https://sqs.example.org/1/queue-dead"


class MotoSqs:
    """A queue of moto's, seen as the fake is."""

    def __init__(self) -> None:
        self.client = boto3.client("sqs")
        self.url, self.dead_url = (
            self.client.create_queue(QueueName=f"{STACK}-{name}")["QueueUrl"] for name in ("queue", "queue-dead")
        )

    def send(self, body: str) -> dict[str, Any]:
        self.client.send_message(
            QueueUrl=self.url, MessageBody=body, MessageAttributes={"type": {"DataType": "String", "StringValue": "t"}}
        )
        return self.received(self.url)[0]

    def received(self, url: str) -> list[dict[str, Any]]:
        found = self.client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {
                    name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
                    for name, value in message.get("MessageAttributes", {}).items()
                },
            }
            for message in found.get("Messages", [])
        ]

    def waiting(self) -> list[dict[str, Any]]:
        return self.received(self.url)

    def dead(self) -> list[dict[str, Any]]:
        return self.received(self.dead_url)

    def count(self) -> int:
        names: Any = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        found: Any = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


class Fake:
    """The fake, seen as moto's queue is."""

    def __init__(self) -> None:
        self.queue = FakeQueue(now=datetime.now(UTC))
        self.client = FakeSqs(self.queue, URL, DEAD_URL)
        self.url, self.dead_url = URL, DEAD_URL

    def send(self, body: str) -> dict[str, Any]:
        self.queue.send(body, {"type": {"DataType": "String", "StringValue": "t"}})
        return self.waiting()[0]

    def waiting(self) -> list[dict[str, Any]]:
        return [message.record() for message in self.queue.receive()]

    def dead(self) -> list[dict[str, Any]]:
        return [message.record() for message in self.queue.dead]

    def count(self) -> int:
        return len(self.queue.messages)


type Cloud = MotoSqs | Fake


@pytest.fixture(params=[MotoSqs, Fake], ids=["moto", "fake"])
def cloud(request: pytest.FixtureRequest, aws: None) -> Cloud:
    make: Callable[[], Cloud] = request.param
    return make()


@pytest.fixture
def queue(cloud: Cloud) -> Queue:
    return Queue(cloud.client, cloud.url, cloud.dead_url)  # type: ignore[arg-type]


def attributes(record: dict[str, Any]) -> dict[str, str]:
    return {name: value["stringValue"] for name, value in record["messageAttributes"].items()}


def test_a_queue_is_named_by_the_end_of_its_url() -> None:
    assert Queue(None, URL, DEAD_URL).name == "queue"  # type: ignore[arg-type]


def test_a_message_that_is_put_back_says_since_when_how_often_and_why(cloud: Cloud, queue: Queue) -> None:
    message = Message(cloud.send("body"))

    queue.put_back(message, timedelta(0), NOW, reason="no account yet", times_not_ready=3)

    (copy,) = cloud.waiting()
    assert copy["messageId"] != message.message_id
    assert copy["body"] == "body"
    assert attributes(copy) == {
        "type": "t",
        "first-seen": message.first_seen.isoformat(),
        "not-ready": "3",
        "reason": "no account yet",
    }
    assert Message(copy).first_seen == message.first_seen
    assert Message(copy).times_not_ready == 3


def test_a_message_that_is_to_wait_is_not_to_be_seen(cloud: Cloud, queue: Queue) -> None:
    message = Message(cloud.send("body"))

    queue.put_back(message, timedelta(seconds=1.2), NOW, times_not_ready=1)

    assert cloud.waiting() == []
    assert cloud.count() == 2


def test_a_dead_message_carries_its_attributes_and_the_reason(cloud: Cloud, queue: Queue) -> None:
    message = Message(cloud.send("body"))

    queue.bury(message, "not JSON")

    (dead,) = cloud.dead()
    assert dead["body"] == "body"
    assert attributes(dead) == {"type": "t", "reason": "not JSON"}


def test_a_message_may_be_seen_again_at_once(cloud: Cloud, queue: Queue) -> None:
    message = Message(cloud.send("body"))
    assert cloud.waiting() == []

    queue.hide(message, timedelta(0))

    (again,) = cloud.waiting()
    assert again["messageId"] == message.message_id
    assert Message(again).receives == 2


def test_a_deleted_message_is_gone(cloud: Cloud, queue: Queue) -> None:
    message = Message(cloud.send("body"))

    queue.delete(message)

    assert cloud.count() == 0


def test_messages_that_are_separated_are_not_to_be_seen(cloud: Cloud, queue: Queue) -> None:
    messages = [Message(cloud.send("body")) for _ in range(2)]

    queue.separate(messages, timedelta(seconds=10))

    assert cloud.waiting() == []
    assert cloud.count() == 2


def test_separated_messages_come_back_one_by_one() -> None:
    fake = Fake()
    messages = [Message(fake.send(str(place))) for place in range(3)]

    Queue(fake.client, URL, DEAD_URL).separate(messages, timedelta(seconds=10))  # type: ignore[arg-type]

    came = [message.visible_at - fake.queue.now for message in fake.queue.messages]
    assert came == [timedelta(seconds=12), timedelta(seconds=14), timedelta(seconds=16)]


@pytest.mark.parametrize(
    ("wait", "delay", "not_before"),
    [(0, 0, False), (0.1, 1, False), (900, 900, False), (900.001, 900, True), (86_400, 900, True)],
)
def test_a_wait_beyond_what_a_queue_holds_back_is_written_on_the_copy(
    wait: float, delay: int, not_before: bool
) -> None:
    fake = Fake()
    fake.queue.now = NOW
    message = Message(fake.send("body"))

    Queue(fake.client, URL, DEAD_URL).put_back(message, timedelta(seconds=wait), NOW, times_not_ready=1)  # type: ignore[arg-type]

    copy = fake.queue.messages[-1]
    assert copy.visible_at - NOW == timedelta(seconds=delay)
    assert Message(copy.record()).not_before == (NOW + timedelta(seconds=wait) if not_before else None)


def test_a_wait_within_what_a_queue_holds_back_takes_the_later_time_off_the_copy() -> None:
    fake = Fake()
    message = fake.send("body")
    message["messageAttributes"]["not-before"] = {"dataType": "String", "stringValue": NOW.isoformat()}

    Queue(fake.client, URL, DEAD_URL).put_back(Message(message), timedelta(1 / 1440), NOW, times_not_ready=1)  # type: ignore[arg-type]

    assert "not-before" not in fake.queue.messages[-1].attributes


@pytest.mark.parametrize("reason", ["ü" * 2000, "one\ntwo\0three", ""], ids=["long", "unprintable", "empty"])
def test_a_reason_is_made_what_a_queue_takes(cloud: Cloud, queue: Queue, reason: str) -> None:
    queue.bury(Message(cloud.send("body")), reason)

    kept = attributes(cloud.dead()[0])["reason"]
    assert kept
    assert kept.isprintable()
    assert len(kept.encode()) <= REASON_BYTES


def test_what_is_not_ready_waits_longer_each_time_up_to_15_minutes() -> None:
    for times, longest in ((0, 2), (1, 4), (5, 64), (8, 512), (9, 900), (10_000, 900)):
        waits = [wait_not_ready(times).total_seconds() for _ in range(200)]
        assert longest / 2 <= min(waits) < max(waits) <= longest


def test_what_failed_waits_up_to_twice_as_long_each_time() -> None:
    for receives, longest in ((1, 2), (2, 4), (9, 512), (10, LONGEST_WAIT.total_seconds())):
        waits = [wait_failed(receives).total_seconds() for _ in range(200)]
        assert 0 <= min(waits) < longest / 2 < max(waits) <= longest


def test_both_waits_are_in_the_stacks_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELAY_SCALE", "0.01")

    assert wait_not_ready(50) <= LONGEST_WAIT / 100
    assert wait_failed(10) <= LONGEST_WAIT / 100
