"""Play faults on every consumer of a branch's stack, and print what became of each event.

python -m faults [--soak] [--branch B] [PART ...], where a part is kills, waiting, deliveries, partners or outage.

The exit status is 1 when an event was lost or doubled, a fault could not be played, or the stack has a consumer that
the suite does not know.
"""

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from itertools import chain
from threading import Semaphore
from typing import Annotated

import typer
from rich.console import Console

from faults import deliveries, kills, outage, partners, waiting
from faults.consumers import CONSUMERS as OTHER_CONSUMERS
from faults.consumers import Consumer
from faults.plan import Plan
from faults.played import Played, counted
from faults.registrations import REGISTRATION_CONSUMERS
from faults.stage import DeployedStack
from faults.table import shown
from faults.verdicts import Row, unknown

CONSUMERS = (*REGISTRATION_CONSUMERS, *OTHER_CONSUMERS)
DYING_AT_ONCE = {True: 3, False: 2}
"""Consumers whose workers are killed at the same time: of those that mostly wait, and of the others."""
THREADS = 64


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
        self.kills = kills.BEFORE_AND_AFTER if soak else kills.BETWEEN
        self.outage_events = 10_000 if soak else 300
        self.drain_seconds = 600 if soak else 120
        self.waiting_seconds = 600 if soak else 150


class Suite:
    """The faults of one run, played on one stack."""

    def __init__(self, stack: DeployedStack, scale: Scale, console: Console) -> None:
        self._stack = stack
        self._scale = scale
        self._console = console
        self._plan = Plan(stack.kill_points)
        self._turns = {mostly_waits: Semaphore(count) for mostly_waits, count in DYING_AT_ONCE.items()}
        self._began = time.monotonic()

    def run(self, parts: list[Part]) -> list[Row]:
        """Play the parts, and look at every event once more at the end."""
        self._plan.clear()
        since = datetime.now(UTC)
        with self._stack.mocks, ThreadPoolExecutor(THREADS) as pool:
            self._tell(f"Playing {', '.join(parts)}")
            # First the storms, for a partner that is away takes time and no processor; who needs it waits for the calm.
            stormy = {
                consumer: pool.submit(self._storm, consumer, parts) for consumer in CONSUMERS if consumer.partners
            }
            calm: dict[Consumer, Future[list[Played]]] = {}
            for consumer in sorted(CONSUMERS, key=lambda each: not each.mostly_waits):
                needed = {*consumer.partners, *consumer.leans_on}
                storms = [stormy[each] for each in stormy if needed.intersection(each.partners)]
                calm[consumer] = pool.submit(self._suffer, consumer, parts, storms)
            alone = [pool.submit(self._wait)] if Part.WAITING in parts else []
            if Part.OUTAGE in parts:
                alone.append(
                    pool.submit(self._outage, [calm[each] for each in stormy if outage.PARTNER in each.partners])
                )
            played = [each for future in [*stormy.values(), *calm.values(), *alone] for each in future.result()]
            self._tell("Waiting for what has not ended")
            list(pool.map(lambda each: each.settled(self._stack), played))
            self._tell("Counting")
            rows = counted(self._stack, played)
        self._plan.clear()
        self._stack.discard_letters(since)
        self._tell("Done")
        return rows

    def _suffer(self, consumer: Consumer, parts: list[Part], storms: Iterable[Future[list[Played]]]) -> list[Played]:
        """Play one fault after the other on a consumer, once all of its partners are well."""
        wait(storms)
        played: list[Played] = []
        if Part.KILLS in parts:
            with self._turns[consumer.mostly_waits]:
                played.append(self._kill(consumer))
            self._tell(f"{consumer.name}: killed")
        if Part.DELIVERIES in parts:
            played.append(deliveries.repeat_and_shuffle(self._stack, consumer, self._scale.events))
            if deliveries.takes_poison(consumer):
                played.append(deliveries.poison(self._stack, consumer))
        return played

    def _storm(self, consumer: Consumer, parts: list[Part]) -> list[Played]:
        """Let each of a consumer's partners fail by itself."""
        if Part.PARTNERS not in parts:
            return []
        with ThreadPoolExecutor(len(consumer.partners)) as pool:
            play = partial(partners.play, self._stack, consumer, self._scale.events)
            played = list(chain(*pool.map(play, consumer.partners)))
        self._tell(f"{consumer.name}: without {' and '.join(consumer.partners)}")
        return played

    def _kill(self, consumer: Consumer) -> Played:
        try:
            return kills.kill_everywhere(self._stack, self._plan, consumer, self._scale.kills)
        except kills.NotTraced as problem:
            return Played(consumer, "killed", [], problem=partial(str, problem))

    def _wait(self) -> list[Played]:
        return [
            waiting.past_deadline(self._stack),
            waiting.not_ready(self._stack, self._plan, seconds=self._scale.waiting_seconds),
        ]

    def _outage(self, calm: Iterable[Future[list[Played]]]) -> list[Played]:
        """Let the partner be away for an hour once nothing else needs it."""
        wait(calm)
        self._tell("An hour without a partner")
        count, seconds = self._scale.outage_events, self._scale.drain_seconds
        return list(outage.hour_without_crm(self._stack, count, drain_seconds=seconds))

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
