"""How long `make test` takes: read from the record of its last run, or run now."""

import json
import os
from collections.abc import Iterator

from bench.figures import TESTS, Measurement, NotMeasured
from bench.workshop import Workshop


def last_run(workshop: Workshop) -> Iterator[Measurement]:
    """Read what the last `make test` that passed took."""
    try:
        record = json.loads((workshop.home / "tests.json").read_bytes())
        seconds, when = float(record["seconds"]), str(record["ended_at"])
    except (OSError, ValueError, KeyError, TypeError):
        message = "`make test` has not passed here yet: run it, or `python -m bench --all`, which does."
        raise NotMeasured(message) from None
    yield Measurement(TESTS, (seconds,), note=f"the run of {when}")


def run_now(workshop: Workshop) -> Iterator[Measurement]:
    """Run `make test`."""
    environment = {**os.environ, "PAYGO_HOME": str(workshop.home)}
    yield Measurement(TESTS, (workshop.timed("make test", ["make", "test"], environment=environment),))
