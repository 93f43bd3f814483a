"""Guess how long Terraform still takes, from when an earlier run of the same kind began and ended each resource."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# What a run takes of which nothing is known yet, in seconds from its first resource to its last: a whole stack's, less
# for the few that a change touches.
_FIRST_GUESS = {"create": 70.0, "update": 15.0, "delete": 20.0}
_UNKNOWN = 30.0
_FEW, _EACH = 10.0, 0.25
_EARLY = 5.0  # seconds in which a run's pace cannot be told yet


@dataclass
class Times:
    """When each resource was begun and ended, in seconds from the first of its run; by what was done to it."""

    spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Times":
        """Read what earlier runs took; a file that is missing or broken knows nothing."""
        try:
            return cls(
                {key: (float(began), float(ended)) for key, (began, ended) in json.loads(path.read_bytes()).items()}
            )
        except (OSError, ValueError, TypeError, AttributeError):
            return cls()

    def save(self, path: Path) -> None:
        """Keep them for the next run, of whichever stack, beside what other runs took."""
        temporary = path.with_name(f".{path.name}-{os.getpid()}")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(Times.load(path).spans | self.spans))
        temporary.replace(path)

    def note(self, action: str, address: str, began: float, ended: float) -> None:
        self.spans[f"{action} {address}"] = (round(began, 1), round(ended, 1))

    def left(self, planned: Mapping[str, str], done: int, elapsed: float, idle: float = 0.0) -> float:
        """Guess the seconds that are left of a run that has done so many of what is planned, the last one `idle` ago.

        A run is taken to be where earlier ones were when they had done as many of these resources, or on the way from
        there to the next, and to be as much slower or faster over the rest as it was so far.

        >>> times = Times({"create a": (0, 10), "create b": (0, 20), "create c": (20, 40)})
        >>> planned = dict.fromkeys("abc", "create")
        >>> [times.left(planned, done, elapsed) for done, elapsed in ((0, 0), (2, 20), (2, 40), (3, 40))]
        [40.0, 20.0, 40.0, 0.0]
        >>> [times.left(planned, 2, 20 + idle, idle) for idle in (5, 15, 60)]
        [15.0, 5.0, 1.0]
        """
        ends = [0.0, *self._ends(planned)]
        if done >= len(ends) - 1:
            return 0.0
        position, upcoming = ends[done], ends[done + 1]
        pace = min(max((elapsed - idle) / position, 0.5), 3.0) if position > _EARLY else 1.0
        return max((ends[-1] - min(position + idle / pace, upcoming)) * pace, 1.0)

    def _ends(self, planned: Mapping[str, str]) -> list[float]:
        """Say when each would be done, were they all begun as earlier: what is unknown is spread over its guess."""
        known = {
            address: self.spans[key]
            for address, action in planned.items()
            if (key := f"{action} {address}") in self.spans
        }
        first = min((began for began, _ in known.values()), default=0.0)
        ends = [ended - first for _, ended in known.values()]
        strange = [action for address, action in planned.items() if address not in known]
        guess = max((_FIRST_GUESS.get(action, _UNKNOWN) for action in strange), default=0.0)
        whole = max(ends, default=0.0) or min(guess, _FEW + _EACH * len(strange))
        ends += [whole * (number + 1) / len(strange) for number in range(len(strange))]
        return sorted(ends)


def words(seconds: float) -> str:
    """Say how long that is, no more exactly than it is known.

    >>> words(3.2), words(38), words(200)
    ('a few seconds left', 'about 40 s left', 'about 3 min left')
    """
    if seconds < 8:
        return "a few seconds left"
    return f"about {round(seconds / 5) * 5} s left" if seconds < 100 else f"about {round(seconds / 60)} min left"
