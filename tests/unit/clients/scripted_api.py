"""An HTTP server in this process that answers from a script and remembers what it was asked."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Scripted:
    """An answer to give; without a status the connection is cut."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(body: Any, status: int = 200, **headers: str) -> Scripted:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, json.dumps(body).encode(), {"Content-Type": "application/json", **named})


def problem(status: int, kind: str, *, retry_after: str | None = None, **more: Any) -> Scripted:
    document = {
        "type": f"urn:paygo:problem:{kind}",
        "title": "It did not work",
        "status": status,
        "detail": "Do something else.",
        "instance": "urn:paygo:request:1",
        **more,
    }
    headers = {"Content-Type": "application/problem+json"} | ({"Retry-After": retry_after} if retry_after else {})
    return Scripted(status, json.dumps(document).encode(), headers)


CUT = Scripted(None)


def bearer(name: str = "first", *scopes: str, expires_at: datetime = NOW + timedelta(hours=1)) -> Any:
    """The contract's BearerToken."""
    return {
        "token": f"bearer-{name}",
        "token_type": "Bearer",
        "expires_at": expires_at.isoformat(),
        "scopes": list(scopes),
    }


def session(name: str = "first", state: str = "anonymous", expires_at: datetime = NOW + timedelta(hours=1)) -> Any:
    """The contract's Session whose secrets carry `name`."""
    return {
        "session_id": "0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
        "state": state,
        "household_id": None if state == "anonymous" else "7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01",
        "opened_at": "2026-11-21T10:00:00Z",
        "expires_at": "2026-11-22T10:00:00Z",
        "identity_id": "eu-west-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e",
        "region": "eu-west-1",
        "credentials": {
            "access_key_id": f"ASIA{name.upper()}",
            "secret_access_key": f"secret-{name}",
            "session_token": f"token-{name}",
            "expires_at": expires_at.isoformat(),
        },
        "bearer": bearer(name, "sessions:read", expires_at=expires_at),
        "refresh_token": f"refresh-{name}-0123456789",
    }


class ScriptedApi:
    """The server; `script` holds the answers to come, `asked` the requests so far."""

    def __init__(self) -> None:
        self.script: deque[Scripted] = deque()
        self.asked: list[Asked] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.asked.append(Asked(self.command, self.path, dict(self.headers), body))
                scripted = api.script.popleft()
                if scripted.status is None:
                    self.close_connection = True
                    return
                self.send_response(scripted.status)
                for name, value in scripted.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(scripted.body)))
                self.end_headers()
                self.wfile.write(scripted.body)

            do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 (the base class looks for these names)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/_aws/execute-api/abc123/live"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def will(self, *answers: Scripted) -> None:
        self.script.extend(answers)


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def clock(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
