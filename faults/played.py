"""A fault that was played, and waiting until its events have ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from faults.consumers import Case, Consumer
from faults.stage import DeployedStack
from faults.verdicts import Row, Seen, unsettled

LOOK_AGAIN = 0.5
"""Seconds between two looks at what becomes of events."""
SETTLE_SECONDS = 150
"""How long events may take to end; a killed worker's comes again after the queue's visibility timeout."""

type Look = Callable[[DeployedStack, Sequence[Case]], Mapping[str, Seen]]


@dataclass(frozen=True)
class Played:
    """A fault that was played on a consumer, with the events it was played on.

    Parameters
    ----------
    look
        How to see what became of the events, when that is another way than the consumer's own.
    problem
        Why the fault was not played as it should have been.
    """

    consumer: Consumer
    fault: str
    cases: Sequence[Case]
    note: str = ""
    problem: str = ""
    look: Look | None = None

    def seen(self, stack: DeployedStack) -> Mapping[str, Seen]:
        """Return what became of the events."""
        return (self.look or self.consumer.seen)(stack, self.cases)

    def settled(self, stack: DeployedStack, seconds: float = SETTLE_SECONDS) -> "Played":
        """Wait until every event has ended, or the time is over; the table shows what has not."""
        eventually(lambda: not unsettled(self.seen(stack)), seconds)
        return self

    def row(self, stack: DeployedStack) -> Row:
        """Return the fault's line of the table."""
        return Row.of(self.consumer.name, self.fault, self.seen(stack).values(), self.note, self.problem)


def eventually(is_so: Callable[[], bool], seconds: float) -> bool:
    """Look until it is so; tell whether that came in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_AGAIN)
    return True
