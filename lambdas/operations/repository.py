"""Dead letters, attempts, error reports and the audit in DynamoDB.

    LETTER#<id>   LETTER                                         a letter
    LETTER#<id>   BODY#<part>                                    its message, in parts, until 30 days after it is closed
    LETTER#<id>   HISTORY#<time>#<what>#<a new id>               a line of its history, for good
    LETTER#<id>   MESSAGE#<message id>                           a message that was archived, should it come again
    <STATE>       LETTER#<service>/<consumer>#<died at>#<id>     a copy of the letter: OPEN, REDRIVEN or DISCARDED
    REPORTS       REPORT#<group>                                 an error's report, until 30 days after it was seen last

Consumers keep the attempts, in a table of their own:

    <queue>#<event id or message id>   <time>#<receive count>#<message id>

The audit has a table that is only ever added to:

    DAY#<date>         <time>#<event id>   an event, for 400 days
    HOUSEHOLD#<id>     <time>#<event id>   the same event, when it is about a household
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from boto3.dynamodb.conditions import Attr

from operations.audit import AuditEvent, AuditFilter, AuditPage
from operations.deaths import parts
from operations.model import (
    Attempt,
    Contended,
    Entry,
    ErrorReport,
    Filter,
    Letter,
    LetterPage,
    Queue,
    ReportPage,
    State,
    What,
)
from paygo.storage import ABSENT, ConditionFailed, Table, TransactionRefused, Write, sortable

KEPT_CLOSED = timedelta(days=30)
"""How long the body of a closed letter is kept: it may hold a person's data."""

REMEMBERED = timedelta(days=30)
"""How long an archived message is: longer than it may wait in a dead-letter queue, 14 days."""

REPORTED = timedelta(days=30)

AUDITED = timedelta(days=400)
"""How long an audit event is kept: a year and some weeks, so that what comes once a year can be compared."""

LATEST = 60
"""How many attempts at one event are read: all of them are one item of its history, and an item may have 400 KB."""

_PAGE = 500
_REPORTS = "REPORTS"
_LETTERS = "LETTER#"
_THIS_MILLENNIUM = "2"
"""DynamoDB takes no empty prefix, and every time begins so."""


class LetterTable:
    """The dead letters of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, letter_id: str) -> Letter | None:
        """Return the letter."""
        item = self._table.get(**_letter_key(letter_id))
        return Letter.model_validate(item) if item else None

    def body(self, letter: Letter) -> str | None:
        """Return what the letter's message said; `None` some time after the letter was closed."""
        texts = [item["text"] for item in _all(self._table, _pk(letter.letter_id), "BODY#") if "text" in item]
        # The parts of a body that expires go one by one.
        return "".join(texts) if len(texts) == letter.body_parts else None

    def history(self, letter_id: str) -> Sequence[Entry]:
        """Return what happened to the letter, oldest first."""
        return tuple(Entry.model_validate(item) for item in _all(self._table, _pk(letter_id), "HISTORY#"))

    def knows(self, letter_id: str, message_id: str) -> bool:
        """Tell whether the message was archived before."""
        return self._table.get(**_message_key(letter_id, message_id)) is not None

    def keep(self, letter: Letter, body: str, entry: Entry) -> None:
        """Keep a letter that was not known, with its body; raise `Contended` when it is known."""
        self._transact(
            [
                self._table.putting({**_letter_key(letter.letter_id), **_content(letter)}, ABSENT),
                self._table.putting({**_state_key(letter), **_content(letter)}),
                *self._parts(letter, body),
                *self._entry(letter.letter_id, entry),
            ]
        )

    def change(self, before: Letter, after: Letter, entry: Entry, *, body: str | None = None) -> None:
        """Replace the letter; raise `Contended` when it was changed since it was read."""
        unchanged = Attr("version").eq(before.version)
        self._transact(
            [
                self._table.putting({**_letter_key(after.letter_id), **_content(after)}, unchanged),
                *([self._table.deleting(_state_key(before))] if _state_key(before) != _state_key(after) else []),
                self._table.putting({**_state_key(after), **_content(after)}),
                *(self._parts(after, body) if body is not None else self._expiring(after, entry.at)),
                *self._entry(after.letter_id, entry),
            ]
        )

    def note(self, letter_id: str, entry: Entry) -> None:
        """Add to the letter's history, whatever its state."""
        self._transact(self._entry(letter_id, entry))

    def page(self, state: State, within: Filter, *, limit: int, cursor: str | None) -> LetterPage:
        """Return letters of the state, by consumer and age; only the filter's service and consumer surely hold."""
        prefix = _LETTERS if within.service is None else f"{_LETTERS}{within.service}/"
        if within.service is not None and within.consumer is not None:
            prefix += f"{within.consumer}#"
        found = self._table.query(state.upper(), prefix=prefix, limit=limit, cursor=cursor)
        return LetterPage(
            letters=tuple(Letter.model_validate(item) for item in found.items), next_cursor=found.next_cursor
        )

    def open_in(self, queue: Queue) -> Iterator[Letter]:
        """Return the queue's open letters, oldest first."""
        prefix = f"{_LETTERS}{queue.service}/{queue.consumer}#"
        return map(Letter.model_validate, _all(self._table, State.OPEN.upper(), prefix))

    def all_open(self) -> Iterator[Letter]:
        """Return all open letters."""
        return map(Letter.model_validate, _all(self._table, State.OPEN.upper(), _LETTERS))

    def _parts(self, letter: Letter, body: str) -> list[Write]:
        return [
            self._table.putting({**_body_key(letter.letter_id, part), "text": text})
            for part, text in enumerate(parts(body))
        ]

    def _expiring(self, letter: Letter, now: datetime) -> list[Write]:
        expires = {"expires_at": int((now + KEPT_CLOSED).timestamp())}
        return [self._table.updating(_body_key(letter.letter_id, part), expires) for part in range(letter.body_parts)]

    def _entry(self, letter_id: str, entry: Entry) -> list[Write]:
        key = {"pk": _pk(letter_id), "sk": f"HISTORY#{sortable(entry.at)}#{entry.what}#{uuid4()}"}
        writes = [self._table.putting({**key, **entry.model_dump(mode="json")}, ABSENT)]
        if entry.what is What.ARCHIVED and entry.message_id is not None:
            remembered = {"expires_at": int((entry.at + REMEMBERED).timestamp())}
            writes.append(self._table.putting({**_message_key(letter_id, entry.message_id), **remembered}, ABSENT))
        return writes

    def _transact(self, writes: Sequence[Write]) -> None:
        try:
            self._table.transact(writes)
        except TransactionRefused as error:
            raise Contended from error


class AttemptTable:
    """The attempts that consumers keep."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, queue: str, key: str) -> Sequence[Attempt]:
        """Return the latest attempts at a message, oldest first."""
        found = self._table.query(f"{queue}#{key}", prefix=_THIS_MILLENNIUM, limit=LATEST, order="descending")
        rows: list[Any] = [*reversed(found.items)]
        return tuple(Attempt.model_validate(row | {"at": row["sk"].partition("#")[0]}) for row in rows)


class ReportTable:
    """The error reports of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, group: str) -> ErrorReport | None:
        """Return the group's report."""
        item = self._table.get(**_report_key(group))
        return ErrorReport.model_validate(item) if item else None

    def write(self, before: ErrorReport | None, after: ErrorReport) -> None:
        """Write the report; raise `Contended` when it was changed since it was read."""
        expires = {"expires_at": int((after.last_seen + REPORTED).timestamp())}
        try:
            self._table.put(
                {**_report_key(after.group), **after.model_dump(mode="json"), **expires},
                ABSENT if before is None else Attr("version").eq(before.version),
            )
        except ConditionFailed as error:
            raise Contended from error

    def page(self, *, limit: int, cursor: str | None) -> ReportPage:
        """Return some of the reports."""
        found = self._table.query(_REPORTS, prefix="REPORT#", limit=limit, cursor=cursor)
        return ReportPage(
            reports=tuple(ErrorReport.model_validate(item) for item in found.items), next_cursor=found.next_cursor
        )


class AuditTable:
    """The audit's table, which nothing is changed in."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def keep(self, event: AuditEvent) -> None:
        """Keep an event, once however often it comes."""
        sk = f"{sortable(event.at)}#{event.event_id}"
        places = [_day(event.at.astimezone(UTC).date())]
        if event.household_id is not None:
            places.append(_household(event.household_id))
        expires = {"expires_at": int((event.at + AUDITED).timestamp())}
        item = {"sk": sk, **event.model_dump(mode="json"), **expires}
        try:
            self._table.transact([self._table.putting({"pk": pk, **item}, ABSENT) for pk in places])
        except TransactionRefused:
            return  # all of it is there already

    def page(self, wanted: AuditFilter, today: date, *, limit: int, cursor: str | None) -> AuditPage:
        """Return events of a household, of a day or of both, newest first."""
        if wanted.household_id is None:
            pk, prefix = _day(wanted.day or today), _THIS_MILLENNIUM
        else:
            pk = _household(wanted.household_id)
            prefix = wanted.day.isoformat() if wanted.day else _THIS_MILLENNIUM
        condition = Attr("act").eq(wanted.act) if wanted.act else None
        found = self._table.query(
            pk, prefix=prefix, limit=limit, cursor=cursor, order="descending", condition=condition
        )
        return AuditPage(
            events=tuple(AuditEvent.model_validate(item) for item in found.items), next_cursor=found.next_cursor
        )


def _day(day: date) -> str:
    return f"DAY#{day.isoformat()}"


def _household(household_id: str) -> str:
    return f"HOUSEHOLD#{household_id}"


def _all(table: Table, pk: str, prefix: str) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        page = table.query(pk, prefix=prefix, limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _content(letter: Letter) -> dict[str, Any]:
    return letter.model_dump(mode="json")


def _pk(letter_id: str) -> str:
    return f"LETTER#{letter_id}"


def _letter_key(letter_id: str) -> dict[str, str]:
    return {"pk": _pk(letter_id), "sk": "LETTER"}


def _body_key(letter_id: str, part: int) -> dict[str, str]:
    return {"pk": _pk(letter_id), "sk": f"BODY#{part:03}"}


def _message_key(letter_id: str, message_id: str) -> dict[str, str]:
    return {"pk": _pk(letter_id), "sk": f"MESSAGE#{message_id}"}


def _state_key(letter: Letter) -> dict[str, str]:
    return {
        "pk": letter.state.upper(),
        "sk": f"{_LETTERS}{letter.consumer}#{sortable(letter.dead_at)}#{letter.letter_id}",
    }


def _report_key(group: str) -> dict[str, str]:
    return {"pk": _REPORTS, "sk": f"REPORT#{group}"}
