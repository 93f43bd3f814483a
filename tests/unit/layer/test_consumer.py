import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from pydantic import BaseModel

from paygo.consumer import consumer, message_consumer
from paygo.events import Event, HouseholdRegistered, RegistrationSubmitted
from paygo.http import idempotency_store
from paygo.storage import Table

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def submitted(registration_id: str) -> Event[RegistrationSubmitted]:
    return Event[RegistrationSubmitted].about(
        registration_id,
        RegistrationSubmitted(registration_id=registration_id),
        source="/s/identity",
        time=NOW,
        correlation_id=f"c-{registration_id}",
    )


def batch(*bodies: str) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m-{place}", "body": body, "eventSource": "aws:sqs"} for place, body in enumerate(bodies)
        ]
    }


def failed(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_handler_is_given_each_event_of_a_batch(context: Any) -> None:
    seen: list[Event[RegistrationSubmitted]] = []
    events = [submitted("r-1"), submitted("r-2")]

    answer = consumer(RegistrationSubmitted, seen.append)(batch(*(e.model_dump_json() for e in events)), context)

    assert seen == events
    assert failed(answer) == []


def test_only_the_event_that_failed_goes_back(context: Any, log: io.StringIO) -> None:
    def handle(event: Event[RegistrationSubmitted]) -> None:
        if event.data.registration_id == "r-2":
            raise RuntimeError("the bureau is closed")

    bodies = [submitted(f"r-{number}").model_dump_json() for number in (1, 2, 3)]

    assert failed(consumer(RegistrationSubmitted, handle)(batch(*bodies), context)) == ["m-1"]
    assert "the bureau is closed" in log.getvalue()


def test_a_batch_in_which_everything_failed_goes_back_whole(context: Any) -> None:
    def handle(_: Event[RegistrationSubmitted]) -> None:
        raise RuntimeError

    bodies = [submitted(f"r-{number}").model_dump_json() for number in (1, 2)]

    assert failed(consumer(RegistrationSubmitted, handle)(batch(*bodies), context)) == ["m-0", "m-1"]


@pytest.mark.parametrize("body", ["not json", "{}", '{"type": "identity.registration-submitted.v1"}'])
def test_what_is_no_event_is_never_handled(context: Any, body: str) -> None:
    seen: list[Any] = []

    assert failed(consumer(RegistrationSubmitted, seen.append)(batch(body), context)) == ["m-0"]
    assert seen == []


def test_an_event_of_another_type_is_never_handled(context: Any) -> None:
    seen: list[Any] = []
    other = submitted("r-1").model_copy(update={"type": HouseholdRegistered.TYPE})

    assert failed(consumer(RegistrationSubmitted, seen.append)(batch(other.model_dump_json()), context)) == ["m-0"]
    assert seen == []


def test_every_log_line_carries_the_correlation_id(context: Any, log: io.StringIO) -> None:
    consumer(RegistrationSubmitted, lambda _: None)(batch(submitted("r-1").model_dump_json()), context)

    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["correlation_id"] == "c-r-1"
    assert json.loads(line)["event_type"] == "identity.registration-submitted.v1"


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
    assert int(kept["expires_at"]["N"]) > (datetime.now(UTC) + timedelta(days=28)).timestamp()


def test_an_effect_that_failed_is_tried_again(idempotency: Table, context: Any) -> None:
    attempts: list[str] = []

    def handle(event: Event[RegistrationSubmitted]) -> None:
        attempts.append(event.id)
        if len(attempts) == 1:
            raise RuntimeError

    handler = consumer(
        RegistrationSubmitted, handle, once=idempotency_store(idempotency.name, boto3.client("dynamodb"))
    )
    body = submitted("r-1").model_dump_json()

    assert failed(handler(batch(body), context)) == ["m-0"]
    assert failed(handler(batch(body), context)) == []
    assert len(attempts) == 2


def test_a_services_own_messages_are_typed_as_well(context: Any) -> None:
    class Answer(BaseModel):
        outcome: str

    seen: list[Answer] = []

    answer = message_consumer(Answer, seen.append)(batch('{"outcome": "approved"}', '{"outcome": 1}'), context)

    assert seen == [Answer(outcome="approved")]
    assert failed(answer) == ["m-1"]
