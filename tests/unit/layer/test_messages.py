import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from paygo.messages import Message, number, size, text

RECORD: dict[str, Any] = {
    "messageId": "m-1",
    "receiptHandle": "r-1",
    "body": "{}",
    "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1795255200500"},
    "messageAttributes": {},
}


def message(**changes: Any) -> Message:
    return Message(RECORD | changes)


def own(**values: str) -> dict[str, Any]:
    return {name.replace("_", "-"): {"dataType": "String", "stringValue": value} for name, value in values.items()}


def test_a_message_was_first_seen_when_it_was_sent() -> None:
    assert message().first_seen == datetime(2026, 11, 21, 10, 0, 0, 500_000, UTC)


def test_a_copy_was_first_seen_when_the_first_message_was() -> None:
    copy = message(messageAttributes=own(first_seen="2026-11-20T08:00:00+00:00"))

    assert copy.first_seen == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def test_a_message_that_never_came_before_was_ready_and_is_due() -> None:
    assert message().times_not_ready == 0
    assert message().not_before is None
    assert message().receives == 3


def test_a_copy_knows_how_often_it_was_not_ready_and_when_it_is_due() -> None:
    copy = message(messageAttributes=own(not_ready="7", not_before="2026-11-22T00:00:00+00:00"))

    assert copy.times_not_ready == 7
    assert copy.not_before == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "event_id"),
    [
        ('{"id": "e-1"}', "e-1"),
        ('{"id": 7}', "m-1"),
        ('{"id": ""}', "m-1"),
        ("{}", "m-1"),
        ("[]", "m-1"),
        ("no", "m-1"),
    ],
)
def test_a_message_is_named_after_its_event_where_it_holds_one(body: str, event_id: str) -> None:
    assert message(body=body).event_id == event_id


def test_attributes_are_sent_as_they_were_received() -> None:
    received = own(type="t") | {"raw": {"dataType": "Binary", "binaryValue": base64.b64encode(b"\0\1").decode()}}

    assert message(messageAttributes=received).attributes() == {
        "type": {"DataType": "String", "StringValue": "t"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\0\1"},
    }


def test_a_messages_size_counts_names_types_and_values_in_bytes() -> None:
    attributes = {"type": text("é"), "n": number(12), "b": {"DataType": "Binary", "BinaryValue": b"123"}}

    assert size(json.dumps("ü", ensure_ascii=False), attributes) == 4 + (4 + 6 + 2) + (1 + 6 + 2) + (1 + 6 + 3)
