"""A janitor that is killed at random moments: what a bench and a test share.

One deployed stack serves for many kills. Each run is killed at a moment of its own and leaves what it leaves; the next
one goes on from there. Only the last is let to its end.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 600
HANDS = 2
"""A janitor with fewer hands takes longer, so that more kills hit it at work."""


@dataclass(frozen=True)
class Killed:
    """What came of a janitor that was killed again and again.

    Attributes
    ----------
    moments
        After how many seconds each run was killed; one that ended before is not among them.
    said
        What the last run said, which nobody killed.
    status
        Its exit status: 0 when nothing is left.
    seconds
        How long the last run took.
    """

    seed: int
    moments: Sequence[float]
    said: str
    status: int
    seconds: float


def killed(branch: str, kills: int, seed: int, window: tuple[float, float], more: Mapping[str, str]) -> Killed:
    """Remove a branch's stack with a janitor that is killed so many times, and then let one end.

    Parameters
    ----------
    window
        Between how many seconds after its start a run is killed. With many kills the later ones find little left, so
        that a wide window wastes most of them: from the start of the first removals to the end of an undisturbed run.
    more
        What the janitor's environment has beyond this process's own.
    """
    chance = random.Random(seed)  # noqa: S311 (moments of kills are no secret)
    moments = []
    for _ in range(kills):
        after = chance.uniform(*window)
        if _is_killed(branch, after, more):
            moments.append(after)
    began = time.monotonic()
    last = _start(branch, more)
    said, _ = last.communicate(timeout=LONGEST)
    return Killed(seed, moments, said, last.returncode, time.monotonic() - began)


def _start(branch: str, more: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "janitor"],
        cwd=ROOT,
        env={**os.environ, "JANITOR_HANDS": str(HANDS), **more, "BRANCH": branch, "APPLY": "yes"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _is_killed(branch: str, after: float, more: Mapping[str, str]) -> bool:
    """Kill a run at a moment; False when it ended before."""
    process = _start(branch, more)
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False
