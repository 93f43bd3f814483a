"""A deploy and a destroy behind AWS's rates, in real time: ``python -m bench.throttled``.

The same stack is brought up without the throttle, twice with it, and without it again, so that what the machine does
meanwhile falls on both.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean

from rich.console import Console

from bench.cloud import embedded_cloud
from bench.figures import DEPLOY_THROTTLED, Measurement
from bench.stack import run_deploy
from bench.throttle import Seen, lines, throttled
from bench.workshop import ROOT, Workshop
from paygo_limits import rates

ORDER = (False, True, True, False)
"""Which of the deploys are throttled."""


def deploys(workshop: Workshop, order: Sequence[bool] = ORDER) -> Iterator[Measurement]:
    """Measure how much longer a deploy takes."""
    with embedded_cloud(workshop):
        endpoint_url = json.loads((workshop.home / "cloud" / "cloud.json").read_bytes())["endpoint_url"]
        free, held = list[float](), list[float]()
        for is_throttled in order:
            if is_throttled:
                with throttled(endpoint_url) as cloud:
                    held.append(run_deploy(workshop, "up", "deploy behind the throttle"))
                _tell(workshop, "deploy", cloud.record())
                with throttled(endpoint_url) as cloud:
                    run_deploy(workshop, "destroy", "destroy behind the throttle")
                _tell(workshop, "destroy", cloud.record())
            else:
                free.append(run_deploy(workshop, "up", "deploy"))
                run_deploy(workshop, "destroy", "destroy")
        yield Measurement(DEPLOY_THROTTLED, (mean(held) / mean(free),), note=f"{mean(held):.1f} s / {mean(free):.1f} s")


def slow_calls(record: Mapping[str, Seen]) -> dict[str, int]:
    """Return how often each operation passed whose rate is below one a second.

    >>> slow_calls({"apigateway.DeleteRestApi": Seen(3, 1, [0.0, 31.0], [4.5], {"apigateway.DeleteRestApi": 1})})
    {'apigateway.DeleteRestApi': 2}
    """
    slow = {}
    for name, seen in record.items():
        service, _, operation = name.partition(".")
        rate = rates(service).get(operation)
        if rate is not None and rate.seconds_each > 1:
            slow[name] = len(seen.passed_at)
    return slow


def _tell(workshop: Workshop, verb: str, record: Mapping[str, Seen]) -> None:
    for line in lines(record):
        workshop.tell(f"{verb}: {line}")


def main() -> None:
    """Measure and print."""
    workshop = Workshop(Path(os.environ.get("PAYGO_HOME") or ROOT / ".paygo"), Console())
    for measured in deploys(workshop):
        reached = "reached" if measured.is_reached else "not reached"
        figure = measured.figure
        workshop.console.print(f"{figure.what}: {measured.value:.2f} {figure.unit} ({reached}) {measured.note}")


if __name__ == "__main__":
    main()
