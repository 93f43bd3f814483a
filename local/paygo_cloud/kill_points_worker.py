"""What a plan of kill points (see ``kill_points``) makes a function's worker do; imported only once there is one."""

import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn
from urllib.parse import parse_qs, urlsplit

from urllib3.connectionpool import HTTPConnectionPool

type Handler = Callable[[Any, Any], Any]
type Record = dict[str, Any]
type Call = dict[str, Any]

_FOLDER = Path(os.environ["PAYGO_KILL_POINTS"])
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/(?P<service>[^/]+)/aws4_request")
_ID = re.compile(r"^(?=.*\d)[^/]{6,}$")


def call(handler: Handler, event: Any, context: Any) -> Any:
    """Call the handler, recording its calls and killing this worker where the plan says so."""
    try:
        plan = json.loads((_FOLDER / "plan.json").read_text())
    except FileNotFoundError:
        return handler(event, context)
    _watch()
    _Invocation.current = _Invocation(plan, event, context)
    try:
        return handler(event, context)
    finally:
        _Invocation.current = None


class _Invocation:
    """One invocation's calls, counted for each of its messages."""

    current: "_Invocation | None" = None

    def __init__(self, plan: dict[str, Any], event: Any, context: Any) -> None:
        self.function = context.function_name
        self.request_id = context.aws_request_id
        self.text = json.dumps(event)
        self.subjects = plan["subjects"] if self.function in plan["record"] else None
        self.kills = [kill for kill in plan["kills"] if kill["function"] == self.function]
        self.counts: Counter[tuple[str | None, str | None]] = Counter()

    def begin(self, method: str, url: str, pool: HTTPConnectionPool, body: Any, headers: Any) -> Call:
        record = _record_in_hand()
        message_id = None if record is None else str(record.get("messageId") or record.get("eventID"))
        text = self.text if record is None else json.dumps(record)
        operation = _operation(method, url, body, headers)
        self.counts[message_id, None] += 1
        self.counts[message_id, operation] += 1
        call: Call = {
            "function": self.function,
            "request_id": self.request_id,
            "message_id": message_id,
            "subjects": [subject for subject in self.subjects or () if subject in text],
            "n": self.counts[message_id, None],
            "operation": operation,
            "host": f"{pool.host}:{pool.port}",
            "method": method,
            "path": urlsplit(url).path,
        }
        if self.subjects is not None:
            _append(_FOLDER / "calls.jsonl", call)
        self._kill("before", call, record, self.counts[message_id, operation])
        return call | {"record": record, "nth": self.counts[message_id, operation]}

    def end(self, call: Call) -> None:
        record, nth = call.pop("record"), call.pop("nth")
        self._kill("after", call, record, nth)

    def _kill(self, when: Literal["before", "after"], call: Call, record: Record | None, nth: int) -> None:
        text = self.text if record is None else json.dumps(record)
        for kill in self.kills:
            is_here = (
                kill["when"] == when
                and kill["scope"] == ("batch" if record is None else "message")
                and (kill["event"] is None or kill["event"] in text)
                and (call["n"] if kill["operation"] is None else nth) == kill["n"]
                and kill["operation"] in {None, call["operation"]}
            )
            if is_here and _claim(kill["name"], call):
                _die()


def _watch() -> None:
    if getattr(HTTPConnectionPool.urlopen, "is_watched", False):
        return
    urlopen = HTTPConnectionPool.urlopen

    def watched(
        pool: HTTPConnectionPool, method: str, url: str, body: Any = None, headers: Any = None, *more: Any, **named: Any
    ) -> Any:
        invocation = _Invocation.current
        if invocation is None:
            return urlopen(pool, method, url, body, headers, *more, **named)
        call = invocation.begin(method, url, pool, body, headers)
        try:
            return urlopen(pool, method, url, body, headers, *more, **named)
        finally:
            invocation.end(call)

    watched.is_watched = True  # type: ignore[attr-defined]
    HTTPConnectionPool.urlopen = watched  # type: ignore[assignment,method-assign]


def _operation(method: str, url: str, body: Any, headers: Mapping[str, Any] | None) -> str:
    """Name a call alike for every event: an AWS action, or method and path without the ids in it."""
    named = {str(name).lower(): _text(value) for name, value in (headers or {}).items()}
    scope = _SCOPE.search(named.get("authorization", ""))
    path = "/".join("*" if _ID.match(part) else part for part in urlsplit(url).path.split("/"))
    if scope is None:
        return f"{method} {path}"
    service = scope["service"]
    if "x-amz-target" in named:
        return f"{service}.{named['x-amz-target'].rsplit('.', 1)[-1]}"
    action = parse_qs(_text(body)).get("Action") if isinstance(body, str | bytes) else None
    return f"{service}.{action[0]}" if action else f"{service} {method} {path}"


def _record_in_hand() -> Record | None:
    """Return the message or stream record that the function handles just now: the nearest among its variables."""
    frame = sys._getframe()
    while (outer := frame.f_back) is not None:
        frame = outer
        if frame.f_globals.get("__name__") == __name__:
            continue
        for value in list(frame.f_locals.values()):
            raw = value.raw_event if hasattr(type(value), "raw_event") else value
            if isinstance(raw, dict) and (
                ("messageId" in raw and "body" in raw) or ("eventID" in raw and "dynamodb" in raw)
            ):
                return raw
    return None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _append(path: Path, call: Call) -> None:
    # One write to a file opened for appending is not interleaved with another worker's.
    line = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(line, json.dumps(call).encode() + b"\n")
    finally:
        os.close(line)


def _claim(name: str, call: Call) -> bool:
    (_FOLDER / "killed").mkdir(exist_ok=True)
    try:
        mark = os.open(_FOLDER / "killed" / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    os.write(mark, json.dumps(call).encode())
    os.close(mark)
    return True


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit  # never reached
