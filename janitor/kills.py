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

from janitor.run import REMOVES

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 600
HANDS = 1
"""A janitor with one hand takes longer, so that more kills hit it at work."""


@dataclass(frozen=True)
class Killed:
    """What came of a janitor that was killed again and again.

    Attributes
    ----------
    moments
        After how many seconds of removing each run was killed; one that ended before is not among them.
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


def killed(branch: str, kills: int, seed: int, seconds: float, more: Mapping[str, str] | None = None) -> Killed:
    """Remove a branch's stack with a janitor that is killed so many times, and then let one end.

    Parameters
    ----------
    seconds
        How long removing takes when nobody is killed. The kills share it out, so that the last of them still find
        something to remove.
    more
        What the janitor's environment has beyond this process's own.
    """
    chance = random.Random(seed)  # noqa: S311 (moments of kills are no secret)
    moments = []
    for _ in range(kills):
        after = chance.uniform(0, 2 * seconds / (kills + 1))
        if _is_killed(branch, after, more or {}):
            moments.append(after)
    began = time.monotonic()
    last = _start(branch, more or {})
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
    """Kill a run some seconds after it began to remove; False when it ended before."""
    process = _start(branch, more)
    lines = process.stdout or ()
    if not any(REMOVES in line for line in lines):
        process.wait()
        return False
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False
