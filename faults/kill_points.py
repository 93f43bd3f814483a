"""Kill points of the embedded cloud's functions: which there are, by what was recorded, and the plan that uses them.

The file format is the embedded cloud's; see `local/paygo_cloud/kill_points.py`.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

type When = Literal["before", "after"]
type Scope = Literal["message", "batch"]


class Call(BaseModel):
    """A call that a function made while it handled a message, or a batch when there is no `message_id`."""

    model_config = ConfigDict(frozen=True)

    function: str
    request_id: str
    message_id: str | None
    subjects: tuple[str, ...]
    n: int
    operation: str

    @property
    def scope(self) -> Scope:
        """Whether the call was made for one message or for none in particular."""
        return "batch" if self.message_id is None else "message"


@dataclass(frozen=True, slots=True)
class Point:
    """A place at which a function can crash: before or after the n-th call of a kind."""

    when: When
    operation: str
    n: int
    scope: Scope

    def __str__(self) -> str:
        return f"{self.when} {self.operation} {self.n}"


@dataclass(frozen=True, slots=True)
class Kill:
    """A crash that is to happen once."""

    name: str
    function: str
    event: str | None
    when: When
    operation: str | None
    n: int
    scope: Scope
    fresh: bool

    @classmethod
    def at(cls, point: Point, function: str, event: str) -> Self:
        """Plan the crash of a fresh worker at the point, while it handles the event."""
        return cls(str(uuid4()), function, event, point.when, point.operation, point.n, point.scope, fresh=True)


def points(calls: Iterable[Call]) -> list[Point]:
    """Return every place, before and after each of the calls that one handling of an event made."""
    counts: Counter[tuple[Scope, str]] = Counter()
    found: list[Point] = []
    for call in calls:
        counts[call.scope, call.operation] += 1
        place = call.operation, counts[call.scope, call.operation], call.scope
        found += [Point("before", *place), Point("after", *place)]
    return found


def gaps(calls: Iterable[Call]) -> list[Point]:
    """Return every place between two calls once, those before the first and after the last among them.

    Whether a worker dies after one call or before the next, the same has been done and the same has not.
    """
    return [point for number, point in enumerate(points(calls)) if number == 0 or point.when == "after"]


def handling(calls: Sequence[Call], function: str, subject: str) -> list[Call]:
    """Return the calls that the first invocation with the subject made for it, and for none in particular."""
    own = [call for call in calls if call.function == function and subject in call.subjects]
    return [call for call in own if call.request_id == own[0].request_id]


class KillPoints:
    """The plan of an embedded cloud, and what came of it."""

    def __init__(self, cloud: Path) -> None:
        self._folder = cloud / "kill-points"

    def lay(self, kills: Iterable[Kill] = (), *, record: Iterable[str] = (), subjects: Iterable[str] = ()) -> None:
        """Replace the plan in one step; what was killed and recorded before stays.

        Parameters
        ----------
        record
            The functions whose calls are recorded.
        subjects
            Texts, as the ids of events: of each call is recorded which of them its message or batch holds.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"plan.{uuid4()}"
        plan = {
            "record": list(record),
            "subjects": list(subjects),
            "kills": [asdict(kill) for kill in kills],
        }
        partial.write_text(json.dumps(plan))
        partial.replace(self._folder / "plan.json")

    def clear(self) -> None:
        """Remove the plan and all that came of it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def calls(self) -> list[Call]:
        """Return what was recorded, in the order in which the calls began."""
        return list(self._calls())

    def killed(self) -> set[str]:
        """Return the names of the kills that happened."""
        folder = self._folder / "killed"
        return {mark.name for mark in folder.iterdir()} if folder.is_dir() else set()

    def _calls(self) -> Iterator[Call]:
        try:
            lines = (self._folder / "calls.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return
        yield from (Call.model_validate_json(line) for line in lines)
