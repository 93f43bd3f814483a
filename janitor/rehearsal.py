"""The janitor's evening in virtual time: the same schedule and the same buckets, against a throttle that plays AWS's.

How long a call takes is a guess that decides nothing as long as the limits bind: it is written down beside its kind.
"""

import heapq
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from janitor.buckets import LocalBuckets, needed, rate_of
from janitor.found import Found
from janitor.kinds import NAMED, Call
from janitor.schedule import Outcome, Removed, Schedule, Task, Throttled
from janitor.work import HANDS, work

SECONDS: Mapping[str, float] = {
    "REST API": 1.5,
    "usage plan": 1.0,
    "table": 8.0,
    "bucket": 2.0,
    "function": 0.5,
    "thing": 0.8,
    "role": 0.6,
}
"""Seconds that removing one takes on AWS, by estimate; of any other kind OTHERWISE."""
OTHERWISE = 0.3

ANYWHERE = "{stack}"


class Throttle:
    """AWS's own buckets, exactly as its pages have them: what comes too early is refused, and takes nothing."""

    def __init__(self) -> None:
        self._full: dict[Call, float] = {}
        self.refused: Counter[Call] = Counter()

    def allows(self, calls: Sequence[Call], now: float) -> bool:
        """Tell whether calls that arrive now are answered."""
        for call, tokens in needed(calls).items():
            rate = rate_of(call)
            if rate is None:
                continue
            full = self._full.get(call, now)
            if full > now + (rate.burst - tokens) * rate.seconds_each + 1e-9:
                self.refused[call] += 1
                return False
            self._full[call] = max(full, now) + tokens * rate.seconds_each
        return True


class VirtualCrew:
    """A crew that works in no time: its clock goes to the next thing that happens."""

    def __init__(self, throttle: Throttle, hands: int = HANDS, seed: int = 1) -> None:
        self._throttle = throttle
        self._room = hands
        self._clock = 0.0
        self._running: list[tuple[float, int, Task, Outcome]] = []
        self._number = count()
        self._chance = random.Random(seed)  # noqa: S311 (how long a call is on its way is no secret)
        self.last_of: dict[str, float] = {}

    def now(self) -> float:
        return self._clock

    def room(self) -> int:
        return self._room

    def start(self, task: Task) -> None:
        self._room -= 1
        way = self._chance.uniform(0.02, 0.12)
        outcome: Outcome = Removed() if self._throttle.allows(task.kind.calls, self._clock + way) else Throttled()
        took = way + (SECONDS.get(task.kind.words, OTHERWISE) if isinstance(outcome, Removed) else 0)
        heapq.heappush(self._running, (self._clock + took, next(self._number), task, outcome))

    def wait(self, until: float) -> Sequence[tuple[Task, Outcome]]:
        """Go on to when something is done, or to the time."""
        if not self._running or self._running[0][0] > until:
            self._clock = max(self._clock, until)
            return []
        at, _, task, outcome = heapq.heappop(self._running)
        self._clock = max(self._clock, at)
        self._room += 1
        if isinstance(outcome, Removed):
            self.last_of[task.kind.words] = self._clock
        return [(task, outcome)]


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal came to, in virtual seconds.

    Attributes
    ----------
    seconds
        How long it took in all.
    limit
        The least that AWS lets it take: what the slowest call's rate asks for.
    call
        That slowest call; None when no call is limited.
    others_gone
        After how long everything was gone but for what waits for the slowest call.
    throttled
        How often AWS said that it was called too often.
    """

    stacks: int
    resources: int
    seconds: float
    limit: float
    call: Call | None
    others_gone: float
    throttled: int

    @property
    def times_the_limit(self) -> float:
        return self.seconds / self.limit if self.limit else 1.0


def rehearse(tasks: Sequence[Task], hands: int = HANDS) -> Rehearsed:
    """Remove resources in virtual time."""
    schedule, throttle = Schedule(tasks), Throttle()
    crew = VirtualCrew(throttle, hands)
    asked: Counter[Call] = Counter()
    for task in tasks:
        asked.update(needed(task.kind.calls))
    limits = {call: least(call, number) for call, number in asked.items()}
    call = max(limits, key=lambda one: limits[one], default=None)
    work(schedule, LocalBuckets(), crew)
    waits = waiting_for(call) if call else frozenset()
    return Rehearsed(
        stacks=len({task.stack for task in tasks}),
        resources=len(tasks),
        seconds=crew.now(),
        limit=limits[call] if call else 0.0,
        call=call,
        others_gone=max((at for words, at in crew.last_of.items() if words not in waits), default=0.0),
        throttled=throttle.refused.total(),
    )


def waiting_for(call: Call) -> frozenset[str]:
    """Name the kinds whose removal makes a call, or waits for one that does."""
    those = {words for words, kind in NAMED.items() if call in kind.calls}
    return frozenset(those | {words for words, kind in NAMED.items() if those & set(kind.after)})


def least(call: Call, number: int) -> float:
    """Return the seconds that AWS makes so many calls take at least: what fits into a burst takes none.

    >>> least(("apigateway", "DeleteRestApi"), 10)
    270.0
    """
    rate = rate_of(call)
    return max(0, number - rate.burst) * rate.seconds_each if rate else 0.0


def teardown(inventory: Mapping[str, Sequence[str]], stacks: int, apis: int = 1) -> Rehearsed:
    """Rehearse the removal of many stacks like the recorded one; of as many APIs each as are asked for."""
    return rehearse([task for number in range(stacks) for task in tasks_of(inventory, f"paygo-{number:05}", apis)])


def tasks_of(inventory: Mapping[str, Sequence[str]], stack: str, apis: int = 1) -> list[Task]:
    """Give what a stack like the recorded one has, under another name."""
    tasks = []
    for words, names in inventory.items():
        kind = NAMED[words]
        copies = apis if words in {"REST API", "execution log group"} else 1
        for copy in range(copies):
            for number, name in enumerate(names):
                own = name.replace(ANYWHERE, stack)
                tasks.append(Task(stack, kind, Found(f"{own}/{number}/{copy}", own)))
    return tasks


def recorded(path: Path) -> dict[str, list[str]]:
    """Read an inventory that `python -m janitor inventory` wrote."""
    inventory: dict[str, list[str]] = json.loads(path.read_bytes())["resources"]
    return inventory


def anonymous(found: Found, stack: str) -> Found:
    """Write a resource's name as every stack's."""
    return replace(found, name=found.name.replace(stack, ANYWHERE).replace(stack.replace("-", "_"), ANYWHERE))
