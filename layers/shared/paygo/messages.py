"""A message as a queue hands it to a function, with what the consumer wrote on it when it came before."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

FIRST_SEEN = "first-seen"
NOT_READY = "not-ready"
NOT_BEFORE = "not-before"
REASON = "reason"
CORRELATION_ID = "correlation-id"

type Attributes = dict[str, Any]
"""A message's attributes, as SQS and SNS take them."""


class Message:
    """One record of a queue's batch; nothing of it is read before it is asked for."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record
        self._attributes: Mapping[str, Mapping[str, str]] = record.get("messageAttributes", {})
        self._system: Mapping[str, str] = record.get("attributes", {})

    @property
    def message_id(self) -> str:
        """Which message it is; a copy has another."""
        return str(self._record["messageId"])

    @property
    def receipt(self) -> str:
        """What proves to the queue that the message was received."""
        return str(self._record["receiptHandle"])

    @property
    def body(self) -> str:
        """What was sent."""
        return str(self._record["body"])

    @property
    def receives(self) -> int:
        """How often the message was received, this time included."""
        return int(self._system.get("ApproximateReceiveCount", 1))

    @property
    def first_seen(self) -> datetime:
        """When the message, or the first of which it is a copy, came to the queue."""
        written = self._own(FIRST_SEEN)
        if written:
            return datetime.fromisoformat(written)
        return datetime.fromtimestamp(int(self._system["SentTimestamp"]) / 1000, UTC)

    @property
    def times_not_ready(self) -> int:
        """How often the message was not ready."""
        return int(self._own(NOT_READY) or 0)

    @property
    def not_before(self) -> datetime | None:
        """When it is to be handled, where that is later than a queue can hold it back."""
        written = self._own(NOT_BEFORE)
        return datetime.fromisoformat(written) if written else None

    @property
    def event_id(self) -> str:
        """The id of the event in the message, or the message's own where it holds none."""
        try:
            found = json.loads(self.body)["id"]
        except (ValueError, KeyError, TypeError):
            return self.message_id
        return found if isinstance(found, str) and found else self.message_id

    @property
    def correlation_id(self) -> str | None:
        """The id that its sender wrote on it; an event carries its own inside."""
        return self._own(CORRELATION_ID)

    def attributes(self) -> Attributes:
        """Return the message's attributes as a copy takes them."""
        return {name: _sent(value) for name, value in self._attributes.items()}

    def _own(self, name: str) -> str | None:
        return self._attributes.get(name, {}).get("stringValue")


def size(body: str, attributes: Attributes) -> int:
    """Return what SNS and SQS count of a message: its body and its attributes' names, types and values, in bytes."""
    return len(body.encode()) + sum(
        len(name.encode())
        + len(value["DataType"].encode())
        + len(value.get("StringValue", "").encode())
        + len(value.get("BinaryValue", b""))
        for name, value in attributes.items()
    )


def text(value: str) -> dict[str, str]:
    """Return an attribute of text."""
    return {"DataType": "String", "StringValue": value}


def number(value: int) -> dict[str, str]:
    """Return an attribute that is a number."""
    return {"DataType": "Number", "StringValue": str(value)}


def _sent(attribute: Mapping[str, str]) -> dict[str, Any]:
    data_type = attribute["dataType"]
    if data_type.startswith("Binary"):
        return {"DataType": data_type, "BinaryValue": base64.b64decode(attribute["binaryValue"])}
    return {"DataType": data_type, "StringValue": attribute["stringValue"]}
