"""The server process: MiniStack with the gaps filled, holding the working folder's lock while it lives."""

import os
import sys
from pathlib import Path

from paygo_cloud import expressions, forks, gaps, kill_points, locks, starts, throttle


def main() -> None:
    """Serve until told to stop. Started by ``paygo_cloud start`` with a complete environment of its own."""
    lock = locks.take(Path(os.environ["PAYGO_SERVER_LOCK"]))
    if lock is None:
        sys.exit("Another embedded cloud already serves this working folder.")
    locks.sign(lock)
    gaps.install()
    kill_points.install()
    starts.install()
    expressions.install()
    forks.install()
    throttle.install()

    from ministack import app

    app.main()


if __name__ == "__main__":
    main()
