import io
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from pydantic import ValidationError

from paygo import composition
from paygo.events import Event, HouseholdRegistered, RegistrationSubmitted
from paygo.outbox import outbox_key, outbox_write
from paygo.payloads import KEPT_FREE_BYTES, MAX_MESSAGE_BYTES
from paygo.publisher import PUBLISHED_FOR, UNPUBLISHED_FOR, publisher
from paygo.storage import Table, to_attributes
from tests.unit.conftest import LambdaContext
from tests.unit.layer.fakes import Calls, Killed

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


class Topic:
    """An SNS client's `publish`, which can be out of order."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.down = False
        self.refused: set[str] = set()

    @property
    def ids(self) -> list[str]:
        return [json.loads(message["Message"])["id"] for message in self.published]

    def publish(self, **message: Any) -> None:
        if self.down or json.loads(message["Message"])["id"] in self.refused:
            raise RuntimeError("the topic is out of order")
        self.published.append(message)


def submitted(registration_id: str = "r-1", time: datetime = NOW) -> Event[RegistrationSubmitted]:
    return Event[RegistrationSubmitted].about(
        registration_id,
        RegistrationSubmitted(registration_id=registration_id),
        source="/s/identity",
        time=time,
        correlation_id="c-1",
    )


def registered(time: datetime = NOW) -> Event[HouseholdRegistered]:
    household = HouseholdRegistered(household_id="h-1", given_name="Amina", email="amina@example.org")
    return Event[HouseholdRegistered].about("h-1", household, source="/s/identity", time=time, correlation_id="c-1")


def kept(table: Table, event: Event[Any]) -> dict[str, Any]:
    item = table.get(pk=f"OUTBOX#{event.id}", sk="OUTBOX")
    assert item is not None
    return item


def stream_of(table: Table, *events: Event[Any]) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventID": f"e-{place}",
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {"NewImage": to_attributes(kept(table, event)), "SequenceNumber": str(place)},
            }
            for place, event in enumerate(events)
        ]
    }


def test_an_event_is_published_with_its_type_and_marked(table: Table, context: Any) -> None:
    event, topic = submitted(), Topic()
    table.transact([outbox_write(table, event)])

    answer = publisher(table, TOPIC, topic, lambda: NOW)(stream_of(table, event), context)  # type: ignore[arg-type]

    assert answer == {"batchItemFailures": []}
    (message,) = topic.published
    assert message["TopicArn"] == TOPIC
    assert json.loads(message["Message"])["id"] == event.id
    assert message["MessageAttributes"] == {
        "type": {"DataType": "String", "StringValue": "identity.registration-submitted.v1"}
    }
    item = kept(table, event)
    assert item["published_at"] == NOW.isoformat()
    assert item["expires_at"] == int((NOW + PUBLISHED_FOR).timestamp())


def test_what_could_not_be_published_is_reported_and_not_marked(table: Table, context: Any, log: io.StringIO) -> None:
    first, topic = submitted(), Topic()
    table.transact([outbox_write(table, first)])
    topic.down = True

    answer = publisher(table, TOPIC, topic)(stream_of(table, first), context)  # type: ignore[arg-type]

    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert "published_at" not in kept(table, first)
    assert "the topic is out of order" in log.getvalue()


def test_a_record_without_an_image_is_reported(table: Table, context: Any) -> None:
    batch = {"Records": [{"eventID": "e", "eventName": "INSERT", "dynamodb": {"SequenceNumber": "7"}}]}

    answer = publisher(table, TOPIC, Topic())(batch, context)  # type: ignore[arg-type]

    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}


def test_publishing_marks_the_time_of_the_clock(table: Table, context: Any) -> None:
    event = submitted()
    table.transact([outbox_write(table, event)])

    publisher(table, TOPIC, Topic())(stream_of(table, event), context)  # type: ignore[arg-type]

    published_at = datetime.fromisoformat(kept(table, event)["published_at"])
    assert abs(datetime.now(UTC) - published_at) < timedelta(minutes=5)


# Events too large for the topic


def large(length: int) -> Event[RegistrationSubmitted]:
    event = submitted()
    attributes = len("type" + "String" + RegistrationSubmitted.TYPE)
    missing = length - attributes - len(event.model_dump_json())
    return event.model_copy(update={"data": RegistrationSubmitted(registration_id="r-1" + "x" * missing)})


def test_an_event_at_the_limit_is_published_whole(table: Table, context: Any) -> None:
    event, topic = large(MAX_MESSAGE_BYTES - KEPT_FREE_BYTES), Topic()
    table.transact([outbox_write(table, event)])

    publisher(table, TOPIC, topic)(stream_of(table, event), context)  # type: ignore[arg-type]

    assert topic.published[0]["Message"] == event.model_dump_json()


def test_an_event_over_the_limit_is_published_with_a_reference_to_its_data(
    table: Table, context: Any, payloads: str
) -> None:
    event, topic = large(MAX_MESSAGE_BYTES - KEPT_FREE_BYTES + 1), Topic()
    table.transact([outbox_write(table, event)])

    publisher(table, TOPIC, topic)(stream_of(table, event), context)  # type: ignore[arg-type]

    (message,) = topic.published
    content = json.loads(message["Message"])
    assert "data" not in content
    assert content["dataref"] == f"s3://{payloads}/events/{event.id}"
    assert content["id"] == event.id
    assert message["MessageAttributes"]["type"]["StringValue"] == event.type
    assert "published_at" in kept(table, event)


# Sweeps


def test_a_sweep_publishes_what_was_not_marked_for_a_while(table: Table, context: Any, log: io.StringIO) -> None:
    old, young = submitted("old", NOW - UNPUBLISHED_FOR - timedelta(seconds=1)), submitted("young", NOW)
    for event in (old, young):
        table.transact([outbox_write(table, event)])
    topic = Topic()
    sweep = publisher(table, TOPIC, topic, lambda: NOW)  # type: ignore[arg-type]

    assert sweep({"action": "sweep"}, context) == {"published": 1, "failed": [], "finished": True, "after": old.id}
    assert topic.ids == [old.id]
    assert topic.published[0]["MessageAttributes"]["type"]["StringValue"] == old.type
    item = kept(table, old)
    assert item["published_at"] == NOW.isoformat()
    assert not {"unpublished", "unpublished_since"} & set(item)
    assert "A sweep published events that the stream did not" in log.getvalue()


def test_a_sweep_that_finds_nothing_says_nothing(table: Table, context: Any, log: io.StringIO) -> None:
    event, topic = submitted(), Topic()
    table.transact([outbox_write(table, event)])
    handler = publisher(table, TOPIC, topic, lambda: NOW + timedelta(days=2))  # type: ignore[arg-type]
    handler(stream_of(table, event), context)
    log.truncate(0)

    assert handler({"action": "sweep"}, context) == {"published": 0, "failed": [], "finished": True, "after": None}
    assert topic.ids == [event.id]
    assert log.getvalue() == ""


def test_a_sweep_finds_the_events_of_every_shard(table: Table, context: Any) -> None:
    events = [submitted(f"r-{number}", NOW - timedelta(days=3)) for number in range(60)]
    for event in events:
        table.transact([outbox_write(table, event)])
    topic = Topic()

    publisher(table, TOPIC, topic, lambda: NOW)({"action": "sweep"}, context)  # type: ignore[arg-type]

    assert sorted(topic.ids) == sorted(event.id for event in events)


def test_a_sweep_believes_the_table_and_not_its_index(
    table: Table, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, expired = submitted(), submitted()
    table.transact([outbox_write(table, published)])
    topic = Topic()
    handler = publisher(table, TOPIC, topic, lambda: NOW)  # type: ignore[arg-type]
    handler(stream_of(table, published), context)

    def behind(*_: Any) -> Iterator[dict[str, Any]]:
        for event in (published, expired):
            yield {"pk": f"OUTBOX#{event.id}", "sk": "OUTBOX"}

    monkeypatch.setattr(table, "query_index", behind)

    assert handler({"action": "sweep"}, context)["published"] == 0
    assert topic.ids == [published.id]


def test_one_event_that_cannot_be_published_stops_no_other(table: Table, context: Any, log: io.StringIO) -> None:
    events = [submitted(f"r-{number}", NOW - timedelta(hours=1)) for number in range(4)]
    for event in events:
        table.transact([outbox_write(table, event)])
    table.put(
        {
            "pk": "OUTBOX#poison",
            "sk": "OUTBOX",
            "unpublished": "0",
            "unpublished_since": (NOW - 2 * UNPUBLISHED_FOR).isoformat(),
        }
    )
    topic = Topic()
    topic.refused = {events[0].id}

    answer = publisher(table, TOPIC, topic, lambda: NOW)({"action": "sweep"}, context)  # type: ignore[arg-type]

    assert answer["published"] == 3
    assert sorted(answer["failed"]) == sorted([events[0].id, "poison"])
    assert "unpublished" in kept(table, events[0])
    assert "the topic is out of order" in log.getvalue()


def test_the_stream_is_given_less_time_in_a_stack_of_short_delays(
    table: Table, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELAY_SCALE", "0.01")
    event, topic = submitted("old", NOW - timedelta(seconds=7)), Topic()
    table.transact([outbox_write(table, event)])

    publisher(table, TOPIC, topic, lambda: NOW)({"action": "sweep"}, context)  # type: ignore[arg-type]

    assert topic.ids == [event.id]


# Replays


def test_a_replay_publishes_the_events_of_a_time_again_with_the_same_ids(table: Table, context: Any) -> None:
    events = [submitted(f"r-{hour}", NOW + timedelta(hours=hour)) for hour in range(4)]
    for event in events:
        table.transact([outbox_write(table, event)])
    topic = Topic()
    handler = publisher(table, TOPIC, topic, lambda: NOW)  # type: ignore[arg-type]
    handler(stream_of(table, *events), context)
    before, topic.published = topic.published, []

    answer = handler({"action": "replay", "from": "2026-11-21T13:00:00+02:00", "to": "2026-11-21T12:00:00Z"}, context)

    assert answer["published"] == 2
    assert answer["finished"] is True
    assert sorted(topic.ids) == sorted(event.id for event in events[1:3])
    assert all(message in before for message in topic.published)


def test_a_replay_is_narrowed_down_by_type(table: Table, context: Any) -> None:
    other = registered()
    table.transact([outbox_write(table, submitted()), outbox_write(table, other)])
    topic = Topic()

    publisher(table, TOPIC, topic, lambda: NOW)({"action": "replay", "types": [other.type]}, context)  # type: ignore[arg-type]

    assert topic.ids == [other.id]


def test_a_replay_of_ids_publishes_those_and_names_the_ones_it_does_not_find(
    table: Table, context: Any, log: io.StringIO
) -> None:
    events = [submitted() for _ in range(3)]
    for event in events:
        table.transact([outbox_write(table, event)])
    topic = Topic()
    ids = [events[2].id, "unknown", events[0].id]

    answer = publisher(table, TOPIC, topic, lambda: NOW)({"action": "replay", "ids": ids}, context)  # type: ignore[arg-type]

    assert topic.ids == [events[2].id, events[0].id]
    assert answer == {"published": 2, "failed": ["unknown"], "finished": True, "after": events[0].id}
    assert "NotInOutbox" in log.getvalue()


def test_a_replay_leaves_everything_but_the_outbox_alone(table: Table, context: Any) -> None:
    table.put({"pk": "READING#1", "sk": "READING", "occurred_at": "2026-11-21T10:00:00.000000+00:00"})

    answer = publisher(table, TOPIC, Topic())({"action": "replay"}, context)  # type: ignore[arg-type]

    assert (answer["published"], answer["failed"]) == (0, [])


def hurried(events: int) -> Any:
    """A context in which there is time for so many events at once."""
    left = iter([60_000] * events)

    class Hurried(LambdaContext):
        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return next(left, 1_000)

    return Hurried()


@pytest.mark.parametrize("by_ids", [False, True], ids=["of a time", "of ids"])
def test_a_replay_that_runs_out_of_time_says_where_to_go_on(table: Table, by_ids: bool) -> None:
    events = [submitted(f"r-{number}") for number in range(7)]
    for event in events:
        table.transact([outbox_write(table, event)])
    topic = Topic()
    handler = publisher(table, TOPIC, topic, lambda: NOW)  # type: ignore[arg-type]
    request: dict[str, Any] = {"action": "replay"} | ({"ids": [event.id for event in events]} if by_ids else {})

    answers = [handler(request, hurried(0))]
    while not answers[-1]["finished"]:
        answers.append(handler(request | {"after": answers[-1]["after"]}, hurried(3)))

    assert [answer["published"] for answer in answers] == [0, 3, 3, 1]
    assert sorted(topic.ids) == sorted(event.id for event in events)


def test_a_replay_that_runs_out_of_time_where_no_events_are_goes_on_behind_that(table: Table) -> None:
    for number in range(20):
        table.put({"pk": f"READING#{number}", "sk": "READING", "text": "x" * 300_000})
    event, topic = submitted(), Topic()
    table.transact([outbox_write(table, event)])
    handler = publisher(table, TOPIC, topic, lambda: NOW)  # type: ignore[arg-type]

    answers = [handler({"action": "replay"}, hurried(0))]
    while not answers[-1]["finished"]:
        assert len(answers) < 20
        answers.append(handler({"action": "replay", "after": answers[-1]["after"]}, hurried(1)))

    assert len(answers) > 2
    assert set(topic.ids) == {event.id}


def test_an_event_that_expires_while_it_is_published_again_leaves_nothing_behind(table: Table, context: Any) -> None:
    event = submitted()
    table.transact([outbox_write(table, event)])

    class Late(Topic):
        def publish(self, **message: Any) -> None:
            boto3.client("dynamodb").delete_item(TableName=table.name, Key=to_attributes(outbox_key(event.id)))
            super().publish(**message)

    answer = publisher(table, TOPIC, Late(), lambda: NOW)({"action": "replay"}, context)  # type: ignore[arg-type]

    assert answer["published"] == 1
    assert table.get(**outbox_key(event.id)) is None


def test_a_sweep_that_runs_out_of_time_goes_on_with_the_next(table: Table) -> None:
    events = [submitted(f"r-{number}", NOW - timedelta(hours=1)) for number in range(5)]
    for event in events:
        table.transact([outbox_write(table, event)])
    topic = Topic()
    handler = publisher(table, TOPIC, topic, lambda: NOW)  # type: ignore[arg-type]

    assert [handler({"action": "sweep"}, hurried(3))["published"] for _ in range(3)] == [3, 2, 0]
    assert sorted(topic.ids) == sorted(event.id for event in events)


@pytest.mark.parametrize("request_", [{"action": "vanish"}, {"action": "replay", "form": "2026-11-21T10:00:00Z"}])
def test_what_the_publisher_does_not_understand_it_refuses(
    table: Table, context: Any, request_: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        publisher(table, TOPIC, Topic())(request_, context)  # type: ignore[arg-type]


# Crashes


def test_a_publisher_killed_at_any_call_loses_no_event(
    table: Table, context: Any, payloads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads_in_use = composition.payloads()

    class Counted:
        """Whatever it stands for, its calls counted."""

        def __init__(self, real: Any, calls: Calls) -> None:
            self._real, self._calls = real, calls

        def __getattr__(self, name: str) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                with self._calls.one():
                    return getattr(self._real, name)(*args, **kwargs)

            return call

    def play(calls: Calls) -> None:
        events = [submitted(), large(300_000)]
        for event in events:
            table.transact([outbox_write(table, event)])
        topic = Topic()
        stream = stream_of(table, *events)
        with suppress(Killed), monkeypatch.context() as patched:
            patched.setattr(composition, "payloads", lambda: Counted(payloads_in_use, calls))
            publisher(Counted(table, calls), TOPIC, Counted(topic, calls), lambda: NOW)(stream, context)  # type: ignore[arg-type]
        # The stream has stopped for good; only the sweep is left.
        publisher(table, TOPIC, topic, lambda: NOW + timedelta(days=2))({"action": "sweep"}, context)  # type: ignore[arg-type]

        assert set(topic.ids) == {event.id for event in events}
        assert all("unpublished" not in kept(table, event) for event in events)
        data = [message for message in topic.published if "dataref" in message["Message"]]
        assert data
        assert boto3.client("s3").get_object(Bucket=payloads, Key=f"events/{events[1].id}")["ContentLength"] > 290_000

    counted = Calls()
    play(counted)
    assert counted.made == 5
    for number in range(counted.made):
        play(Calls(kill_before=number))
        play(Calls(kill_after=number))
