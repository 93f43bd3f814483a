"""Callers of the HTTP API, right ones and wrong ones, below the comfort of the clients."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import yaml

from demo.journey import NotRefused
from demo.stage import PartnerKeys, Stage
from paygo_client import PaygoProblem, SessionDetails
from paygo_client.signatures import API_KEY_HEADER, signed_headers
from paygo_client.sigv4 import SessionAuth

CONTRACT = Path(__file__).parents[2] / "contracts/openapi.yaml"
AMZ_DATE = "%Y%m%dT%H%M%SZ"
TOO_OLD = timedelta(minutes=20)
BEYOND_WINDOW = timedelta(seconds=301)

type Alter = Callable[[requests.PreparedRequest], None]


@dataclass(frozen=True)
class Route:
    """One operation of the contract, with the parameters and the body of its own examples.

    Attributes
    ----------
    sessions
        Whose session opens it: `anonymous`, `household`, both or none.
    """

    operation: str
    method: str
    path: str
    caller: str | None
    sessions: frozenset[str] = frozenset()
    content_type: str | None = None
    body: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Content-Type": self.content_type} if self.content_type else {}
        return headers | ({"Idempotency-Key": secrets.token_hex(16)} if self.method == "POST" else {})


@cache
def routes() -> dict[str, Route]:
    """Every operation, by its id."""
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    found = (
        _route(contract, path, method, operation)
        for path, operations in contract["paths"].items()
        for method, operation in operations.items()
    )
    return {route.operation: route for route in found}


def _route(contract: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Route:
    for reference in operation.get("parameters", []):
        parameter = contract["components"]["parameters"][reference["$ref"].rpartition("/")[2]]
        for name in (parameter["name"], f"{parameter['name']}+"):
            path = path.replace(f"{{{name}}}", str(parameter["example"]))
    route = Route(
        operation=operation["operationId"],
        method=method.upper(),
        path=path,
        caller=next((name for need in operation["security"] for name in need), None),
        sessions=frozenset(operation.get("x-paygo-callers", ())),
    )
    for content_type, content in operation.get("requestBody", {}).get("content", {}).items():
        example = next(iter(content["examples"].values()))["value"]
        body = example if isinstance(example, str) else requests.compat.json.dumps(example)  # type: ignore[attr-defined]
        return replace(route, content_type=content_type, body=body.encode())
    return route


def prepare(stage: Stage, route: Route, headers: dict[str, str] | None = None) -> requests.PreparedRequest:
    """Return the route's request, not signed yet."""
    url = stage.access.api_url + route.path
    request = requests.Request(route.method, url, data=route.body or None, headers=route.headers | (headers or {}))
    return request.prepare()


def send(request: requests.PreparedRequest) -> requests.Response:
    """Send exactly this request."""
    with requests.Session() as http:
        return http.send(request, timeout=30, allow_redirects=False)


def send_signed(
    stage: Stage, route: Route, session: SessionDetails, *, at: datetime | None = None, alter: Alter | None = None
) -> requests.Response:
    """Sign with the session's credentials, `alter` what was signed, and send."""
    request = SessionAuth(session.credentials, session.region, at or datetime.now(UTC))(prepare(stage, route))
    if alter:
        alter(request)
    return send(request)


def send_as_partner(
    stage: Stage,
    route: Route,
    keys: PartnerKeys,
    *,
    api_key: str | None = None,
    at: datetime | None = None,
    nonce: str | None = None,
    alter: Alter | None = None,
) -> requests.Response:
    """Sign as the third party, `alter` what was signed, and send."""
    signed = signed_headers(
        keys.keys.current,
        method=route.method,
        path=route.path,
        query=[],
        timestamp=str(int((at or datetime.now(UTC)).timestamp())),
        nonce=nonce or secrets.token_urlsafe(24),
        body=route.body,
    )
    request = prepare(stage, route, {API_KEY_HEADER: keys.api_key if api_key is None else api_key, **signed})
    if alter:
        alter(request)
    return send(request)


def refused(answer: requests.Response, what: str, *, kinds: set[str] | None = None) -> PaygoProblem:
    """Return the problem of a refused request; raise `NotRefused` when it is none, or of another kind."""
    if not 400 <= answer.status_code < 500:
        message = f"{what} was answered with {answer.status_code}."
        raise NotRefused(message)
    problem = PaygoProblem.from_answer(answer.status_code, answer.headers, answer.content)
    if kinds is not None and problem.kind not in kinds:
        message = f"{what} was refused as {problem.kind} and not as {' or '.join(sorted(kinds))}: {problem}"
        raise NotRefused(message)
    return problem


def altered_body(request: requests.PreparedRequest) -> None:
    """Change a byte of the body, which keeps its length."""
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    request.body = body.replace(b"1", b"2", 1) if b"1" in body else body[:-1] + b" "


def altered_date(request: requests.PreparedRequest) -> None:
    """Say that it was signed a second later."""
    signed_at = datetime.strptime(str(request.headers["X-Amz-Date"]), AMZ_DATE).replace(tzinfo=UTC)
    request.headers["X-Amz-Date"] = f"{signed_at + timedelta(seconds=1):{AMZ_DATE}}"


def altered_query(request: requests.PreparedRequest) -> None:
    """Add something to the query."""
    request.url = f"{request.url}?limit=1"


def altered_path(other: str) -> Alter:
    """Return what sends the same signature to another path of the API."""

    def alter(request: requests.PreparedRequest) -> None:
        parts = urlsplit(str(request.url))
        api = parts.path.split("/v1/")[0].split("/partners/")[0].split("/mocks/")[0]
        request.url = urlunsplit(parts._replace(path=api + other))

    return alter


def altered_header(name: str, value: str | None) -> Alter:
    """Return what replaces a header, or takes it away."""

    def alter(request: requests.PreparedRequest) -> None:
        request.headers.pop(name, None)
        if value is not None:
            request.headers[name] = value

    return alter


def forged_signature(request: requests.PreparedRequest) -> None:
    """Replace the SigV4 signature by another one of the same form."""
    signed = str(request.headers["Authorization"])
    request.headers["Authorization"] = signed.rpartition("=")[0] + "=" + "0" * 64
