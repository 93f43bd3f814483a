"""Dead letters, what became of them, and reports of errors."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict


class LetterNotFound(LookupError):
    """There is no dead letter of that id."""


class LetterClosed(Exception):
    """A letter that was redriven or discarded is to be redriven or discarded."""


class NotRedrivable(Exception):
    """A letter came from a queue that nothing here knows how to send to."""


class Contended(Exception):
    """What was read changed before it could be written: read again."""


class NoticeRefused(Exception):
    """A notice to the operators was not taken for delivery."""


class Value(BaseModel):
    """Something that never changes; errors do not repeat its content, which may be a person's."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class State(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


MOVES: Mapping[State, frozenset[State]] = {
    State.OPEN: frozenset({State.REDRIVEN, State.DISCARDED}),
    State.REDRIVEN: frozenset({State.OPEN}),
    State.DISCARDED: frozenset({State.OPEN}),
}
"""Operators close what is open; what dies again is open again, whatever was decided before."""


class Kind(StrEnum):
    """Where a dead letter's like come from, which says how it is redriven."""

    QUEUE = "queue"
    FUNCTION = "function"
    STREAM = "stream"
    OTHER = "other"


class Queue(Value):
    """A dead-letter queue and the consumer that its letters are from."""

    name: str
    service: str
    consumer: str
    kind: Kind

    @property
    def source(self) -> str:
        """The name of the queue, or of the function, that the letters were meant for."""
        return self.name.removesuffix("-dead")

    @classmethod
    def named(cls, name: str, stack: str, kinds: Mapping[str, Kind]) -> Self:
        """Return the queue `<stack>-<service>-<consumer>-dead`; one that `kinds` does not list is of another kind."""
        place = name.removeprefix(f"{stack}-").removesuffix("-dead")
        service, _, consumer = place.partition("-")
        return cls(name=name, service=service, consumer=consumer, kind=kinds.get(f"{service}/{consumer}", Kind.OTHER))


class Attribute(Value):
    """A message's attribute; a binary value is in base64."""

    data_type: str
    value: str


class DeadMessage(Value):
    """A message as a dead-letter queue delivers it."""

    queue: Queue
    message_id: str
    body: str
    attributes: Mapping[str, Attribute]
    was_moved: bool
    """SQS moved it after the last receive; else the consumer, the topic, Lambda or AWS IoT sent it there."""
    sent_at: AwareDatetime


KILLED = "killed or timed out"
"""What is known of a receive that left nothing behind."""


class Attempt(Value):
    """One try to handle a message; a receive that left nothing behind has only its count."""

    message_id: str
    receive_count: int
    at: AwareDatetime | None = None
    error_type: str = KILLED
    error: str = ""
    place: str | None = None
    request_id: str | None = None
    log_group: str | None = None
    log_stream: str | None = None


class Letter(Value):
    """A dead letter without its body, which is read when somebody asks for it."""

    letter_id: str
    queue: Queue
    state: State
    reason: str
    """Few words that letters with the same cause share."""
    error: str
    event_type: str | None
    event_id: str | None
    correlation_id: str | None
    first_seen: AwareDatetime
    dead_at: AwareDatetime
    """When it was archived last."""
    deaths: int
    attempts: int
    """Of all its deaths."""
    last_attempt: Attempt | None
    attributes: Mapping[str, Attribute]
    body_digest: str
    body_parts: int
    version: int
    """Grows with every change."""

    @property
    def consumer(self) -> str:
        """The consumer as operators name it: `ledger/book-payments`."""
        return f"{self.queue.service}/{self.queue.consumer}"

    def moved(self, state: State) -> Self:
        """Return the letter in its next state; raise `LetterClosed` when its own does not allow that."""
        if state not in MOVES[self.state]:
            message = f"{self.letter_id} is {self.state}."
            raise LetterClosed(message)
        return self.model_copy(update={"state": state, "version": self.version + 1})

    def died_again(self, death: Self, attempts: Sequence[Attempt]) -> Self:
        """Return the letter, open again, with what its latest death says; `attempts` are those not counted yet."""
        return death.model_copy(
            update={
                "letter_id": self.letter_id,
                "first_seen": min(self.first_seen, death.first_seen),
                "deaths": self.deaths + 1,
                "attempts": self.attempts + len(attempts),
                "version": self.version + 1,
            }
        )


class What(StrEnum):
    """What can happen to a letter."""

    ARCHIVED = "archived"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


class Operator(Value):
    """Who acts, and from which address."""

    name: str
    source_ip: str


class Entry(Value):
    """A line of a letter's history."""

    at: AwareDatetime
    what: What
    by: Operator | None = None
    why: str | None = None
    message_id: str | None = None
    """Of the message that died, or that was sent."""
    attempts: tuple[Attempt, ...] = ()


class Filter(Value):
    """Which letters are meant; what is not said may be anything."""

    service: str | None = None
    consumer: str | None = None
    reason: str | None = None
    dead_before: AwareDatetime | None = None

    def takes(self, letter: Letter) -> bool:
        """Tell whether the letter is meant."""
        return (
            self.service in {None, letter.queue.service}
            and self.consumer in {None, letter.queue.consumer}
            and self.reason in {None, letter.reason}
            and (self.dead_before is None or letter.dead_at <= self.dead_before)
        )


class LetterPage(Value):
    """Letters, and where to go on."""

    letters: tuple[Letter, ...]
    next_cursor: str | None


def with_gaps(rows: Sequence[Attempt], last: str, receives: int) -> tuple[Attempt, ...]:
    """Return the attempts with one for each receive that left nothing behind.

    Parameters
    ----------
    last
        The message that SQS gave up, which was received `receives` times: after its last row there may be gaps too.
    """
    found: list[Attempt] = []
    for message_id in dict.fromkeys([row.message_id for row in rows if row.message_id != last] + [last]):
        own = {row.receive_count: row for row in rows if row.message_id == message_id}
        highest = max([*own, receives if message_id == last else 0])
        found += [
            own.get(count) or Attempt(message_id=message_id, receive_count=count) for count in range(1, highest + 1)
        ]
    return tuple(found)


class SeenError(Value):
    """An error that a function's log holds."""

    service: str
    function: str
    type: str
    place: str
    at: AwareDatetime
    log_group: str
    log_stream: str
    correlation_id: str | None = None
    request_id: str | None = None


class ErrorReport(Value):
    """What is known of errors of one service, type and place."""

    group: str
    service: str
    type: str
    place: str
    count: int
    first_seen: AwareDatetime
    latest: SeenError
    notified_at: AwareDatetime | None = None
    delivery: str = ""
    """Which delivery was counted last, so that its repetition is not."""
    version: int = 0

    @property
    def last_seen(self) -> datetime:
        """When it happened last."""
        return self.latest.at


class ReportPage(Value):
    """Reports, and where to go on."""

    reports: tuple[ErrorReport, ...]
    next_cursor: str | None


class Notice(Value):
    """What operators are told; the id is the same however often it is sent."""

    notice_id: str
    subject: str
    text: str


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def is_id(value: object) -> bool:
    """Tell whether the value can be an event's id or type; what else stands there is not repeated anywhere."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None
