import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paygo.events import Event, RegistrationSubmitted
from paygo.outbox import PUBLISHED_FOR, outbox_write, publisher
from paygo.storage import Table, TransactionRefused, to_attributes

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


class Topic:
    """An SNS client's `publish`, which can be out of order."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.down = False

    def publish(self, **message: Any) -> None:
        if self.down:
            raise RuntimeError("the topic is out of order")
        self.published.append(message)


def submitted() -> Event[RegistrationSubmitted]:
    return Event[RegistrationSubmitted].about(
        "r-1", RegistrationSubmitted(registration_id="r-1"), source="/s/identity", time=NOW, correlation_id="c-1"
    )


def kept(table: Table, event: Event[RegistrationSubmitted]) -> dict[str, Any]:
    item = table.get(pk=f"OUTBOX#{event.id}", sk="OUTBOX")
    assert item is not None
    return item


def stream_of(table: Table, *events: Event[RegistrationSubmitted]) -> dict[str, Any]:
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


def test_an_event_waits_in_the_table_and_never_expires_unpublished(table: Table) -> None:
    event = submitted()

    table.transact([outbox_write(table, event)])

    item = kept(table, event)
    assert Event[RegistrationSubmitted].model_validate_json(item["event"]) == event
    assert "expires_at" not in item


def test_an_event_enters_the_outbox_once(table: Table) -> None:
    event = submitted()
    table.transact([outbox_write(table, event)])

    with pytest.raises(TransactionRefused):
        table.transact([outbox_write(table, event)])


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
