"""The clock that rates are measured with."""

import time
from collections.abc import Callable

REAL = 1.0
"""A second a second."""
BY_HAND = 0.0
"""It stands still but when it is advanced."""


class Clock:
    """Seconds since it was made: so many for each real one, and those that it is advanced by.

    Parameters
    ----------
    speed
        Its seconds for each real one: `REAL`, `BY_HAND`, or any number of times as fast.
    monotonic
        Real seconds.
    """

    def __init__(self, speed: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.speed = speed
        self._monotonic = monotonic
        self._began = monotonic()
        self._jumped = 0.0

    def now(self) -> float:
        """Return the seconds that have passed."""
        return (self._monotonic() - self._began) * self.speed + self._jumped

    def advance(self, seconds: float) -> None:
        """Let seconds have passed."""
        self._jumped += seconds
