import io
import json
import random
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import boto3
import pytest
from pydantic import BaseModel

from paygo import composition
from paygo.attempts import Attempts
from paygo.consumer import DEADLINE, consumer, message_consumer
from paygo.events import Event, HouseholdRegistered, RegistrationSubmitted
from paygo.http import idempotency_store
from paygo.outcomes import NotReady
from paygo.storage import Table
from tests.unit.conftest import SETTINGS, LambdaContext
from tests.unit.layer.fakes import NOW, Calls, FakeQueue, Killed


def submitted(registration_id: str = "r-1") -> Event[RegistrationSubmitted]:
    return Event[RegistrationSubmitted].about(
        registration_id,
        RegistrationSubmitted(registration_id=registration_id),
        source="/s/identity",
        time=NOW,
        correlation_id=f"c-{registration_id}",
    )


def send(queue: FakeQueue, *registration_ids: str) -> None:
    for registration_id in registration_ids:
        queue.send(submitted(registration_id).model_dump_json(), {"type": string(RegistrationSubmitted.TYPE)})


def string(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def batch(*bodies: str, receives: int = 1) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"m-{place}",
                "receiptHandle": f"r-{place}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1795255200000"},
                "eventSource": "aws:sqs",
            }
            for place, body in enumerate(bodies)
        ]
    }


def failed(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def rows(attempts: Table) -> list[dict[str, Any]]:
    found: Any = boto3.client("dynamodb").scan(TableName=attempts.name)["Items"]
    items = [{name: next(iter(value.values())) for name, value in item.items()} for item in found]
    return sorted(items, key=lambda item: item["sk"])


class Handled:
    """A handler that notes what it was given, and may have to wait or fail first."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.errors: dict[str, list[BaseException]] = {}

    def __call__(self, event: Event[RegistrationSubmitted]) -> None:
        errors = self.errors.get(event.data.registration_id)
        if errors:
            raise errors.pop(0)
        self.ids[event.data.registration_id] += 1


@pytest.fixture
def handled() -> Handled:
    return Handled()


def timed(*left: int) -> Any:
    """A context whose time runs out as it is told to."""
    remaining = list(left)

    class Timed(LambdaContext):
        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return Timed()


# Done


def test_a_handler_is_given_each_event_of_a_batch(context: Any) -> None:
    seen: list[Event[RegistrationSubmitted]] = []
    events = [submitted("r-1"), submitted("r-2")]

    answer = consumer(RegistrationSubmitted, seen.append)(batch(*(e.model_dump_json() for e in events)), context)

    assert seen == events
    assert failed(answer) == []


def test_what_is_done_costs_no_call_beside_the_handlers_own(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for collaborator in ("own_queue", "attempts", "payloads", "sqs", "s3"):
        monkeypatch.setattr(composition, collaborator, lambda: pytest.fail("nobody asked for it"))

    answer = consumer(RegistrationSubmitted, lambda _: None)(batch(submitted().model_dump_json()), context)

    assert failed(answer) == []


def test_every_log_line_carries_the_correlation_id(context: Any, log: io.StringIO) -> None:
    consumer(RegistrationSubmitted, lambda _: None)(batch(submitted("r-1").model_dump_json()), context)

    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["correlation_id"] == "c-r-1"
    assert json.loads(line)["event_type"] == "identity.registration-submitted.v1"


def test_a_services_own_messages_are_typed_as_well(context: Any, queue: FakeQueue) -> None:
    class Answer(BaseModel):
        outcome: str

    seen: list[Answer] = []
    queue.send('{"outcome": "approved"}')
    queue.send('{"outcome": 1}')

    queue.run(message_consumer(Answer, seen.append), context)

    assert seen == [Answer(outcome="approved")]
    (dead,) = queue.dead
    assert dead.attributes == {"reason": string("invalid data: outcome: Input should be a valid string")}


# Not ready


def test_what_is_not_ready_comes_back_as_a_copy_and_spends_no_receive(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("the bureau sleeps")]

    answer = consumer(RegistrationSubmitted, handled)({"Records": [queue.receive()[0].record()]}, context)

    assert failed(answer) == []
    original, copy = queue.messages
    assert copy.body == original.body
    assert copy.receives == 0
    assert copy.attributes == {
        "type": string(RegistrationSubmitted.TYPE),
        "first-seen": string(NOW.isoformat()),
        "not-ready": {"DataType": "Number", "StringValue": "1"},
        "reason": string("the bureau sleeps"),
    }
    assert rows(attempts) == []


def test_what_is_not_ready_50_times_is_handled_when_it_is(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("no account yet") for _ in range(50)]

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert handled.ids == {"r-1": 1}
    assert queue.dead == []
    assert rows(attempts) == []
    # 15 minutes each from the tenth time on: half an hour's wait has become hours, and still no receive is spent.
    assert timedelta(hours=5) < queue.now - NOW < timedelta(hours=11)


def test_waiting_starts_short(queue: FakeQueue, handled: Handled, context: Any) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("no account yet")]

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert queue.now - NOW <= timedelta(seconds=2)


def test_the_handler_says_how_long_to_wait(queue: FakeQueue, handled: Handled, context: Any) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("the circuit is open", timedelta(seconds=77))]

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert queue.now - NOW == timedelta(seconds=77)


def test_a_wait_until_a_time_that_is_over_is_none(queue: FakeQueue, handled: Handled, context: Any) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("no account yet", timedelta(seconds=-5))]

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert (handled.ids, queue.now) == ({"r-1": 1}, NOW)


@pytest.mark.parametrize("hours", [0.25, 0.26, 1, 7.9, 40])
def test_a_wait_longer_than_a_queues_is_a_chain_that_the_handler_does_not_see(
    queue: FakeQueue, context: Any, hours: float
) -> None:
    given: list[datetime] = []
    wait = timedelta(hours=hours)

    def handle(_: Event[RegistrationSubmitted]) -> None:
        given.append(queue.now)
        if len(given) == 1:
            raise NotReady("come back tomorrow", wait)

    send(queue, "r-1")
    queue.run(consumer(RegistrationSubmitted, handle), context)

    assert given[0] == NOW
    assert timedelta(0) <= given[1] - NOW - wait < timedelta(seconds=1)
    assert len(given) == 2
    assert queue.dead == []


def test_a_chain_counts_as_one_time(queue: FakeQueue, context: Any) -> None:
    seen: list[Any] = []

    def handle(_: Event[RegistrationSubmitted]) -> None:
        seen.append(queue.messages[0].attributes.get("not-ready", {}).get("StringValue"))
        if len(seen) < 3:
            raise NotReady("come back tomorrow", timedelta(days=1))

    send(queue, "r-1")
    queue.run(consumer(RegistrationSubmitted, handle), context)

    assert seen == [None, "1", "2"]


def test_past_its_deadline_what_is_not_ready_is_an_error(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("no account yet", timedelta(hours=7)) for _ in range(100)]

    queue.run(consumer(RegistrationSubmitted, handled), context)

    (dead,) = queue.dead
    assert dead.body.find("r-1") > 0
    assert handled.ids == {}
    first, *others = rows(attempts)
    assert first["error"] == "not ready since 2026-11-21T10:00:00+00:00, last: no account yet"
    assert first["error_type"] == "StillNotReady"
    assert datetime.fromisoformat(first["sk"].split("#")[0]) - NOW >= DEADLINE
    assert [int(row["receive_count"]) for row in (first, *others)] == list(range(1, 11))


def test_the_deadline_is_the_consumers_own_and_in_the_stacks_scale(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELAY_SCALE", "0.5")
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("no account yet", timedelta(seconds=60)) for _ in range(100)]

    queue.run(consumer(RegistrationSubmitted, handled, deadline=timedelta(minutes=10)), context)

    times = [datetime.fromisoformat(row["sk"].split("#")[0]) for row in rows(attempts)]
    assert times[0] - NOW == timedelta(minutes=5)


def test_what_becomes_ready_after_its_deadline_is_handled_all_the_same(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("no account yet", timedelta(days=4)), NotReady("no account yet")]

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert handled.ids == {"r-1": 1}
    assert queue.dead == []


def test_a_copy_that_cannot_be_sent_leaves_the_message_where_it_is(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [NotReady("no account yet")]
    queue.down = True
    received = [message.record() for message in queue.receive()]

    answer = consumer(RegistrationSubmitted, handled)({"Records": received}, context)

    assert failed(answer) == ["m-1"]
    assert rows(attempts)[0]["error"] == "SQS is out of reach"
    queue.down = False
    queue.run(consumer(RegistrationSubmitted, handled), context)
    assert handled.ids == {"r-1": 1}


def test_a_copy_is_first_seen_when_the_queue_was_sent_the_message(handled: Handled, context: Any) -> None:
    sqs = boto3.client("sqs")
    sqs.create_queue(QueueName=SETTINGS["QUEUE_URL"].rsplit("/", 1)[-1])
    sqs.send_message(QueueUrl=SETTINGS["QUEUE_URL"], MessageBody=submitted().model_dump_json())
    handled.errors["r-1"] = [NotReady("no account yet", timedelta(0))]
    handler = consumer(RegistrationSubmitted, handled)

    for _ in range(2):
        found: Any = sqs.receive_message(
            QueueUrl=SETTINGS["QUEUE_URL"], AttributeNames=["All"], MessageAttributeNames=["All"]
        )["Messages"]
        records = [
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
            for message in found
        ]
        assert failed(handler({"Records": records}, context)) == []

    assert handled.ids == {"r-1": 1}
    since = datetime.fromisoformat(records[0]["messageAttributes"]["first-seen"]["stringValue"])
    assert abs(datetime.now(NOW.tzinfo) - since) < timedelta(minutes=5)


# Errors


def test_only_the_event_that_failed_goes_back(
    queue: FakeQueue, handled: Handled, context: Any, log: io.StringIO, attempts: Table
) -> None:
    send(queue, "r-1", "r-2", "r-3")
    handled.errors["r-2"] = [RuntimeError("the bureau is closed")]
    received = [message.record() for message in queue.receive()]

    assert failed(consumer(RegistrationSubmitted, handled)({"Records": received}, context)) == ["m-2"]
    assert handled.ids == {"r-1": 1, "r-3": 1}
    assert "the bureau is closed" in log.getvalue()


def test_a_batch_in_which_everything_failed_goes_back_whole(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    send(queue, "r-1", "r-2")
    handled.errors = {"r-1": [RuntimeError()], "r-2": [RuntimeError()]}
    received = [message.record() for message in queue.receive()]

    assert failed(consumer(RegistrationSubmitted, handled)({"Records": received}, context)) == ["m-1", "m-2"]


def test_what_fails_comes_back_later_each_time_and_is_dead_after_ten_receives(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [RuntimeError("the bureau is closed") for _ in range(100)]

    queue.run(consumer(RegistrationSubmitted, handled), context)

    (dead,) = queue.dead
    assert dead.receives == 10
    found = rows(attempts)
    assert [int(row["receive_count"]) for row in found] == list(range(1, 11))
    times = [datetime.fromisoformat(row["sk"].split("#")[0]) for row in found]
    for number, (before, after) in enumerate(pairwise(times)):
        assert after - before <= timedelta(seconds=2 * 2**number)


def test_an_attempt_says_what_went_wrong_where_and_which_log_has_more(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    context.log_group_name, context.log_stream_name = "/aws/lambda/function", "stream"
    event = submitted()
    queue.send(event.model_dump_json())
    handled.errors["r-1"] = [RuntimeError("x" * 3000)]

    queue.run(consumer(RegistrationSubmitted, handled), context, until=lambda: bool(rows(attempts)))

    (row,) = rows(attempts)
    assert row.pop("place").startswith("paygo/")
    assert row == {
        "pk": f"paygo-test-unit-queue#{event.id}",
        "sk": "2026-11-21T10:00:00.000000+00:00#1#m-1",
        "message_id": "m-1",
        "receive_count": "1",
        "error_type": "RuntimeError",
        "error": "x" * 1000,
        "request_id": context.aws_request_id,
        "log_group": "/aws/lambda/function",
        "log_stream": "stream",
        "expires_at": str(int((NOW + timedelta(days=30)).timestamp())),
    }


def test_attempts_that_cannot_be_kept_never_fail_a_batch(
    queue: FakeQueue, handled: Handled, context: Any, log: io.StringIO
) -> None:
    send(queue, "r-1", "r-2")
    handled.errors["r-1"] = [RuntimeError("the bureau is closed")]

    queue.run(consumer(RegistrationSubmitted, handled), context)  # there is no table of attempts

    assert handled.ids == {"r-1": 1, "r-2": 1}
    assert queue.dead == []
    assert "could not write down the attempt" in log.getvalue()


def test_what_cannot_be_delayed_comes_back_when_its_queue_lets_it(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table, log: io.StringIO
) -> None:
    send(queue, "r-1")
    handled.errors["r-1"] = [RuntimeError("the bureau is closed")]
    queue.down = True

    queue.run(consumer(RegistrationSubmitted, handled), context, until=lambda: bool(handled.ids))

    assert queue.now - NOW == timedelta(seconds=90)
    assert "could not delay the message" in log.getvalue()


# Poison


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "invalid data: id: Field required; source: Field required"),
        ("[]", "invalid data: the message: Input should be an object"),
        ('{"type": "identity.registration-submitted.v1"}', "invalid data: id: Field required"),
        (submitted().model_dump_json().replace('"r-1"}', "5}"), "invalid data: data.registration_id: Input should be"),
        ('{"type": "meters.meter-read.v1"}', "unexpected type: meters.meter-read.v1 came where identity.registration"),
        (
            submitted().model_copy(update={"type": HouseholdRegistered.TYPE}).model_dump_json(),
            "unexpected type: identity.household-registered.v1 came where identity.registration-submitted.v1",
        ),
    ],
    ids=["text", "deep", "empty", "list", "no envelope", "data", "unknown type", "other type"],
)
def test_poison_is_dead_at_once_with_its_reason(
    queue: FakeQueue, handled: Handled, context: Any, body: str, reason: str
) -> None:
    queue.send(body, {"type": string("t")})
    send(queue, "r-2")

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert queue.now == NOW
    assert handled.ids == {"r-2": 1}
    (dead,) = queue.dead
    assert dead.body == body
    assert dead.attributes["type"] == string("t")
    assert dead.attributes["reason"]["StringValue"].startswith(reason)


def test_the_reason_of_poison_repeats_none_of_its_values(queue: FakeQueue, context: Any, log: io.StringIO) -> None:
    event = json.loads(submitted().model_dump_json())
    queue.send(json.dumps(event | {"data": {"registration_id": ["amina@example.org"]}, "time": "Amina"}))

    queue.run(consumer(RegistrationSubmitted, lambda _: None), context)

    (dead,) = queue.dead
    for told in (dead.attributes["reason"]["StringValue"], log.getvalue()):
        assert "mina" not in told


def test_poison_that_cannot_be_buried_is_tried_again(
    queue: FakeQueue, handled: Handled, context: Any, attempts: Table
) -> None:
    queue.send("not json")
    queue.down = True
    handler = consumer(RegistrationSubmitted, handled)

    queue.run(handler, context, until=lambda: len(rows(attempts)) > 0)
    assert queue.dead == []
    queue.down = False
    queue.run(handler, context)

    assert [dead.body for dead in queue.dead] == ["not json"]
    assert rows(attempts)[0]["pk"] == "paygo-test-unit-queue#m-1"


def test_an_invalid_value_inside_the_handler_is_an_error_and_no_poison(
    queue: FakeQueue, context: Any, attempts: Table
) -> None:
    def handle(_: Event[RegistrationSubmitted]) -> None:
        RegistrationSubmitted.model_validate({})

    send(queue, "r-1")
    received = [message.record() for message in queue.receive()]

    assert failed(consumer(RegistrationSubmitted, handle)({"Records": received}, context)) == ["m-1"]
    assert queue.dead == []


# Neighbours


def test_a_killer_takes_none_of_its_neighbours_with_it(queue: FakeQueue, handled: Handled, context: Any) -> None:
    for seed in range(30):
        random.seed(seed)
        queue.messages.clear()
        queue.dead.clear()
        handled.ids.clear()
        handled.errors["killer"] = [Killed() for _ in range(100)]
        names = ["killer", *(f"r-{number}" for number in range(9))]
        random.shuffle(names)
        send(queue, *names)

        queue.run(consumer(RegistrationSubmitted, handled), context)

        assert ["killer" in dead.body for dead in queue.dead] == [True]
        assert set(handled.ids) == {f"r-{number}" for number in range(9)}


def test_several_killers_take_none_of_their_neighbours_with_them(
    queue: FakeQueue, handled: Handled, context: Any
) -> None:
    killers = [f"killer-{number}" for number in range(7)]
    handled.errors = {killer: [Killed() for _ in range(100)] for killer in killers}
    send(queue, *killers, "r-1", "r-2", "r-3")

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert len(queue.dead) == 7
    assert set(handled.ids) == {"r-1", "r-2", "r-3"}


def test_suspects_come_after_what_never_came_before_and_are_deleted_at_once(queue: FakeQueue, context: Any) -> None:
    order: list[tuple[str, int]] = []

    def handle(event: Event[RegistrationSubmitted]) -> None:
        order.append((event.data.registration_id, len(queue.messages)))

    send(queue, "old-1", "old-2")
    queue.receive()
    queue.now += timedelta(minutes=5)
    send(queue, "new-1", "new-2")

    queue.run(consumer(RegistrationSubmitted, handle), context)

    assert [name for name, _ in order[:2]] == ["new-1", "new-2"]
    assert [left for _, left in order] == [4, 3, 2, 1]


def test_an_outage_of_the_queue_leaves_the_work_on_suspects_undisturbed(
    queue: FakeQueue, handled: Handled, context: Any, log: io.StringIO
) -> None:
    send(queue, "r-1", "r-2")
    queue.receive()
    queue.now += timedelta(minutes=5)
    queue.down = True

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert handled.ids == {"r-1": 1, "r-2": 1}
    assert "could not separate the messages" in log.getvalue()
    assert "could not delete the message" in log.getvalue()


# Time


def test_what_there_is_no_time_for_goes_back_unspent(queue: FakeQueue, handled: Handled) -> None:
    send(queue, "r-1", "r-2", "r-3")
    received = [message.record() for message in queue.receive()]

    # The second message takes two seconds; with three to spare, 4.9 are not enough for a third.
    answer = consumer(RegistrationSubmitted, handled)({"Records": received}, timed(10_000, 6_900, 4_900))

    assert failed(answer) == []
    assert handled.ids == {"r-1": 1, "r-2": 1}
    copy = queue.messages[-1]
    assert copy.receives == 0
    assert copy.visible_at == NOW
    assert copy.attributes["not-ready"]["StringValue"] == "0"
    assert copy.attributes["first-seen"] == string(NOW.isoformat())
    assert "reason" not in copy.attributes


@pytest.mark.parametrize(("receives", "failures"), [(1, []), (2, ["m-2"])])
def test_what_failed_before_is_begun_past_its_deadline_or_it_would_go_back_for_ever(
    queue: FakeQueue, handled: Handled, attempts: Table, receives: int, failures: list[str]
) -> None:
    send(queue, "r-1", "r-2")
    queue.messages[1].receives = receives - 1
    handled.errors["r-2"] = [ValueError("slow and wrong")]
    queue.now += DEADLINE
    received = [message.record() for message in queue.receive()]

    answer = consumer(RegistrationSubmitted, handled)({"Records": received}, timed(30_000, 1_000))

    assert handled.ids == {"r-1": 1}
    assert failed(answer) == failures


def test_a_slow_message_leaves_the_next_as_much_time_as_it_took(queue: FakeQueue, handled: Handled) -> None:
    send(queue, "r-1", "r-2")
    received = [message.record() for message in queue.receive()]

    consumer(RegistrationSubmitted, handled)({"Records": received}, timed(30_000, 16_000))

    assert handled.ids == {"r-1": 1}


def test_the_first_message_is_begun_however_little_time_there_is(queue: FakeQueue, handled: Handled) -> None:
    send(queue, "r-1")
    received = [message.record() for message in queue.receive()]

    consumer(RegistrationSubmitted, handled)({"Records": received}, timed(100))

    assert handled.ids == {"r-1": 1}


def test_a_consumer_says_how_much_time_its_events_need(queue: FakeQueue, handled: Handled) -> None:
    send(queue, "r-1", "r-2")
    received = [message.record() for message in queue.receive()]

    consumer(RegistrationSubmitted, handled, spare=timedelta(seconds=20))({"Records": received}, timed(30_000, 19_000))

    assert handled.ids == {"r-1": 1}


# Events that refer to their data


def test_data_that_is_kept_elsewhere_is_fetched(
    queue: FakeQueue, handled: Handled, context: Any, payloads: str
) -> None:
    queue.send(composition.payloads().keep(submitted("r-1").model_dump_json()))

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert handled.ids == {"r-1": 1}
    assert queue.dead == []


def test_data_that_cannot_be_fetched_is_tried_again(
    queue: FakeQueue, handled: Handled, context: Any, payloads: str, attempts: Table
) -> None:
    event = submitted("r-1")
    queue.send(composition.payloads().keep(event.model_dump_json()))
    boto3.client("s3").delete_object(Bucket=payloads, Key=f"events/{event.id}")

    queue.run(consumer(RegistrationSubmitted, handled), context, until=lambda: bool(rows(attempts)))

    assert rows(attempts)[0]["error_type"] == "NoSuchKey"
    assert queue.dead == []


def test_data_in_a_foreign_place_is_poison(queue: FakeQueue, handled: Handled, context: Any) -> None:
    event = json.loads(submitted().model_dump_json())
    del event["data"]
    queue.send(json.dumps(event | {"dataref": "s3://another-bucket/events/1"}))

    queue.run(consumer(RegistrationSubmitted, handled), context)

    (dead,) = queue.dead
    assert dead.attributes["reason"] == string(f"The data of the event is not in {SETTINGS['PAYLOADS_BUCKET']}.")


@pytest.mark.parametrize("body", ['{"data": {"dataref": 1}}', '["dataref"]', '"dataref"', '{"dataref"'])
def test_a_message_that_only_mentions_a_reference_is_taken_as_it_is(
    queue: FakeQueue, handled: Handled, context: Any, body: str
) -> None:
    queue.send(body)

    queue.run(consumer(RegistrationSubmitted, handled), context)

    assert len(queue.dead) == 1


# Effects outside our data


def test_an_event_delivered_twice_has_its_outside_effect_once(idempotency: Table, context: Any) -> None:
    seen: list[str] = []
    body = submitted("r-1").model_dump_json()
    handler = consumer(
        RegistrationSubmitted,
        lambda event: seen.append(event.id),
        once=idempotency_store(idempotency.name, boto3.client("dynamodb")),
    )

    assert failed(handler(batch(body, body), context)) == []
    assert failed(handler(batch(body), context)) == []
    assert len(seen) == 1


def test_a_handled_event_is_remembered_for_as_long_as_it_may_come_again(idempotency: Table, context: Any) -> None:
    store = idempotency_store(idempotency.name, boto3.client("dynamodb"))
    handler = consumer(RegistrationSubmitted, lambda _: None, once=store)

    handler(batch(submitted("r-1").model_dump_json()), context)

    (kept,) = boto3.client("dynamodb").scan(TableName=idempotency.name)["Items"]
    remembered_until = datetime.fromtimestamp(int(kept["expires_at"]["N"]), NOW.tzinfo)
    assert remembered_until > datetime.now(NOW.tzinfo) + timedelta(days=28)


@pytest.mark.parametrize("error", [RuntimeError(), NotReady("no contact yet")], ids=["failed", "not ready"])
@pytest.mark.usefixtures("attempts")
def test_an_effect_that_did_not_come_about_is_tried_again(
    queue: FakeQueue, handled: Handled, idempotency: Table, context: Any, error: Exception
) -> None:
    handled.errors["r-1"] = [error]
    send(queue, "r-1")

    queue.run(
        consumer(RegistrationSubmitted, handled, once=idempotency_store(idempotency.name, boto3.client("dynamodb"))),
        context,
    )

    assert handled.ids == {"r-1": 1}


def test_an_event_that_another_worker_has_is_waited_for(
    queue: FakeQueue, idempotency: Table, context: Any, attempts: Table
) -> None:
    store = idempotency_store(idempotency.name, boto3.client("dynamodb"))
    given: list[str] = []
    body = submitted("r-1").model_dump_json()

    def handle(event: Event[RegistrationSubmitted]) -> None:
        given.append(event.id)
        if len(given) == 1:
            # The same event comes to another worker now.
            queue.send(body)
            (received,) = queue.receive()
            assert failed(handler({"Records": [received.record()]}, context)) == []
            queue.messages.remove(received)

    handler = consumer(RegistrationSubmitted, handle, once=store)
    handler(batch(body), context)

    (waiting,) = queue.messages
    assert waiting.attributes["reason"]["StringValue"].startswith("Another worker has the event")
    queue.run(handler, context)
    assert len(given) == 1
    assert rows(attempts) == []


# Crashes


def test_a_worker_killed_at_any_call_loses_nothing_and_doubles_no_effect(
    queue: FakeQueue, context: Any, attempts: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("done", "waits", "fails")
    record = Attempts.record

    def counted_record(*args: Any) -> None:
        with queue.calls.one():
            record(*args)

    monkeypatch.setattr(Attempts, "record", counted_record)

    def play(calls: Calls) -> dict[str, Any]:
        random.seed(0)  # the same calls each time, up to the one that kills
        queue.messages.clear()
        queue.dead.clear()
        queue.calls = calls
        effects: set[str] = set()
        troubles: dict[str, Exception] = {"waits": NotReady("no account yet"), "fails": RuntimeError()}

        def handle(event: Event[RegistrationSubmitted]) -> None:
            name = event.data.registration_id
            trouble = troubles.pop(name, None)
            if trouble:
                raise trouble
            with calls.one():
                effects.add(name)  # conditional on the event, as a service's writes are

        send(queue, *names)
        queue.send("not json")
        queue.run(consumer(RegistrationSubmitted, handle), context)
        return {"effects": effects, "dead": {dead.body for dead in queue.dead}}

    counted = Calls()
    expected = {"effects": set(names), "dead": {"not json"}}
    assert play(counted) == expected
    # A copy, a dead message, a row and its message's delay, three effects, and the deletion of what came a second time.
    assert counted.made >= 8

    for number in range(counted.made):
        assert play(Calls(kill_before=number)) == expected
        assert play(Calls(kill_after=number)) == expected
