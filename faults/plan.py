"""The one plan of kill points, which the faults of all consumers share."""

from threading import Lock
from uuid import uuid4

from faults.kill_points import Call, Kill, KillPoints, handling


class Plan:
    """What is recorded and which crashes are to come."""

    def __init__(self, kill_points: KillPoints) -> None:
        self._kill_points = kill_points
        self._lock = Lock()
        self._kills: list[Kill] = []
        self._traced: list[tuple[str, str]] = []

    def trace(self, function: str, subject: str, *, fresh: bool) -> None:
        """Record the function's calls for the subject, by a fresh worker where all that one does matters."""
        with self._lock:
            self._traced.append((function, subject))
            if fresh:
                # A crash that no call reaches, since they are counted from one: it makes the worker fresh, no more.
                self._kills.append(Kill(str(uuid4()), function, subject, "before", None, 0, "message", fresh=True))
            self._lay()

    def untrace(self, function: str, subject: str) -> None:
        """Record no more for the subject."""
        with self._lock:
            self._traced.remove((function, subject))
            self._kills = [kill for kill in self._kills if (kill.n, kill.event) != (0, subject)]
            self._lay()

    def add(self, *kills: Kill) -> None:
        """Plan crashes; those that came about are forgotten."""
        with self._lock:
            done = self.killed()
            self._kills = [*(kill for kill in self._kills if kill.name not in done), *kills]
            self._lay()

    def forget(self, *kills: Kill) -> None:
        """Let crashes be that did not come about."""
        with self._lock:
            self._kills = [kill for kill in self._kills if kill not in kills]
            self._lay()

    def killed(self) -> set[str]:
        """Return the crashes that came about."""
        return self._kill_points.killed()

    def calls(self, function: str, subject: str) -> list[Call]:
        """Return the calls for the subject in the first invocation that had it."""
        return handling(self._kill_points.calls(), function, subject)

    def times(self, function: str, subject: str) -> int:
        """Return how many invocations had the subject."""
        own = [call for call in self._kill_points.calls() if call.function == function and subject in call.subjects]
        return len({call.request_id for call in own})

    def count(self, function: str, subject: str, operation: str) -> int:
        """Return how many calls of a kind were made for the subject in all invocations."""
        return sum(
            call.function == function and subject in call.subjects and call.operation == operation
            for call in self._kill_points.calls()
        )

    def clear(self) -> None:
        """Let every function run as ever."""
        self._kill_points.clear()

    def _lay(self) -> None:
        self._kill_points.lay(
            self._kills,
            record={function for function, _ in self._traced},
            subjects=[subject for _, subject in self._traced],
        )
