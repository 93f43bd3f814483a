"""A function's worker ends itself where a plan says so, and what it calls can be recorded.

Nothing of AWS's: it is how the fault suite crashes functions at every place at which they can.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from faults.kill_points import Kill, KillPoints, Point, handling, points
from tests.conftest import REPOSITORY
from tests.local.conftest import Bench, allow, eventually
from tests.local.test_functions import map_events

# Each message is sent on twice: to a queue for what was begun, and to another for what was done.
RELAY = """
import boto3, os
sqs = boto3.client("sqs")
def handler(event, context):
    print("called")
    for record in event["Records"]:
        sqs.send_message(QueueUrl=os.environ["BEGUN"], MessageBody=record["body"])
        sqs.send_message(QueueUrl=os.environ["DONE"], MessageBody=record["body"])
"""


class Relay:
    """A queue whose consumer can be crashed."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.begun, _ = bench.queue()
        self.done, _ = bench.queue()
        self.queue, arn = bench.queue()
        sqs = bench.deployer("sqs")
        sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"VisibilityTimeout": "2"})
        function = bench.function(
            RELAY, allow("sqs:*"), Environment={"Variables": {"BEGUN": self.begun, "DONE": self.done}}
        )
        self.name = function.rsplit(":", 1)[-1]
        map_events(bench, arn, function, BatchSize=10)

    def send(self, event_id: str) -> str:
        message = self._bench.deployer("sqs").send_message(
            QueueUrl=self.queue, MessageBody=json.dumps({"id": event_id})
        )
        message_id: str = message["MessageId"]
        return message_id

    def arrived(self, queue: str, count: int) -> list[str]:
        return [json.loads(body)["id"] for body in self._bench.messages(queue, count, seconds=20)]


@pytest.fixture
def kill_points() -> Iterator[KillPoints]:
    kept = KillPoints(Path(os.environ.get("PAYGO_HOME") or REPOSITORY / ".paygo") / "cloud")
    yield kept
    kept.clear()


@pytest.fixture
def relay(bench: Bench) -> Relay:
    return Relay(bench)


def test_each_call_of_a_function_is_recorded_with_the_event_it_was_made_for(
    relay: Relay, kill_points: KillPoints
) -> None:
    kill_points.lay(record=[relay.name], subjects=["first", "other"])
    message_id = relay.send("first")

    assert relay.arrived(relay.done, 1) == ["first"]
    made = handling(kill_points.calls(), relay.name, "first")
    assert [(call.n, call.operation, call.message_id) for call in made] == [
        (1, "sqs.SendMessage", message_id),
        (2, "sqs.SendMessage", message_id),
    ]
    assert [str(point) for point in points(made)] == [
        "before sqs.SendMessage 1",
        "after sqs.SendMessage 1",
        "before sqs.SendMessage 2",
        "after sqs.SendMessage 2",
    ]


@pytest.mark.parametrize(
    ("point", "begun", "done"),
    [
        (Point("before", "sqs.SendMessage", 1, "message"), 1, 1),
        (Point("after", "sqs.SendMessage", 1, "message"), 2, 1),
        (Point("before", "sqs.SendMessage", 2, "message"), 2, 1),
        (Point("after", "sqs.SendMessage", 2, "message"), 2, 2),
    ],
)
def test_a_worker_dies_before_or_after_a_call_once_and_its_message_comes_again(
    relay: Relay, kill_points: KillPoints, point: Point, begun: int, done: int
) -> None:
    event_id = str(uuid4())
    kill = Kill.at(point, relay.name, event_id)
    kill_points.lay([kill])
    relay.send(event_id)

    assert relay.arrived(relay.done, done) == [event_id] * done
    assert relay.arrived(relay.begun, begun) == [event_id] * begun
    assert kill_points.killed() == {kill.name}


def test_only_the_planned_event_is_hit_and_its_neighbours_are_handled(relay: Relay, kill_points: KillPoints) -> None:
    kill = Kill.at(Point("after", "sqs.SendMessage", 2, "message"), relay.name, "hit")
    kill_points.lay([kill])
    relay.send("other")

    assert relay.arrived(relay.done, 1) == ["other"]
    assert kill_points.killed() == set()
    relay.send("hit")
    assert eventually(lambda: kill_points.killed() == {kill.name})
    assert relay.arrived(relay.done, 2) == ["hit", "hit"]


def test_a_worker_that_is_wanted_fresh_is_started_anew(bench: Bench, kill_points: KillPoints) -> None:
    source = "import os\ndef handler(event, context):\n    print('called')\n    return os.getpid()\n"
    function = bench.function(source)
    client = bench.deployer("lambda")

    def process() -> int:
        return int(client.invoke(FunctionName=function, Payload=b'{"id": "wanted"}')["Payload"].read())

    first = process()
    assert process() == first
    kill = Kill.at(Point("before", "sqs.SendMessage", 1, "batch"), function.rsplit(":", 1)[-1], "wanted")
    kill_points.lay([kill])
    assert process() != first


def test_without_a_plan_nothing_is_watched(relay: Relay, kill_points: KillPoints) -> None:
    kill_points.clear()
    relay.send("free")

    assert relay.arrived(relay.done, 1) == ["free"]
    assert kill_points.calls() == []
