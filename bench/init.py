"""What a cold start of an API function costs, as a ratio to a process that only makes one boto3 client.

Both are whole processes of the same interpreter, run in turn.
"""

import resource
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from bench import runtime
from bench.figures import INIT, Measurement
from bench.runtime import Function
from bench.workshop import Workshop

PAIRS = 25
TO_FIND_THE_SLOWEST = 5

ONE_CLIENT = 'import boto3; boto3.client("dynamodb")'
LIBRARIES = f"import pydantic; from aws_lambda_powertools.event_handler import APIGatewayRestResolver; {ONE_CLIENT}"


def ratios(workshop: Workshop) -> Iterator[Measurement]:
    """Measure every function behind the API and report the slowest."""
    with tempfile.TemporaryDirectory(prefix="paygo-bench-") as folder:
        functions = runtime.unpack(workshop, Path(folder))
        tried = {}
        for function in functions:
            tried[function] = median(_of(function, TO_FIND_THE_SLOWEST))
            workshop.tell(f"init of {function.module}: {tried[function]:.2f} times")
        slowest = max(functions, key=lambda function: tried[function])
        measured = _of(slowest, PAIRS)
        libraries = median(_ratios(_with_path(slowest, LIBRARIES), runtime.AWS, "pydantic and powertools", PAIRS))
        _forget_bytecode(slowest)
        unwritten = median(_of(slowest, TO_FIND_THE_SLOWEST, bytecode=False))
    yield Measurement(
        INIT,
        tuple(measured),
        note=f"{slowest.module}, the slowest of {len(functions)}; pydantic and powertools alone {libraries:.2f}; "
        f"without bytecode, as in a folder that Python may not write to, {unwritten:.2f}",
    )


def _of(function: Function, pairs: int, *, bytecode: bool = True) -> list[float]:
    return _ratios(_importing(function), function.environment(), function.module, pairs, bytecode=bytecode)


def _importing(function: Function) -> str:
    return _with_path(function, f"import importlib; importlib.import_module({function.module!r})")


def _with_path(function: Function, code: str) -> str:
    return f"import sys; sys.path[:0] = {function.path!r}; {code}"


def _ratios(code: str, environment: Mapping[str, str], what: str, pairs: int, *, bytecode: bool = True) -> list[float]:
    options = ["-c"] if bytecode else ["-B", "-c"]
    if bytecode:
        _seconds(["-c", code], environment, what)  # the first run writes it
    return [
        _seconds([*options, code], environment, what) / _seconds(["-c", ONE_CLIENT], runtime.AWS, "boto3")
        for _ in range(pairs)
    ]


def _seconds(arguments: list[str], environment: Mapping[str, str], what: str) -> float:
    began = _children_seconds()
    runtime.run(arguments, environment, what)
    return _children_seconds() - began


def _children_seconds() -> float:
    """Return the processor's time: starting waits for nothing, and what else the machine does is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _forget_bytecode(function: Function) -> None:
    for folder in (function.layer, function.code):
        for cache in list(folder.rglob("__pycache__")):
            shutil.rmtree(cache)
