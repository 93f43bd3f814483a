"""The platform's own time in a warm request, against a bare handler that makes the same calls to AWS.

AWS is answered inside the process, so only our code, and boto3's equal share on both sides, is timed.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from itertools import batched
from pathlib import Path
from statistics import median
from typing import Any

from bench import runtime
from bench.figures import OWN_TIME, Measurement, NotMeasured
from bench.runtime import Function
from bench.workshop import Workshop

ROUNDS = 200
BATCHES = 10
SCRIPT = Path(__file__).with_name("warm_process.py")

REQUESTS: Mapping[str, Mapping[str, str]] = {
    "devices/devices": {"method": "GET", "path": "/v1/devices"},
    "identity/sessions": {"method": "GET", "path": "/v1/sessions/current"},
    "ledger/accounts": {"method": "GET", "path": "/v1/statement"},
    "payments/notifications": {"method": "POST", "path": "/partners/mobile-money/notifications"},
}
"""A read of a household's for each service that has one, and a third party's signed request, which writes."""


def own_time(workshop: Workshop) -> Iterator[Measurement]:
    """Measure one request of each kind and report the slowest."""
    with tempfile.TemporaryDirectory(prefix="paygo-bench-") as folder:
        functions = {
            f"{function.service}/{function.name}": function for function in runtime.unpack(workshop, Path(folder))
        }
        measured = {}
        for name, request in REQUESTS.items():
            if name not in functions:
                message = f"No function {name} is behind the API any more: choose another request in bench/warm.py."
                raise NotMeasured(message)
            what = f"{request['method']} {request['path']}"
            measured[what] = differences(functions[name], request)
            workshop.tell(f"own time of {what}: {median(measured[what]):.2f} ms")
    slowest = max(measured, key=lambda what: median(measured[what]))
    yield Measurement(OWN_TIME, tuple(measured[slowest]), note=f"{slowest}, the slowest of {len(measured)} requests")


def differences(function: Function, request: Mapping[str, Any]) -> list[float]:
    """Return by how many milliseconds the platform's answer took longer: the median of each batch of requests."""
    asked = {"module": function.module, "folders": function.path, "rounds": ROUNDS * BATCHES, **request}
    printed = runtime.run([str(SCRIPT), json.dumps(asked)], function.environment(), f"{function.module}'s warm request")
    found: list[float] = json.loads(printed.strip().splitlines()[-1])
    return [median(batch) for batch in batched(found, ROUNDS, strict=True)]
