"""What operations does: archives dead letters, lets operators mend them, counts, reports errors and tells people.

Nothing is lost when a call dies half way: a letter is archived before its message is deleted, and sent before it is
marked. What may then happen twice is told apart by message ids and versions.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from operations.deaths import LETTER, Death, attempts_key, read_death
from operations.errors import LogBatch, errors_of, group_of
from operations.model import (
    Attempt,
    Contended,
    DeadMessage,
    Entry,
    ErrorReport,
    Filter,
    Kind,
    Letter,
    LetterClosed,
    LetterNotFound,
    LetterPage,
    Notice,
    NoticeRefused,
    NotRedrivable,
    Operator,
    Queue,
    ReportPage,
    SeenError,
    State,
    What,
)

TRIES = 8
"""Writers of one letter, or of one error's report, are few and soon done."""

LONGEST_PAUSE = 0.02
"""Seconds before a report that somebody else counted in is read again; twice that the next time, and so on."""

SECONDS_A_CALL = 10
"""How much of a redrive one call sets going: what is stopped has at most this much still to arrive."""

LETTERS_A_CALL = 100
SCANNED_A_CALL = 1000
"""A filter by reason may skip this many letters before a call answers with what it has, and where to go on."""

COUNTED_AT_ONCE = 500
"""An alarm asks whether there are any, and every minute all are counted: each batch of a flood need not do so too."""

NOTICE_WINDOW = timedelta(hours=1)
"""Operators are told of one error at most once in it."""


class Letters(Protocol):
    """Where dead letters are kept."""

    def find(self, letter_id: str) -> Letter | None:
        """Return the letter."""

    def body(self, letter: Letter) -> str | None:
        """Return what the letter's message said; `None` some time after the letter was closed."""

    def history(self, letter_id: str) -> Sequence[Entry]:
        """Return what happened to the letter, oldest first."""

    def knows(self, letter_id: str, message_id: str) -> bool:
        """Tell whether the message was archived before."""

    def keep(self, letter: Letter, body: str, entry: Entry) -> None:
        """Keep a letter that was not known, with its body; raise `Contended` when it is known."""

    def change(self, before: Letter, after: Letter, entry: Entry, *, body: str | None = None) -> None:
        """Replace the letter; raise `Contended` when it was changed since it was read.

        An open letter comes with its body; that of a closed one is kept for some time only.
        """

    def note(self, letter_id: str, entry: Entry) -> None:
        """Add to the letter's history, whatever its state."""

    def page(self, state: State, within: Filter, *, limit: int, cursor: str | None) -> LetterPage:
        """Return letters of the state, by consumer and age; only the filter's service and consumer surely hold."""

    def open_in(self, queue: Queue) -> Iterator[Letter]:
        """Return the queue's open letters, oldest first."""

    def all_open(self) -> Iterator[Letter]:
        """Return all open letters."""


class Attempts(Protocol):
    """Where consumers leave what became of each attempt."""

    def of(self, queue: str, key: str) -> Sequence[Attempt]:
        """Return the latest attempts at a message, oldest first."""


class Sender(Protocol):
    """What gives a letter's message back to where it came from."""

    def send(self, letter: Letter, body: str, *, delay_seconds: int) -> str:
        """Send it and return its new id; raise `NotRedrivable` for a letter that came from elsewhere."""


class Gauge(Protocol):
    """Where the number of open letters is shown, and the alarms look."""

    def show(self, counts: Mapping[str, int]) -> None:
        """Show the number of open letters of each queue."""


class Reports(Protocol):
    """Where error reports are kept."""

    def find(self, group: str) -> ErrorReport | None:
        """Return the group's report."""

    def write(self, before: ErrorReport | None, after: ErrorReport) -> None:
        """Write the report; raise `Contended` when it was changed since it was read."""

    def page(self, *, limit: int, cursor: str | None) -> ReportPage:
        """Return some of the reports."""


class Notices(Protocol):
    """The topic that reaches the operators."""

    def publish(self, report: ErrorReport) -> None:
        """Tell the topic of an error."""


class Channel(Protocol):
    """A way to tell operators something."""

    def tell(self, notice: Notice) -> None:
        """Tell them; raise `NoticeRefused` when it is not taken."""


def archive(message: DeadMessage, letters: Letters, attempts: Attempts, now: datetime) -> Letter:
    """Keep what a dead-letter queue delivered; a letter that was redriven or discarded and died again is open again."""
    rows = attempts.of(message.queue.source, attempts_key(message)) if message.queue.kind is Kind.QUEUE else ()
    death = read_death(message, rows, now)
    for _ in range(TRIES):
        known = _known(death, letters)
        if known is None:
            try:
                letters.keep(death.letter, death.body, _archived(message, death.attempts, now))
            except Contended:
                continue
            return death.letter
        if letters.knows(known.letter_id, message.message_id):
            return known
        told = {_receive(attempt) for entry in letters.history(known.letter_id) for attempt in entry.attempts}
        fresh = tuple(attempt for attempt in death.attempts if _receive(attempt) not in told)
        again = known.died_again(death.letter, fresh)
        try:
            # With its body, which goes some time after a letter is closed.
            letters.change(known, again, _archived(message, fresh, now), body=death.body)
        except Contended:
            continue
        return again
    raise _contended(message.message_id)


def find(letter_id: str, letters: Letters) -> Letter:
    """Return the letter; raise `LetterNotFound`."""
    found = letters.find(letter_id)
    if found is None:
        raise LetterNotFound(letter_id)
    return found


def list_letters(state: State, wanted: Filter, letters: Letters, *, limit: int, cursor: str | None) -> LetterPage:
    """Return the letters of the state that the filter takes, by consumer and age."""
    found: list[Letter] = []
    scanned = 0
    while True:
        # As many as are missing, so that the cursor stands behind the last one that was taken.
        page = letters.page(state, wanted, limit=limit - len(found), cursor=cursor)
        scanned += limit - len(found)
        found += filter(wanted.takes, page.letters)
        cursor = page.next_cursor
        if cursor is None or len(found) == limit or scanned >= SCANNED_A_CALL:
            return LetterPage(letters=tuple(found), next_cursor=cursor)


def redrive(
    letter_id: str, letters: Letters, sender: Sender, operator: Operator, now: datetime, *, delay_seconds: int = 0
) -> Letter:
    """Send an open letter's message once more, then mark it.

    Raises
    ------
    LetterNotFound, LetterClosed, NotRedrivable
        Then nothing was sent.
    """
    letter = find(letter_id, letters)
    after = letter.moved(State.REDRIVEN)
    body = letters.body(letter)
    if body is None:
        message = f"The body of {letter_id} is gone."
        raise NotRedrivable(message)
    sent = sender.send(letter, body, delay_seconds=delay_seconds)
    entry = Entry(at=now, what=What.REDRIVEN, by=operator, message_id=sent)
    try:
        letters.change(letter, after, entry)
    except Contended:
        # It died again already, which leaves it open, or somebody closed it too; that it was sent is true either way.
        letters.note(letter_id, entry)
        return find(letter_id, letters)
    return after


def discard(letter_id: str, letters: Letters, operator: Operator, why: str, now: datetime) -> Letter:
    """Close an open letter without sending it.

    Raises
    ------
    LetterNotFound, LetterClosed
        Also when it was closed, or died again, in this moment.
    """
    letter = find(letter_id, letters)
    after = letter.moved(State.DISCARDED)
    try:
        letters.change(letter, after, Entry(at=now, what=What.DISCARDED, by=operator, why=why))
    except Contended as error:
        message = f"{letter_id} changed in this moment."
        raise LetterClosed(message) from error
    return after


def redrive_some(
    wanted: Filter,
    letters: Letters,
    sender: Sender,
    operator: Operator,
    now: datetime,
    *,
    per_second: float,
    cursor: str | None,
    wait: Callable[[float], None],
) -> tuple[LetterPage, tuple[str, ...]]:
    """Redrive a page of the open letters that the filter takes, no faster than asked for.

    Returns
    -------
    The letters that were sent, with the cursor of the next page, and the ids of those that could not be.
    """
    limit = max(1, min(LETTERS_A_CALL, int(per_second * SECONDS_A_CALL)))
    page = list_letters(State.OPEN, wanted, letters, limit=limit, cursor=cursor)
    sent: list[Letter] = []
    skipped: list[str] = []
    for place, letter in enumerate(page.letters):
        delay = int(place / per_second)
        if letter.queue.kind is not Kind.QUEUE and place:
            wait(1 / per_second)  # an invocation cannot be delayed as a message can
        try:
            sent.append(redrive(letter.letter_id, letters, sender, operator, now, delay_seconds=delay))
        except (LetterClosed, NotRedrivable):
            skipped.append(letter.letter_id)
    return LetterPage(letters=tuple(sent), next_cursor=page.next_cursor), tuple(skipped)


def discard_some(
    wanted: Filter, letters: Letters, operator: Operator, why: str, now: datetime, *, cursor: str | None
) -> tuple[LetterPage, tuple[str, ...]]:
    """Discard a page of the open letters that the filter takes; return it, and the ids of those that just changed."""
    page = list_letters(State.OPEN, wanted, letters, limit=LETTERS_A_CALL, cursor=cursor)
    discarded: list[Letter] = []
    skipped: list[str] = []
    for letter in page.letters:
        try:
            discarded.append(discard(letter.letter_id, letters, operator, why, now))
        except LetterClosed:
            skipped.append(letter.letter_id)
    return LetterPage(letters=tuple(discarded), next_cursor=page.next_cursor), tuple(skipped)


def show_open(letters: Letters, gauge: Gauge) -> Mapping[str, int]:
    """Show, for every queue that has some, how many letters are open."""
    counts: dict[str, int] = {}
    for letter in letters.all_open():
        counts[letter.queue.name] = counts.get(letter.queue.name, 0) + 1
    gauge.show(counts)
    return counts


def show_open_in(queues: Iterable[Queue], letters: Letters, gauge: Gauge) -> None:
    """Show how many letters of these queues are open, none as well; `COUNTED_AT_ONCE` stand for any more."""
    distinct = {queue.name: queue for queue in queues}
    if distinct:
        gauge.show(
            {name: sum(1 for _ in islice(letters.open_in(queue), COUNTED_AT_ONCE)) for name, queue in distinct.items()}
        )


def report_errors(
    batch: LogBatch,
    stack: str,
    reports: Reports,
    notices: Notices,
    now: datetime,
    *,
    wait: Callable[[float], None],
) -> int:
    """Count the errors of a log's lines, each group in its report, and tell the operators of those not told lately."""
    groups: dict[str, list[SeenError]] = {}
    for error in errors_of(batch, stack):
        groups.setdefault(group_of(error), []).append(error)
    for group, errors in groups.items():
        report, is_due = _count(group, errors, batch.delivery, reports, now, wait=wait)
        if is_due:
            try:
                notices.publish(report)
            except Exception:
                # It was not told, so it is due again; the lines are delivered once more and not counted twice.
                _unclaim(report, reports)
                raise
    return len(groups)


def tell_operators(notice: Notice, channels: Iterable[Channel]) -> None:
    """Tell the operators on every channel; raise `NoticeRefused` after all were tried when one did not take it."""
    refusals = []
    for channel in channels:
        try:
            channel.tell(notice)
        except NoticeRefused as error:
            refusals.append(str(error))
    if refusals:
        raise NoticeRefused(" ".join(refusals))


def _known(death: Death, letters: Letters) -> Letter | None:
    named = death.letter.attributes.get(LETTER)
    if named is not None:
        letter = letters.find(named.value)
        # Anybody may write an attribute: only the same queue's letter with the same body is that letter.
        if letter and (letter.queue.name, letter.body_digest) == (death.letter.queue.name, death.letter.body_digest):
            return letter
    return letters.find(death.letter.letter_id)


def _archived(message: DeadMessage, attempts: tuple[Attempt, ...], now: datetime) -> Entry:
    return Entry(at=now, what=What.ARCHIVED, message_id=message.message_id, attempts=attempts)


def _receive(attempt: Attempt) -> tuple[str, int]:
    return attempt.message_id, attempt.receive_count


def _count(
    group: str,
    errors: Sequence[SeenError],
    delivery: str,
    reports: Reports,
    now: datetime,
    *,
    wait: Callable[[float], None],
) -> tuple[ErrorReport, bool]:
    for attempt in range(TRIES):
        known = reports.find(group)
        is_due = known is None or known.notified_at is None or known.notified_at <= now - NOTICE_WINDOW
        latest = max(errors, key=lambda error: error.at)
        if known is None:
            report = ErrorReport(
                group=group,
                service=latest.service,
                type=latest.type,
                place=latest.place,
                count=len(errors),
                first_seen=min(error.at for error in errors),
                latest=latest,
            )
        else:
            report = known.model_copy(
                update={
                    "count": known.count + (0 if known.delivery == delivery else len(errors)),
                    "latest": max(known.latest, latest, key=lambda error: error.at),
                }
            )
        report = report.model_copy(
            update={"delivery": delivery, "version": report.version + 1} | ({"notified_at": now} if is_due else {})
        )
        try:
            reports.write(known, report)
        except Contended:
            # Each worker has a log of its own, and what is wrong with a partner is in all of them at once.
            wait(random.uniform(0, LONGEST_PAUSE * 2**attempt))  # noqa: S311 (it spreads writes and protects nothing)
            continue
        return report, is_due
    raise _contended(group)


def _unclaim(report: ErrorReport, reports: Reports) -> None:
    try:
        reports.write(report, report.model_copy(update={"notified_at": None, "version": report.version + 1}))
    except Contended:
        return


def _contended(what: str) -> Contended:
    message = f"Something else kept changing {what}: try again."
    return Contended(message)
