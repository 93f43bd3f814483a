"""Which operation of which service a request calls, as botocore's models of the services say."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import botocore.session
from botocore.parsers import create_parser

_CBOR_PATH = re.compile(r"/service/[^/]+/operation/([^/]+)/?")
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the server hands it on: a decoded path, headers in lower case, each query parameter's values."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Call:
    """A recognised request.

    Attributes
    ----------
    service
        The name of its boto3 client.
    operation
        As AWS's API has it.
    labels
        What stands in the path where the model has names.
    """

    service: str
    operation: str
    request: Request
    labels: Mapping[str, str]

    @property
    def name(self) -> str:
        """Return what it is called in a record.

        >>> Call("iam", "CreateRole", Request("POST", "/", {}, b"", {}), {}).name
        'iam.CreateRole'
        """
        return f"{self.service}.{self.operation}"

    @property
    def is_cbor(self) -> bool:
        """Whether it is answered in CBOR."""
        return _CBOR_PATH.fullmatch(self.request.path) is not None

    @property
    def is_json(self) -> bool:
        """Whether it is a call of a JSON protocol, with a target."""
        return "x-amz-target" in self.request.headers

    def parameter(self, name: str) -> str | None:
        """Return one of its parameters, None when it has none of that name."""
        if name in self.labels:
            return self.labels[name]
        if name in self.request.query:
            return self.request.query[name][0]
        value = _body(self).get(name)
        return None if value is None else str(value)


def recognise(services: Sequence[str], request: Request) -> Call | None:
    """Find the operation among those of some services, which share an endpoint; None when it is none of theirs."""
    for service in services:
        model = _model(service)
        if (named := _named(request)) is not None:
            if named in model.operation_names:
                return Call(service, named, request, {})
        elif (routed := _routed(service, request)) is not None:
            return Call(service, routed[0], request, routed[1])
    return None


def _named(request: Request) -> str | None:
    """Return the operation's name where the protocol sends it."""
    if target := request.headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if found := _CBOR_PATH.fullmatch(request.path):
        return found[1]
    action = request.query.get("Action") or _form(request).get("Action")
    return action[0] if action else None


def _routed(service: str, request: Request) -> tuple[str, Mapping[str, str]] | None:
    for route in _routes(service).get(request.method, ()):
        if (labels := route.match(request)) is not None:
            return route.operation, labels
    return None


@dataclass(frozen=True, slots=True)
class _Route:
    operation: str
    literals: int
    query: Mapping[str, Sequence[str]]
    path: re.Pattern[str]
    names: Sequence[str]

    def match(self, request: Request) -> Mapping[str, str] | None:
        for name, (wanted, *_) in self.query.items():
            if name not in request.query or (wanted and request.query[name][0] != wanted):
                return None
        found = self.path.fullmatch(request.path)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))


@cache
def _routes(service: str) -> Mapping[str, Sequence[_Route]]:
    """Return the REST routes of a service by method: what has more words of its own is tried first.

    The path comes decoded, so an ARN at its end brings slashes along: that is tried when nothing else fits.
    """
    routes: dict[str, list[_Route]] = {}
    for method, exact, loose in _read(service):
        routes.setdefault(method, []).extend([exact, loose])
    for each in routes.values():
        each.sort(key=lambda route: (route.path.pattern.endswith(_REST), -len(route.query), -route.literals))
    return routes


_REST = "(.+)/?"


def _read(service: str) -> Iterator[tuple[str, _Route, _Route]]:
    model = _model(service)
    for operation in model.operation_names:
        http = model.operation_model(operation).http
        path, _, query = str(http["requestUri"]).partition("?")
        needed = {name: values for name, values in parse_qs(query, keep_blank_values=True).items() if name != "x-id"}
        pattern, names, end = "", list[str](), 0
        for label in _LABEL.finditer(path):
            pattern += re.escape(path[end : label.start()]) + ("(.+)" if label[2] else "([^/]+)")
            names.append(label[1])
            end = label.end()
        pattern += re.escape(path[end:].rstrip("/")) + "/?"
        literals = len(_LABEL.sub("", path))
        loose = pattern.removesuffix("([^/]+)/?") + _REST if pattern.endswith("([^/]+)/?") else pattern
        yield (
            str(http["method"]),
            _Route(operation, literals, needed, re.compile(pattern), names),
            _Route(operation, literals, needed, re.compile(loose), names),
        )


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _body(call: Call) -> Mapping[str, Any]:
    if call.is_cbor:
        parser: Any = create_parser("smithy-rpc-v2-cbor")
        answer = {"status_code": 200, "headers": {}, "body": call.request.body}
        read: Any = parser.parse(answer, _model(call.service).operation_model(call.operation).input_shape)
        return dict(read)
    if form := _form(call.request):
        return {name: values[0] for name, values in form.items()}
    try:
        read = json.loads(call.request.body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _form(request: Request) -> Mapping[str, Sequence[str]]:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return parse_qs(request.body.decode(errors="replace"), keep_blank_values=True)
