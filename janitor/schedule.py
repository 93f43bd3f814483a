"""Which resource goes next: pure, so that an evening of an account's removals can be rehearsed in a second.

Stacks are interleaved. What leads to the slowest limit goes first, so that this limit is the only one waited for, and
whatever has no limit goes meanwhile.
"""

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from janitor.buckets import Buckets, needed, seconds_each
from janitor.found import Found
from janitor.kinds import KINDS, Call, Kind

ATTEMPTS = 4
PATIENCE = 32.0
"""Seconds that are waited at most when AWS was called too often; a second at first, then twice as long each time."""


@dataclass(frozen=True)
class Task:
    """A resource of a stack that is to be removed."""

    stack: str
    kind: Kind
    found: Found

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other."""
        return self.stack, self.kind.words, self.found.id

    def __str__(self) -> str:
        return f"{self.kind.words} {self.found.name}"


@dataclass(frozen=True)
class Removed:
    """The resource is gone."""


@dataclass(frozen=True)
class Throttled:
    """AWS was called too often all the same: somebody else called it too, or the call before was long on its way."""


@dataclass(frozen=True)
class Refused:
    """AWS did not remove it, for a reason that may pass."""

    why: str


type Outcome = Removed | Throttled | Refused


def weights(kinds: Iterable[Kind]) -> dict[str, float]:
    """Weigh kinds by the slowest limit, in seconds, that they or what waits for them meet."""
    kinds = list(kinds)
    weighed = {kind.words: max(map(seconds_each, kind.calls), default=0.0) for kind in kinds}
    for _ in kinds:
        for kind in kinds:
            for before in kind.after:
                if before in weighed:
                    weighed[before] = max(weighed[before], weighed[kind.words])
    return weighed


class Schedule:
    """What of some stacks is still there, what may go now, and what waits for which limit."""

    def __init__(self, tasks: Sequence[Task], kinds: Sequence[Kind] = KINDS) -> None:
        self._weights = weights(kinds)
        self._order = sorted(kinds, key=lambda kind: -self._weights[kind.words])
        self._waiting: dict[tuple[str, str], list[Task]] = defaultdict(list)
        self._left: Counter[tuple[str, str]] = Counter((task.stack, task.kind.words) for task in tasks)
        self._ready: dict[str, deque[Task]] = {kind.words: deque() for kind in kinds}
        self._later: list[tuple[float, int, Task]] = []
        self._number = count()
        self._not_before: dict[str, float] = {}
        self._attempts: Counter[tuple[str, str, str]] = Counter()
        self._refused: Counter[str] = Counter()
        self._tokens: Counter[Call] = Counter()
        self._unfinished = len(tasks)
        self.total = len(tasks)
        self.throttled = 0
        self.failures: list[tuple[Task, str]] = []
        for task in tasks:
            self._tokens.update(needed(task.kind.calls))
            self._await(task)

    @property
    def unfinished(self) -> int:
        """How many resources are not gone, and not given up, yet."""
        return self._unfinished

    def seconds_left(self) -> float:
        """Return the seconds that the slowest limit asks for what is left."""
        return max((number * seconds_each(call) for call, number in self._tokens.items()), default=0.0)

    def limiting(self) -> Call | None:
        """Name the call that decides how long it takes; None when none does."""
        waits = {call: number * seconds_each(call) for call, number in self._tokens.items() if number > 0}
        return max(waits, key=lambda call: waits[call], default=None)

    def next(self, now: float, buckets: Buckets, *, limited_only: bool = False) -> Task | float | None:
        """Give what to remove now, with its tokens taken; or else the time to ask again; or None while others work.

        `limited_only` keeps a free hand for what leads to a limit: no token of the slowest may go by unused.
        """
        while self._later and self._later[0][0] <= now:
            _, _, task = heapq.heappop(self._later)
            self._ready[task.kind.words].appendleft(task)
        for kind in self._order:
            ready = self._ready[kind.words]
            if limited_only and not self._weights[kind.words]:
                break
            if not ready or self._not_before.get(kind.words, now) > now:
                continue
            possible = buckets.take(kind.calls, now)
            if possible <= now:
                return ready.popleft()
            self._not_before[kind.words] = possible
        times = [self._not_before[words] for words, ready in self._ready.items() if ready and words in self._not_before]
        return min([*times, *(at for at, _, _ in self._later[:1])], default=None)

    def done(self, task: Task, outcome: Outcome, now: float, buckets: Buckets) -> None:
        """Note what came of a removal; a call that AWS refused is made again soon, before any of its kind."""
        words = task.kind.words
        match outcome:
            case Removed():
                self._refused[words] = 0
                self._finish(task)
            case Throttled():
                self.throttled += 1
                until = now + min(2.0 ** self._refused[words], PATIENCE)
                self._refused[words] += 1
                self._not_before[words] = until
                self._again(task, until)
                buckets.refused(task.kind.calls, until)
            case Refused(why):
                self._attempts[task.key] += 1
                if self._attempts[task.key] < ATTEMPTS:
                    self._again(task, now + 2.0 ** self._attempts[task.key])
                else:
                    self.failures.append((task, why))
                    self._finish(task)

    def _again(self, task: Task, at: float) -> None:
        heapq.heappush(self._later, (at, next(self._number), task))

    def _finish(self, task: Task) -> None:
        self._unfinished -= 1
        self._tokens.subtract(needed(task.kind.calls))
        key = (task.stack, task.kind.words)
        self._left[key] -= 1
        if not self._left[key]:
            for waiting in self._waiting.pop(key, []):
                self._await(waiting)

    def _await(self, task: Task) -> None:
        """Let a task wait for one kind that has to go before; when that is gone it may be another's turn."""
        before = next((words for words in task.kind.after if self._left[task.stack, words]), None)
        if before is None:
            self._ready[task.kind.words].append(task)
        else:
            self._waiting[task.stack, before].append(task)
