"""A partner's OpenAPI document, as far as the mock plays it.

Two extensions say what OpenAPI has no words for. They stand in examples: `x-paygo-when` names the requests that an
example answers (JSON pointer into the body: value), and `x-paygo-values` the places of an example that differ from
request to request (JSON pointer: runtime expression, or text with such in braces). Beside OpenAPI's own expressions
there are `$uuid`, a new one each time, and `$now`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any

from partners.model.pointers import agrees, find, replaced
from partners.model.values import made
from paygo.problems import Place

type Document = Mapping[str, Any]

JSON = "application/json"
PROBLEM = "application/problem+json"
FORMATS = {"uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z"}
"""Formats that the validator does not know by itself."""

_PARAMETER = re.compile(r"\{(\w+)\}")
_EXPRESSION = re.compile(r"\{(\$[^}]+)\}")


@dataclass(frozen=True)
class Request:
    """A request to a partner; the names of its headers are in lower case."""

    method: str
    route: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @cached_property
    def body(self) -> Any:
        """The JSON body, `None` when there is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


@dataclass(frozen=True)
class Answer:
    """An answer of a partner; `value` is what `text` holds as JSON."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    text: str = ""
    value: Any = None

    @classmethod
    def with_value(
        cls, status: int, value: Any, content_type: str, headers: Mapping[str, str] | None = None
    ) -> "Answer":
        """Return an answer with a JSON body."""
        return cls(status, headers or {}, content_type, json.dumps(value), value)

    @property
    def is_success(self) -> bool:
        """Whether the partner did what was asked."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Exchange:
    """What runtime expressions speak of: a request and, once there is one, its answer."""

    request: Request
    path_values: Mapping[str, str]
    now: datetime
    new_id: Callable[[], str]
    answer: Answer | None = None

    def value(self, expression: str) -> Any:
        """Return what an expression stands for, or `None`."""
        if not expression.startswith("$"):
            return _EXPRESSION.sub(lambda each: str(self.value(each[1])), expression)
        where, _, pointer = expression.partition("#")
        request = self.request
        match where.split(".", 2):
            case ["$uuid"]:
                value: Any = self.new_id()
            case ["$now"]:
                value = self.now.isoformat()
            case ["$request", "body"]:
                value = find(request.body, pointer)
            case ["$request", "path", name]:
                value = self.path_values.get(name)
            case ["$request", "query", name]:
                value = request.query.get(name)
            case ["$request", "header", name]:
                value = request.headers.get(name.lower())
            case ["$response", "body"] if self.answer:
                value = find(self.answer.value, pointer)
            case _:
                value = None
        return value


@dataclass(frozen=True)
class DueCallback:
    """A call that the partner makes after an answer, and the place of the request that named its address."""

    pointer: str
    url: str
    value: Any


class Credential:
    """How a partner wants to be shown our credential."""

    def __init__(self, scheme: Document) -> None:
        is_key = scheme["type"] == "apiKey"
        self.header = str(scheme["name"]).lower() if is_key else "authorization"
        self._prefix = "" if is_key else "Bearer "

    def shown(self, headers: Mapping[str, str]) -> str:
        """Return what the request shows as its credential."""
        sent = headers.get(self.header, "")
        return sent.removeprefix(self._prefix) if sent.startswith(self._prefix) else ""


class Contract:
    """What one partner offers."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._checks: dict[int, Callable[[Any], Any]] = {}

    @cached_property
    def credential(self) -> Credential:
        """How our credential is shown."""
        (name,) = self._document["security"][0]
        return Credential(self._document["components"]["securitySchemes"][name])

    def operation(self, method: str, route: str) -> "Operation | None":
        """Return the operation that a request is for; a path without parameters goes before one with them."""
        paths = sorted(self._document["paths"].items(), key=lambda item: len(_PARAMETER.findall(item[0])))
        for template, item in paths:
            found = _matched(template, route)
            if found is not None and method.lower() in item:
                return Operation(self, template, item[method.lower()], found)
        return None

    def resolve(self, part: Document) -> Document:
        """Return `part`, or what its `$ref` points to."""
        while "$ref" in part:
            part = find(self._document, part["$ref"].removeprefix("#"))
        return part

    def misfit(self, schema: Document, value: Any) -> Place | None:
        """Return the first place of `value` that is not as the schema says."""
        # Imported here because a cold start without a request body does not need it.
        import fastjsonschema

        check = self._checks.get(id(schema))
        if check is None:
            whole = {**schema, "components": self._document.get("components", {})}
            check = self._checks[id(schema)] = fastjsonschema.compile(whole, formats=FORMATS, use_default=False)
        try:
            check(value)
        except fastjsonschema.JsonSchemaValueException as error:
            return _place(error)
        return None


@dataclass(frozen=True)
class Operation:
    """One route and method of a partner, asked for with the values of its path's parameters."""

    contract: Contract
    template: str
    spec: Document
    path_values: Mapping[str, str]

    def faults(self, request: Request) -> Iterator[Place]:
        """Yield what is wrong with the request."""
        for part in self.spec.get("parameters", []):
            parameter = self.contract.resolve(part)
            place = self._parameter_fault(parameter, request)
            if place:
                yield Place(f"/{parameter['name']}", place)
        if "requestBody" in self.spec:
            schema = self.contract.resolve(self.spec["requestBody"])["content"][JSON]["schema"]
            if request.body is None:
                yield Place("/", "must be JSON")
            elif place_in_body := self.contract.misfit(schema, request.body):
                yield place_in_body

    def answer(self, exchange: Exchange, status: int | None = None) -> Answer:
        """Return the contract's answer, with the status if one is asked for."""
        statuses = self.spec["responses"]
        if status is None:
            found = next(self._shown_when(exchange, statuses), None)
            if found:
                return found
            status = next(int(each) for each in statuses if each.startswith("2"))
        response = self.contract.resolve(statuses.get(str(status)) or statuses.get("default", {}))
        for media_type, content in response.get("content", {}).items():
            examples = sorted(content.get("examples", {}).values(), key=lambda example: "x-paygo-when" in example)
            value = self._filled(examples[0], exchange) if examples else made(content["schema"], self.contract.resolve)
            return Answer.with_value(status, value, media_type, self._headers(response))
        return Answer(status, self._headers(response)) if status < 400 else unexplained(status)

    def callbacks(self, exchange: Exchange) -> Iterator[DueCallback]:
        """Yield the calls that follow an answer."""
        for address, spec in self._callback_specs():
            content = self.contract.resolve(spec["requestBody"])["content"][JSON]
            examples = content["examples"].values()
            example = next(
                (each for each in examples if "x-paygo-when" in each and _is_meant(each, exchange)),
                next(each for each in examples if "x-paygo-when" not in each),
            )
            url = exchange.value(address)
            yield DueCallback(address.partition("#")[2], str(url), self._filled(example, exchange))

    def callback_addresses(self, request: Request) -> Iterator[tuple[str, Any]]:
        """Yield where the request names addresses for callbacks, and what it says there."""
        for address, _ in self._callback_specs():
            pointer = address.partition("#")[2]
            yield pointer, find(request.body, pointer)

    def _callback_specs(self) -> Iterator[tuple[str, Document]]:
        for paths in self.spec.get("callbacks", {}).values():
            for address, methods in paths.items():
                yield address.strip("{}"), methods["post"]

    def _parameter_fault(self, parameter: Document, request: Request) -> str | None:
        name, schema = parameter["name"], parameter["schema"]
        places: Mapping[str, Mapping[str, str]] = {
            "header": {name: request.headers[name.lower()]} if name.lower() in request.headers else {},
            "query": request.query,
            "path": self.path_values,
        }
        sent = places[parameter["in"]].get(name)
        if sent is None:
            return "is missing" if parameter.get("required") else None
        place = self.contract.misfit(schema, _typed(sent, self.contract.resolve(schema)))
        return place.detail if place else None

    def _shown_when(self, exchange: Exchange, statuses: Mapping[str, Document]) -> Iterator[Answer]:
        for status, part in statuses.items():
            response = self.contract.resolve(part)
            for media_type, content in response.get("content", {}).items():
                for example in content.get("examples", {}).values():
                    if "x-paygo-when" in example and _is_meant(example, exchange):
                        value = self._filled(example, exchange)
                        yield Answer.with_value(int(status), value, media_type, self._headers(response))

    def _headers(self, response: Document) -> dict[str, str]:
        headers = ((name, self.contract.resolve(part)) for name, part in response.get("headers", {}).items())
        return {name: str(part.get("example", made(part["schema"], self.contract.resolve))) for name, part in headers}

    @staticmethod
    def _filled(example: Document, exchange: Exchange) -> Any:
        value = example["value"]
        for pointer, expression in example.get("x-paygo-values", {}).items():
            found = exchange.value(expression)
            if found is not None:
                value = replaced(value, pointer, found)
        return value


def unexplained(status: int) -> Answer:
    """Return a refusal that the contract has no words for."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Refused"
    value = {"type": "about:blank", "title": title, "status": status, "detail": "The partner says no more."}
    return Answer.with_value(status, value, PROBLEM)


def refused(answer: Answer, places: Sequence[Place]) -> Answer:
    """Return the refusal with the places that it is for."""
    errors = [{"pointer": place.pointer, "detail": place.detail} for place in places]
    return Answer.with_value(
        answer.status, {**answer.value, "errors": errors}, answer.content_type or PROBLEM, answer.headers
    )


def _is_meant(example: Document, exchange: Exchange) -> bool:
    return agrees(exchange.request.body, example["x-paygo-when"])


def _matched(template: str, route: str) -> dict[str, str] | None:
    parts = _PARAMETER.split(template)
    pattern = "".join(f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    found = re.fullmatch(pattern, route)
    return found.groupdict() if found else None


def _typed(sent: str, schema: Document) -> Any:
    if schema.get("type") == "string":
        return sent
    try:
        return json.loads(sent)
    except ValueError:
        return sent


def _place(error: Any) -> Place:
    pointer, detail = (
        "".join(f"/{step}" for step in error.path[1:]),
        str(error.message).removeprefix(error.name).strip(),
    )
    match error.rule:
        case "required":
            missing = next(name for name in error.rule_definition if name not in error.value)
            return Place(f"{pointer}/{missing}", "is missing")
        case "additionalProperties":
            unknown = next(name for name in error.value if name not in error.definition.get("properties", {}))
            return Place(f"{pointer}/{unknown}", "is not known")
        case _:
            return Place(pointer or "/", detail)
