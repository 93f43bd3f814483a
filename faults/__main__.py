"""Play faults on every consumer of a branch's stack, and print what became of each event.

python -m faults [--soak] [--branch B] [PART ...], where a part is kills, waiting, deliveries, partners or outage.

The exit status is 1 when an event was lost or doubled, a fault could not be played, or the stack has a consumer that
the suite does not know.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from faults import deliveries, kills, outage, partners, waiting
from faults.consumers import CONSUMERS, Consumer
from faults.plan import Plan
from faults.played import Played
from faults.stage import DeployedStack
from faults.table import shown
from faults.verdicts import Row, unknown

TOGETHER = 8
"""Consumers that suffer at the same time: more would only wait for a processor."""

type Scenario = Callable[[], Iterable[Played]]


class Part(StrEnum):
    """What can be played by itself."""

    KILLS = "kills"
    WAITING = "waiting"
    DELIVERIES = "deliveries"
    PARTNERS = "partners"
    OUTAGE = "outage"


class Scale:
    """How much is played."""

    def __init__(self, *, soak: bool) -> None:
        self.events = 20 if soak else 4
        self.outage_events = 10_000 if soak else 300
        self.drain_seconds = 400 if soak else 60
        self.waiting_seconds = 600 if soak else 150


class Suite:
    """The faults of one run, played on one stack."""

    def __init__(self, stack: DeployedStack, scale: Scale, console: Console) -> None:
        self._stack = stack
        self._scale = scale
        self._console = console
        self._plan = Plan(stack.kill_points)
        self._began = time.monotonic()

    def run(self, parts: list[Part]) -> list[Row]:
        """Play the parts, and look at every event once more at the end; what waits long waits beside the others."""
        self._plan.clear()
        with self._stack.mocks, ThreadPoolExecutor(TOGETHER) as pool, ThreadPoolExecutor() as aside:
            beside = aside.submit(self._played, self._waiting) if Part.WAITING in parts else None
            played: list[Played] = []
            if Part.KILLS in parts:
                self._tell("Killing workers")
                played += self._together(pool, self._kills())
            if {Part.DELIVERIES, Part.PARTNERS} & set(parts):
                self._tell("Repeating and shuffling, poisoning, partners failing")
                played += self._together(pool, [*self._deliveries(parts), *self._partners(parts)])
            if Part.OUTAGE in parts:
                self._tell("An hour without a partner")
                played += outage.hour_without_crm(
                    self._stack, self._scale.outage_events, drain_seconds=self._scale.drain_seconds
                )
            self._tell("Waiting for what has not ended")
            if beside:
                played += beside.result()
            list(pool.map(lambda each: each.settled(self._stack), played))
            self._tell("Counting")
            rows = list(pool.map(lambda each: each.row(self._stack), played))
        self._plan.clear()
        return rows

    def _kills(self) -> list[Scenario]:
        return [partial(self._kill, consumer) for consumer in CONSUMERS]

    def _kill(self, consumer: Consumer) -> Iterator[Played]:
        try:
            yield kills.kill_everywhere(self._stack, self._plan, consumer)
        except kills.NotTraced as problem:
            yield Played(consumer, "killed", [], problem=partial(str, problem))

    def _waiting(self) -> Iterator[Played]:
        yield waiting.past_deadline(self._stack)
        yield waiting.not_ready(self._stack, self._plan, seconds=self._scale.waiting_seconds)

    def _deliveries(self, parts: list[Part]) -> list[Scenario]:
        return [partial(self._deliver, consumer) for consumer in CONSUMERS] if Part.DELIVERIES in parts else []

    def _deliver(self, consumer: Consumer) -> Iterator[Played]:
        yield deliveries.repeat_and_shuffle(self._stack, consumer, self._scale.events)
        if deliveries.takes_poison(consumer):
            yield deliveries.poison(self._stack, consumer)

    def _partners(self, parts: list[Part]) -> list[Scenario]:
        callers: dict[str, list[Consumer]] = {}
        for consumer in CONSUMERS:
            for partner in consumer.partners:
                callers.setdefault(partner, []).append(consumer)
        return [
            partial(partners.play, self._stack, partner, consumers, self._scale.events)
            for partner, consumers in callers.items()
            if Part.PARTNERS in parts
        ]

    def _together(self, pool: ThreadPoolExecutor, scenarios: Iterable[Scenario]) -> list[Played]:
        futures = [pool.submit(self._played, scenario) for scenario in scenarios]
        return [played for future in futures for played in future.result()]

    def _played(self, scenario: Scenario) -> list[Played]:
        return list(scenario())

    def _tell(self, what: str) -> None:
        self._console.print(f"{time.monotonic() - self._began:5.0f} s  {what}")


def main(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to play; everything when left out.")] = None,
    *,
    branch: Annotated[str, typer.Option(envvar="BRANCH", help="the branch whose stack is to suffer")] = "test",
    soak: Annotated[bool, typer.Option("--soak", help="Play for ten minutes, with more of everything.")] = False,
) -> None:
    """Play faults on every consumer, and show what became of each event."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=170)
    stack = DeployedStack(branch)
    strangers = unknown(stack.consumers(), [consumer.name for consumer in CONSUMERS])
    for sentence in strangers:
        console.print(sentence, style="red")
    rows = Suite(stack, Scale(soak=soak), console).run(list(parts or Part))
    console.print(shown(rows))
    raise typer.Exit(0 if not strangers and all(row.is_clean for row in rows) else 1)


if __name__ == "__main__":
    typer.run(main)
