"""Removing what a schedule says, with several hands; the same loop works in real time and in a rehearsal's."""

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import Protocol, Self

from botocore.exceptions import BotoCoreError, ClientError

from janitor.buckets import Buckets
from janitor.clients import Clients
from janitor.errors import is_gone, is_throttled, told
from janitor.schedule import Outcome, Refused, Removed, Schedule, Task, Throttled

HANDS = 16
KEPT_FREE = 2
_BREATH = 1.0


class Crew(Protocol):
    """Whose hands remove things, and whose clock tells the time."""

    def now(self) -> float: ...

    def room(self) -> int:
        """Return how many hands are free."""
        ...

    def start(self, task: Task) -> None: ...

    def wait(self, until: float) -> Sequence[tuple[Task, Outcome]]:
        """Wait until something is done or a time has come, and tell what is done."""
        ...


def work(
    schedule: Schedule,
    buckets: Buckets,
    crew: Crew,
    deadline: float = inf,
    tell: Callable[[Schedule, float], None] = lambda _schedule, _now: None,
) -> None:
    """Remove until nothing is left or the deadline has come; what was begun by then is finished."""
    busy = 0
    while schedule.unfinished:
        wake = inf
        while crew.room() and crew.now() < deadline:
            chosen = schedule.next(crew.now(), buckets, limited_only=busy > 0 and crew.room() <= KEPT_FREE)
            if not isinstance(chosen, Task):
                wake = inf if chosen is None else chosen
                break
            crew.start(chosen)
            busy += 1
        if not busy and (wake >= deadline or crew.now() >= deadline):
            return
        for task, outcome in crew.wait(min(wake, deadline) if crew.now() < deadline else inf):
            busy -= 1
            schedule.done(task, outcome, crew.now(), buckets)
        tell(schedule, crew.now())


class Threads:
    """A crew of threads."""

    def __init__(self, clients: Clients, hands: int = HANDS) -> None:
        self._clients = clients
        self._pool = ThreadPoolExecutor(hands)
        self._room = hands
        self._done: queue.SimpleQueue[tuple[Task, Outcome]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def now(self) -> float:
        """Return the seconds since 1970, which other machines count too."""
        return time.time()

    def room(self) -> int:
        return self._room

    def start(self, task: Task) -> None:
        self._room -= 1
        self._pool.submit(self._remove, task)

    def _remove(self, task: Task) -> None:
        outcome: Outcome
        try:
            outcome = removal(self._clients, task)
        except Exception as error:  # noqa: BLE001 - what came of it is waited for, whatever it is
            outcome = Refused(repr(error))
        self._done.put((task, outcome))

    def wait(self, until: float) -> Sequence[tuple[Task, Outcome]]:
        """Wait until something is done or a time has come, and tell what is done."""
        # A second at most, so that progress is told and Ctrl-C is heard.
        patience = max(0.0, min(until - self.now(), _BREATH))
        done: list[tuple[Task, Outcome]] = []
        try:
            done.append(self._done.get(timeout=patience) if patience else self._done.get_nowait())
            while True:
                done.append(self._done.get_nowait())
        except queue.Empty:
            self._room += len(done)
            return done


def removal(clients: Clients, task: Task) -> Outcome:
    """Remove one resource and say what came of it; one that is gone already is removed."""
    try:
        task.kind.remove(clients, task.found)
    except ClientError as error:
        if is_gone(error):
            return Removed()
        return Throttled() if is_throttled(error) else Refused(told(error))
    except BotoCoreError as error:
        return Refused(str(error))
    return Removed()
