"""Dead messages and letters to test with."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.audit import AuditEvent
from operations.deaths import read_death
from operations.model import Attempt, Attribute, DeadMessage, Kind, Letter, Operator, Queue, SeenError

STACK = "paygo-test"
NOW = datetime(2026, 11, 21, 10, 25, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVENT = {
    "specversion": "1.0",
    "id": "event-1",
    "type": "payments.payment-confirmed.v1",
    "correlationid": "request-1",
    "data": {"given_name": "Amina"},
}
KINDS = {
    "ledger/book-payments": Kind.QUEUE,
    "notifications/mail-payments": Kind.QUEUE,
    "devices/answer-credit": Kind.FUNCTION,
    "ledger/publish-outbox": Kind.STREAM,
}
OPERATOR = Operator(name="arn:aws:iam::123456789012:user/operator", source_ip="192.0.2.1")


def queue(place: str = "ledger/book-payments") -> Queue:
    return Queue.named(f"{STACK}-{place.replace('/', '-')}-dead", STACK, KINDS)


def message(
    place: str = "ledger/book-payments",
    *,
    message_id: str = "message-1",
    body: Any = EVENT,
    attributes: dict[str, str] | None = None,
    was_moved: bool = True,
) -> DeadMessage:
    return DeadMessage(
        queue=queue(place),
        message_id=message_id,
        body=body if isinstance(body, str) else json.dumps(body),
        attributes={
            name: Attribute(data_type="String", value=value)
            for name, value in ({"type": "payments.payment-confirmed.v1"} | (attributes or {})).items()
        },
        was_moved=was_moved,
        sent_at=NOW - 20 * MINUTE,
    )


def event(number: int, **other: Any) -> dict[str, Any]:
    return EVENT | {"id": f"event-{number}"} | other


def attempt(count: int, *, message_id: str = "message-1", error_type: str = "CurrencyMismatch") -> Attempt:
    return Attempt(
        message_id=message_id,
        receive_count=count,
        at=NOW - 20 * MINUTE + count * MINUTE,
        error_type=error_type,
        error="The account is in KES.",
        place="ledger/usecases.py:88",
        request_id="invocation-1",
        log_group="/aws/lambda/paygo-test-ledger-book-payments",
        log_stream="2026/11/21/[1]abc",
    )


def letter(place: str = "ledger/book-payments", *, number: int = 1, dead_at: datetime = NOW, **other: Any) -> Letter:
    dead = message(place, message_id=f"message-{number}", body=event(number), **other)
    return read_death(dead, [attempt(10, message_id=dead.message_id)], dead_at).letter


def seen_error(**other: Any) -> SeenError:
    values: dict[str, Any] = {
        "service": "ledger",
        "function": "book-payments",
        "type": "CurrencyMismatch",
        "place": "ledger/usecases.py:88",
        "at": NOW,
        "log_group": "/aws/lambda/paygo-test-ledger-book-payments",
        "log_stream": "2026/11/21/[1]abc",
        "correlation_id": "request-1",
    }
    return SeenError.model_validate(values | other)


def audit_event(number: int = 1, *, at: datetime = NOW, **other: Any) -> AuditEvent:
    values: dict[str, Any] = {
        "event_id": f"audit-{number}",
        "act": "signed-in",
        "at": at,
        "session_id": "session-1",
        "household_id": "7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01",
        "source_ip": "192.0.2.1",
        "user_agent": "paygo-client/1.0",
        "correlation_id": "request-1",
        "detail": {"kind": "own"},
    }
    return AuditEvent.model_validate(values | other)
