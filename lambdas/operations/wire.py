"""The contract's bodies and queries."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field

from operations.audit import AuditEvent, AuditFilter
from operations.model import Attempt, Entry, ErrorReport, Filter, Kind, Letter, State
from operations.texts import attempt_link, error_link
from paygo.http import Paging, WireModel

type Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+$")]
type Reason = Annotated[str, Field(min_length=1, max_length=100)]
type Why = Annotated[str, Field(min_length=3, max_length=500, pattern=r"\S")]
type Cursor = Annotated[str, Field(max_length=1024)]


class DeadLetterQuery(Paging):
    """Which dead letters are listed."""

    service: Name | None = None
    consumer: Name | None = None
    reason: Reason | None = None
    state: State = State.OPEN

    def filter(self) -> Filter:
        """Return which letters are meant."""
        return Filter(service=self.service, consumer=self.consumer, reason=self.reason)


class DeadLetter(WireModel):
    """A dead letter in a list."""

    letter_id: str
    service: str
    consumer: str
    queue: str
    kind: Kind
    state: State
    reason: str
    error: str
    event_type: str | None
    event_id: str | None
    correlation_id: str | None
    first_seen: AwareDatetime
    dead_at: AwareDatetime
    deaths: int
    attempts: int
    log_url: str | None

    @classmethod
    def of(cls, letter: Letter, region: str) -> Self:
        """Return the letter as the contract says it."""
        return cls.model_validate(_listed(letter, region))


class DeadLetterPage(WireModel):
    """A page of dead letters."""

    items: tuple[DeadLetter, ...]
    next_cursor: str | None


class HistoryEntry(WireModel):
    """Something that happened to a dead letter."""

    what: Literal["attempt", "archived", "redriven", "discarded"]
    at: AwareDatetime | None = None
    message_id: str | None = None
    receive_count: int | None = None
    error_type: str | None = None
    error: str | None = None
    place: str | None = None
    request_id: str | None = None
    log_group: str | None = None
    log_stream: str | None = None
    log_url: str | None = None
    by: str | None = None
    source_ip: str | None = None
    reason: str | None = None


class DeadLetterDetail(DeadLetter):
    """A dead letter with its message and its history."""

    body: str | None
    attributes: Mapping[str, str]
    history: tuple[HistoryEntry, ...]

    @classmethod
    def read(cls, letter: Letter, body: str | None, history: Sequence[Entry], region: str) -> Self:
        """Return all that is known of the letter."""
        lines = tuple(line for entry in history for line in _lines(entry, region))
        attributes = {name: attribute.value for name, attribute in letter.attributes.items()}
        return cls.model_validate(_listed(letter, region) | {"body": body, "attributes": attributes, "history": lines})


class Discard(WireModel):
    """Why a dead letter is discarded."""

    reason: Why


class LetterFilter(WireModel):
    """Which dead letters are meant; what is left out may be anything."""

    service: Name | None = None
    consumer: Name | None = None
    reason: Reason | None = None


class Redrives(LetterFilter):
    """Which dead letters are redriven, and how fast."""

    per_second: Annotated[float, Field(ge=0.1, le=100)] = 10
    cursor: Cursor | None = None
    dead_before: Annotated[AwareDatetime | None, Field(strict=True)] = None

    def filter(self, now: datetime) -> Filter:
        """Return which letters are meant: none that dies after this began, or it would have no end."""
        return Filter(
            service=self.service, consumer=self.consumer, reason=self.reason, dead_before=self.dead_before or now
        )


class Discards(WireModel):
    """Which dead letters are discarded, and why."""

    filter: LetterFilter
    reason: Why
    cursor: Cursor | None = None
    dead_before: Annotated[AwareDatetime | None, Field(strict=True)] = None

    def wanted(self, now: datetime) -> Filter:
        """Return which letters are meant: none that dies after this began, since nobody has seen it."""
        return Filter(**self.filter.model_dump(), dead_before=self.dead_before or now)


class Moved(WireModel):
    """What a call did with some dead letters, and how to go on."""

    letter_ids: tuple[str, ...]
    skipped: tuple[str, ...]
    next_cursor: str | None
    dead_before: AwareDatetime


class Report(WireModel):
    """What is known of an error."""

    group: str
    service: str
    function: str
    type: str
    place: str
    count: int
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    notified_at: AwareDatetime | None
    correlation_id: str | None
    request_id: str | None
    log_group: str
    log_stream: str
    log_url: str

    @classmethod
    def of(cls, report: ErrorReport, region: str) -> Self:
        """Return the report as the contract says it."""
        seen = report.latest
        return cls(
            group=report.group,
            service=report.service,
            function=seen.function,
            type=report.type,
            place=report.place,
            count=report.count,
            first_seen=report.first_seen,
            last_seen=report.last_seen,
            notified_at=report.notified_at,
            correlation_id=seen.correlation_id,
            request_id=seen.request_id,
            log_group=seen.log_group,
            log_stream=seen.log_stream,
            log_url=error_link(seen, region),
        )


class ReportPage(WireModel):
    """A page of error reports."""

    items: tuple[Report, ...]
    next_cursor: str | None


class AuditQuery(Paging):
    """Which audit events are listed."""

    day: date | None = None
    household_id: UUID | None = None
    act: Annotated[str | None, Field(min_length=1, max_length=64, pattern=r"^[a-z-]+$")] = None

    def filter(self) -> AuditFilter:
        """Return which events are meant."""
        return AuditFilter(
            day=self.day, household_id=str(self.household_id) if self.household_id else None, act=self.act
        )


class Audited(WireModel):
    """Who did what, when and from where."""

    event_id: str
    act: str
    at: AwareDatetime
    session_id: str | None
    household_id: str | None
    identity_hash: str | None
    registration_id: str | None
    source_ip: str | None
    user_agent: str | None
    correlation_id: str | None
    detail: Mapping[str, str]

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        """Return the event as the contract says it."""
        return cls.model_validate(event.model_dump())


class AuditEventPage(WireModel):
    """A page of audit events."""

    items: tuple[Audited, ...]
    next_cursor: str | None


def _listed(letter: Letter, region: str) -> dict[str, object]:
    last = letter.last_attempt
    return {
        "letter_id": letter.letter_id,
        "service": letter.queue.service,
        "consumer": letter.queue.consumer,
        "queue": letter.queue.name,
        "kind": letter.queue.kind,
        "state": letter.state,
        "reason": letter.reason,
        "error": letter.error,
        "event_type": letter.event_type,
        "event_id": letter.event_id,
        "correlation_id": letter.correlation_id,
        "first_seen": letter.first_seen,
        "dead_at": letter.dead_at,
        "deaths": letter.deaths,
        "attempts": letter.attempts,
        "log_url": attempt_link(last, region) if last else None,
    }


def _lines(entry: Entry, region: str) -> Iterator[HistoryEntry]:
    yield from (_attempt(attempt, region) for attempt in entry.attempts)
    yield HistoryEntry(
        what=entry.what.value,
        at=entry.at,
        message_id=entry.message_id,
        by=entry.by.name if entry.by else None,
        source_ip=entry.by.source_ip if entry.by else None,
        reason=entry.why,
    )


def _attempt(attempt: Attempt, region: str) -> HistoryEntry:
    return HistoryEntry(
        what="attempt",
        at=attempt.at,
        message_id=attempt.message_id,
        receive_count=attempt.receive_count,
        error_type=attempt.error_type,
        error=attempt.error or None,
        place=attempt.place,
        request_id=attempt.request_id,
        log_group=attempt.log_group,
        log_stream=attempt.log_stream,
        log_url=attempt_link(attempt, region),
    )
