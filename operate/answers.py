"""What the operators' routes answer; fields that a later version adds are ignored."""

from collections.abc import Mapping

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Answer(BaseModel):
    """What every answer has in common."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Letter(Answer):
    """A dead letter."""

    letter_id: str
    service: str
    consumer: str
    queue: str
    kind: str
    state: str
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

    @property
    def place(self) -> str:
        """The consumer, as operators name it."""
        return f"{self.service}/{self.consumer}"


class LetterPage(Answer):
    """A page of dead letters."""

    items: tuple[Letter, ...]
    next_cursor: str | None


class Entry(Answer):
    """Something that happened to a dead letter."""

    what: str
    at: AwareDatetime | None
    message_id: str | None
    receive_count: int | None
    error_type: str | None
    error: str | None
    place: str | None
    request_id: str | None
    log_group: str | None
    log_stream: str | None
    log_url: str | None
    by: str | None
    source_ip: str | None
    reason: str | None


class LetterDetail(Letter):
    """A dead letter with its message and its history."""

    body: str | None
    attributes: Mapping[str, str]
    history: tuple[Entry, ...]


class Moved(Answer):
    """What one call did with some dead letters."""

    letter_ids: tuple[str, ...]
    skipped: tuple[str, ...]
    next_cursor: str | None
    dead_before: AwareDatetime


class Report(Answer):
    """What is known of an error."""

    group: str
    service: str
    function: str
    type: str
    place: str
    count: int
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    correlation_id: str | None
    log_url: str


class ReportPage(Answer):
    """A page of error reports."""

    items: tuple[Report, ...]
    next_cursor: str | None


class Audited(Answer):
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


class AuditPage(Answer):
    """A page of audit events."""

    items: tuple[Audited, ...]
    next_cursor: str | None
