"""What became of each event, reconciled by its id, and what that means."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """How an event ended."""

    DONE = "done once"
    DEAD = "dead with reason"
    LOST = "lost"
    DOUBLED = "doubled"


HARMLESS = frozenset({Verdict.DONE, Verdict.DEAD})


@dataclass(frozen=True, slots=True)
class Seen:
    """What is found of one event.

    Parameters
    ----------
    effects
        How often it has had its effect on our own data; nothing when its effect is outside alone.
    outside
        How often something outside was told with the event's id as idempotency key; nothing when it tells nobody.
    reason
        Why it is among the dead letters, if it is.
    """

    effects: int | None = None
    outside: int | None = None
    reason: str | None = None

    @property
    def verdict(self) -> Verdict:
        """How the event ended; a dead letter without a reason explains nothing, so its event is lost."""
        if self.effects is not None and self.effects > 1:
            return Verdict.DOUBLED
        if self.effects in {None, 1} and (self.outside is None or self.outside >= 1) and not self.is_nothing:
            return Verdict.DONE
        return Verdict.DEAD if self.reason else Verdict.LOST

    @property
    def is_nothing(self) -> bool:
        """Whether nobody looked for any effect, which proves nothing."""
        return self.effects is None and self.outside is None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what a fault did to one consumer's events."""

    consumer: str
    fault: str
    counts: Counter[Verdict] = field(default_factory=Counter)
    note: str = ""
    problem: str = ""
    """Why the fault was not played as it should have been, if it was not."""

    @classmethod
    def of(cls, consumer: str, fault: str, seen: Iterable[Seen], note: str = "", problem: str = "") -> "Row":
        """Count the verdicts."""
        return cls(consumer, fault, Counter(each.verdict for each in seen), note, problem)

    @property
    def events(self) -> int:
        """How many events there were."""
        return self.counts.total()

    @property
    def is_clean(self) -> bool:
        """Whether no event was lost or doubled, and there were any."""
        return self.events > 0 and set(self.counts) <= HARMLESS and not self.problem


def unknown(found: Iterable[str], known: Iterable[str]) -> list[str]:
    """Say which consumers of the stack the suite does not know, and which of those it knows are not there."""
    found, known = set(found), set(known)
    return [
        *(
            f"{name} consumes in the stack and the fault suite does not know it: add it to faults/consumers.py."
            for name in sorted(found - known)
        ),
        *(f"{name} is known to the fault suite and consumes nothing in the stack." for name in sorted(known - found)),
    ]


def unsettled(seen: Mapping[str, Seen]) -> list[str]:
    """Return the ids of the events that have not ended."""
    return [event_id for event_id, each in seen.items() if each.verdict is Verdict.LOST]


def most_in_a_second(times: Iterable[float]) -> int:
    """Return how many of the times (seconds) lie in the fullest second, wherever that begins."""
    ordered = sorted(times)
    most = first = 0
    for last, time in enumerate(ordered):
        while time - ordered[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most
