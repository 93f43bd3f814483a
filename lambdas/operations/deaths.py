"""Reads what a dead-letter queue delivers: consumers' messages, and the records that Lambda and AWS IoT make."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from operations.errors import frames_in, place_of, type_name
from operations.model import KILLED, Attempt, Attribute, DeadMessage, Kind, Letter, State, Value, is_id, with_gaps
from paygo.messages import FIRST_SEEN, NOT_BEFORE, NOT_READY, REASON

RECEIVES = 10
"""After how many SQS gives a message up: the queues' `maxReceiveCount`."""

UNDELIVERED = "not delivered"
"""The reason of what no consumer ever had: the topic gave up handing it to the queue."""

LETTER = "dead-letter"
"""The attribute by which a redriven message that dies again is known, whatever its body is."""

CONSUMERS_OWN = frozenset({FIRST_SEEN, NOT_BEFORE, NOT_READY, REASON})
"""Attributes that a consumer adds; a redriven message starts without them."""

BODY_PART = 75_000
"""Characters that surely fit into one item of 400 KB, whatever their encoding."""

_LETTERS = UUID("8a1cf0a2-6a0e-4b0e-9e1c-5b7d0f9b1f57")


class Death(Value):
    """What one delivery of a dead-letter queue says."""

    letter: Letter
    attempts: tuple[Attempt, ...]
    body: str


def attempts_key(message: DeadMessage) -> str:
    """Return under what the consumer kept the attempts at the message: its event's id or its own."""
    event_id = _json(message.body).get("id")
    return str(event_id) if is_id(event_id) else message.message_id


def read_death(message: DeadMessage, rows: Sequence[Attempt], now: datetime) -> Death:
    """Return the letter that the message makes, as if it had never died before.

    Parameters
    ----------
    rows
        What the consumer kept of the attempts since the letter died last, oldest first.
    """
    told, attempts = _told(message, rows)
    first_seen = message.attributes.get(FIRST_SEEN)
    digest = hashlib.sha256(message.body.encode("utf-8", "surrogatepass")).hexdigest()
    # With its digest: two bodies under one id are two letters, or the first would be lost.
    identity = f"{message.queue.name}\n{told.get('event_id') or message.message_id}\n{digest}"
    return Death(
        letter=Letter(
            letter_id=str(uuid5(_LETTERS, identity)),
            queue=message.queue,
            state=State.OPEN,
            reason=told["reason"][:100],
            error=told["error"][:1000],
            event_type=told.get("event_type"),
            event_id=told.get("event_id"),
            correlation_id=told.get("correlation_id"),
            first_seen=_time(first_seen.value if first_seen else None) or message.sent_at,
            dead_at=now,
            deaths=1,
            attempts=len(attempts),
            last_attempt=attempts[-1] if attempts else None,
            attributes=message.attributes,
            body_digest=digest,
            body_parts=len(parts(message.body)),
            version=1,
        ),
        attempts=attempts,
        body=message.body,
    )


def parts(body: str) -> list[str]:
    """Return the body in pieces that fit into an item each; an empty body is one empty piece."""
    return [body[at : at + BODY_PART] for at in range(0, len(body), BODY_PART)] or [""]


def own_attributes(letter: Letter) -> dict[str, Attribute]:
    """Return the attributes to send the letter's message with: its own, and which letter it was."""
    own = {name: value for name, value in letter.attributes.items() if name not in CONSUMERS_OWN}
    return {**own, LETTER: Attribute(data_type="String", value=letter.letter_id)}


def _told(message: DeadMessage, rows: Sequence[Attempt]) -> tuple[dict[str, Any], tuple[Attempt, ...]]:
    match message.queue.kind:
        case Kind.QUEUE:
            return _of_consumer(message, rows)
        # What publishes a stream also sweeps when it is called, and that fails as calls do.
        case Kind.STREAM if "requestPayload" not in _json(message.body):
            return _of_stream(message), ()
        case Kind.FUNCTION | Kind.STREAM:
            return _of_function(message)
        case _:
            return _of_rule(message), ()


def _of_consumer(message: DeadMessage, rows: Sequence[Attempt]) -> tuple[dict[str, Any], tuple[Attempt, ...]]:
    envelope = _json(message.body)
    # A delayed copy that SQS moved here carries why it was not ready; that is not what it died of.
    why = None if message.was_moved else message.attributes.get(REASON)
    attempts = with_gaps(rows, message.message_id, RECEIVES if message.was_moved else 0)
    told = {
        "event_type": _id(envelope.get("type")),
        "event_id": _id(envelope.get("id")),
        "correlation_id": _id(envelope.get("correlationid")),
    }
    if why is not None:
        reason = why.value.partition(":")[0]
        # The consumer notes no attempt at what it sends here itself, which it did when this came.
        last = Attempt(
            message_id=message.message_id,
            receive_count=1,
            at=message.sent_at,
            error_type=reason,
            error=why.value,
            log_group=f"/aws/lambda/{message.queue.source}",
        )
        return told | {"reason": reason, "error": why.value}, (*attempts, last)
    if not message.was_moved:
        undelivered = f"The topic could not hand it to {message.queue.source}."
        return told | {"reason": UNDELIVERED, "error": undelivered}, attempts
    last = attempts[-1]
    return told | {"reason": last.error_type, "error": last.error or KILLED}, attempts


def _of_function(message: DeadMessage) -> tuple[dict[str, Any], tuple[Attempt, ...]]:
    """Read https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
    record = _json(message.body)
    context, answered = _part(record, "requestContext"), _part(record, "responsePayload")
    reason = type_name(answered["errorType"]) if answered.get("errorType") else _condition(context)
    trace = answered.get("stackTrace")
    attempt = Attempt(
        message_id=message.message_id,
        receive_count=_count(context.get("approximateInvokeCount")),
        at=_time(record.get("timestamp")),
        error_type=reason,
        error=str(answered.get("errorMessage") or "")[:1000],
        place=place_of(frames_in("\n".join(map(str, trace)) if isinstance(trace, list) else ""), message.queue.service),
        request_id=_id(context.get("requestId")),
        log_group=f"/aws/lambda/{message.queue.source}",
    )
    return {"reason": reason, "error": attempt.error or reason}, (attempt,)


def _of_stream(message: DeadMessage) -> dict[str, Any]:
    """Read https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html."""
    record = _json(message.body)
    batch = _part(record, "DDBStreamBatchInfo")
    return {
        "reason": _condition(_part(record, "requestContext")),
        "error": f"{_count(batch.get('batchSize'))} records of {batch.get('shardId') or 'an unknown shard'}, "
        f"from {batch.get('startSequenceNumber')} to {batch.get('endSequenceNumber')}",
    }


def _of_rule(message: DeadMessage) -> dict[str, Any]:
    """Read https://docs.aws.amazon.com/iot/latest/developerguide/rule-error-handling.html."""
    failures = _json(message.body).get("failures")
    failure = failures[0] if isinstance(failures, list) and failures and isinstance(failures[0], dict) else {}
    reason = type_name(failure["failedAction"]) if failure.get("failedAction") else "not from a consumer"
    return {"reason": reason, "error": str(failure.get("errorMessage") or reason)}


def _condition(context: dict[str, Any]) -> str:
    return type_name(context["condition"]) if context.get("condition") else "unreadable record"


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(record: dict[str, Any], name: str) -> dict[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _id(value: object) -> str | None:
    return str(value) if is_id(value) else None


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None
