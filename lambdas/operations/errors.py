"""Reads what functions log when something fails: powertools' JSON lines and the runtime's own."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from operations.model import SeenError, Value

type Frame = tuple[str, int]

PLAIN = "Error"
"""The type of what was logged without an exception."""

LEVELS = frozenset({"ERROR", "CRITICAL"})

_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")
_REQUEST = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RAISED = re.compile(r"\[ERROR\] ([A-Za-z_][\w.]*)(?::|\s|$)")
# The words in which an authorizer says that a token is not valid: an answer to API Gateway, and no error.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
_ANSWER = re.compile(r"\[ERROR\] Exception: Unauthorized\s*(?:Traceback|$)")
_RUNTIME: tuple[tuple[str, str], ...] = (("Task timed out", "TimedOut"), ("Runtime exited", "RuntimeExited"))


class LogLine(Value):
    """A line of a log."""

    id: str
    timestamp: int
    message: str


class LogBatch(Value):
    """What CloudWatch Logs hands to a subscriber."""

    messageType: str  # noqa: N815 (AWS's own name)
    logGroup: str  # noqa: N815
    logStream: str  # noqa: N815
    logEvents: tuple[LogLine, ...]  # noqa: N815

    @property
    def delivery(self) -> str:
        """The same for the same lines, delivered again."""
        return hashlib.sha256("".join(line.id for line in self.logEvents).encode()).hexdigest()


def errors_of(batch: LogBatch, stack: str) -> Iterator[SeenError]:
    """Yield the errors of the lines; a control message has none, and an authorizer's refusal is none."""
    if batch.messageType != "DATA_MESSAGE":
        return
    service, _, function = batch.logGroup.rpartition("/")[2].removeprefix(f"{stack}-").partition("-")
    for line in batch.logEvents:
        if _ANSWER.match(line.message):
            continue
        about = _structured(line.message, service, function) or _plain(line.message, service)
        yield SeenError(
            service=service,
            function=function,
            at=datetime.fromtimestamp(line.timestamp / 1000, UTC),
            log_group=batch.logGroup,
            log_stream=batch.logStream,
            **{"place": f"{service}/{function}"} | {name: value for name, value in about.items() if value},
        )


def group_of(error: SeenError) -> str:
    """Return the id that errors of the same service, type and place share."""
    return hashlib.sha256("\n".join((error.service, error.type, error.place)).encode()).hexdigest()[:12]


def place_of(frames: Sequence[Frame], service: str) -> str | None:
    """Return the innermost frame of the service's code, else of the layer's, such as `ledger/usecases.py:88`.

    >>> place_of([("/var/task/ledger/usecases.py", 88), ("/opt/python/paygo/storage.py", 5)], "ledger")
    'ledger/usecases.py:88'
    """
    for package in (service, "paygo"):
        ours = re.compile(rf"(?:^|/)({re.escape(package)}/(?:[a-z_]+/)?[a-z_]+\.py)$")
        for file, line in reversed(frames):
            found = ours.search(file)
            if found:
                return f"{found[1]}:{line}"
    return None


def frames_in(text: str) -> list[Frame]:
    """Return the frames of a written traceback."""
    return [(file, int(line)) for file, line in _FRAME.findall(text)]


def type_name(value: object) -> str:
    """Return the name of an exception's type; anything else could be a person's data, so it is not repeated."""
    return value if isinstance(value, str) and _TYPE.fullmatch(value) else PLAIN


def _structured(message: str, service: str, function: str) -> dict[str, Any] | None:
    try:
        line = json.loads(message)
    except ValueError:
        return None
    if not isinstance(line, dict) or line.get("level") not in LEVELS:
        return None
    frames = list(_stack_frames(line.get("stack_trace"))) or frames_in(str(line.get("exception") or ""))
    location = _text(line.get("location"))
    return {
        "type": type_name(line.get("exception_name")),
        # A location names no file, and the layer logs for every function.
        "place": place_of(frames, service) or (f"{service}/{function} {location}" if location else None),
        "correlation_id": _text(line.get("correlation_id")),
        "request_id": _text(line.get("function_request_id")),
    }


def _stack_frames(trace: object) -> Iterator[Frame]:
    frames: Iterable[object] = trace.get("frames") or () if isinstance(trace, dict) else ()
    for frame in frames:
        match frame:
            case {"file": str(file), "line": int(line)}:
                yield file, line
            case _:
                continue


def _plain(message: str, service: str) -> dict[str, Any]:
    raised = _RAISED.match(message)
    runtime = next((name for words, name in _RUNTIME if words in message), PLAIN)
    request = _REQUEST.search(message)
    return {
        "type": raised[1] if raised else runtime,
        "place": place_of(frames_in(message), service),
        "request_id": request[0] if request else None,
    }


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) else None
