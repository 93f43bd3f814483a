"""What is kept of acts that matter to security, and how a refusal is read from the line that it left in a log."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from pydantic import AwareDatetime

from operations.errors import LogBatch, LogLine
from operations.model import Operator, Value

LONGEST = 256
"""Characters of each fact that are kept: some are a stranger's own words."""

_IDS = ("session_id", "household_id", "identity_hash", "registration_id")
_FACTS = ("act", "source_ip", "user_agent")


class AuditEvent(Value):
    """Who did what, when and from where; the event's id is the same however often it is delivered."""

    event_id: str
    act: str
    at: AwareDatetime
    session_id: str | None = None
    household_id: str | None = None
    identity_hash: str | None = None
    registration_id: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None
    correlation_id: str | None = None
    detail: Mapping[str, str] = {}


class AuditFilter(Value):
    """Which events are meant: a day's, a household's, or those of both; of one act or of all."""

    day: date | None = None
    household_id: str | None = None
    act: str | None = None


class AuditPage(Value):
    """Events, newest first, and where to go on: few or none of them when many others lie between those asked for."""

    events: tuple[AuditEvent, ...]
    next_cursor: str | None


class UnreadableRefusal(ValueError):
    """A line says that it is for the audit and is not what such a line must be."""


def refusals_of(batch: LogBatch) -> Iterator[AuditEvent | UnreadableRefusal]:
    """Yield what each line tells of a refusal; a control message tells nothing."""
    if batch.messageType != "DATA_MESSAGE":
        return
    function = batch.logGroup.rpartition("/")[2]
    for line in batch.logEvents:
        try:
            yield _refusal(line, function)
        except (LookupError, TypeError, ValueError, AttributeError):
            # What it says may be a stranger's own words, so it is not repeated.
            yield UnreadableRefusal(line.id)


def act_of_operator(
    event_id: str, act: str, operator: Operator, at: datetime, *, correlation_id: str | None, **detail: str
) -> AuditEvent:
    """Return the event of something that an operator did."""
    return AuditEvent(
        event_id=event_id,
        act=act,
        at=at,
        source_ip=operator.source_ip,
        correlation_id=correlation_id,
        detail={"operator": operator.name, **{name: value[:LONGEST] for name, value in detail.items()}},
    )


def _refusal(line: LogLine, function: str) -> AuditEvent:
    logged = json.loads(line.message)
    told: Mapping[str, Any] = logged["audit"]
    caller: Mapping[str, Any] = told.get("caller") or {}
    known = _texts(told)
    detail = {
        **{name: value for name, value in _texts(caller).items() if name not in _IDS},
        **{name: value for name, value in known.items() if name not in {*_FACTS, "time"}},
        "function": function,
    }
    return AuditEvent(
        event_id=line.id,
        act=known["act"],
        at=datetime.fromtimestamp(line.timestamp / 1000, UTC),
        source_ip=known.get("source_ip"),
        user_agent=known.get("user_agent"),
        correlation_id=_texts(logged).get("correlation_id"),
        detail=detail,
        **{name: value for name, value in _texts(caller).items() if name in _IDS},
    )


def _texts(told: Mapping[str, Any]) -> dict[str, str]:
    return {name: value[:LONGEST] for name, value in told.items() if isinstance(value, str) and value}
