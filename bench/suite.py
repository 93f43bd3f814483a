"""How long `make test` takes: run now, or read from what the last run took."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import TESTS, Measurement, NotRun
from bench.workshop import Workshop


def run_now(workshop: Workshop) -> Iterator[Measurement]:
    """Run `make test` and keep what it took."""
    environment = {**os.environ, "PAYGO_HOME": str(workshop.home)}
    seconds = workshop.timed("make test", ["make", "test"], environment=environment)
    ended_at = datetime.now(UTC).isoformat(timespec="seconds")
    _record(workshop).write_text(json.dumps({"seconds": seconds, "ended_at": ended_at}) + "\n")
    yield Measurement(TESTS, (seconds,))


def last_run(workshop: Workshop) -> Iterator[Measurement]:
    """Read what the last run that passed took."""
    try:
        record = json.loads(_record(workshop).read_bytes())
        seconds, ended_at = float(record["seconds"]), str(record["ended_at"])
    except (OSError, ValueError, KeyError, TypeError):
        message = "`make test` takes minutes and was not timed here yet: `python -m bench tests --all` does."
        raise NotRun(message) from None
    yield Measurement(TESTS, (seconds,), note=f"the run of {ended_at}")


def _record(workshop: Workshop) -> Path:
    return workshop.home / "tests.json"
