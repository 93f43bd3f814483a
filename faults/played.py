"""A fault that was played, and waiting until its events have ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from faults.consumers import Case, Consumer
from faults.stage import DeployedStack
from faults.verdicts import Row, Seen, unsettled

LOOK_AGAIN = 2.0
"""Seconds between two looks at what becomes of events; looking costs the stack as much as working."""
SETTLE_SECONDS = 120
"""How long events may take to end; a killed worker's comes again after the queue's visibility timeout."""

type Look = Callable[[DeployedStack, Sequence[Case]], Mapping[str, Seen]]


def no_problem() -> str:
    """Say nothing."""
    return ""


@dataclass(frozen=True)
class Played:
    """A fault that was played on a consumer, with the events it was played on.

    Parameters
    ----------
    problem
        Says why the fault was not played as it should have been, as far as that is known by then.
    look
        How to see what became of the events, when that is another way than the consumer's own.
    """

    consumer: Consumer
    fault: str
    cases: Sequence[Case]
    note: str = ""
    problem: Callable[[], str] = no_problem
    look: Look | None = None

    def seen(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Return what became of the events."""
        return (self.look or self.consumer.seen)(stack, cases)

    def settled(self, stack: DeployedStack, seconds: float = SETTLE_SECONDS) -> "Played":
        """Wait until every event has ended and the fault was played, or the time is over: the table shows it then."""
        left = list(self.cases)

        def is_over() -> bool:
            nonlocal left
            lost = set(unsettled(self.seen(stack, left)))
            left = [case for case in left if case.id in lost]
            return not left and not self.problem()

        if self.cases:
            eventually(is_over, seconds, LOOK_AGAIN)
        return self

    def row(self, seen: Mapping[str, Seen]) -> Row:
        """Return the fault's line of the table, by what was seen of its events and maybe of others."""
        own = [seen[case.id] for case in self.cases]
        return Row.of(self.consumer.name, self.fault, own, self.note, self.problem())


def counted(stack: DeployedStack, played: Sequence[Played]) -> list[Row]:
    """Return the faults' lines of the table: every event is looked at once more, a consumer's all together."""
    alike: dict[object, list[Played]] = {}
    for each in played:
        alike.setdefault(each.look or each.consumer, []).append(each)

    def look(of_one: list[Played]) -> Mapping[str, Seen]:
        return of_one[0].seen(stack, [case for each in of_one for case in each.cases])

    with ThreadPoolExecutor(len(alike)) as pool:
        seen = dict(zip(alike, pool.map(look, alike.values()), strict=True))
    return [each.row(seen[each.look or each.consumer]) for each in played]


def eventually(is_so: Callable[[], bool], seconds: float, pause: float) -> bool:
    """Look until it is so; tell whether that came in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
