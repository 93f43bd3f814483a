"""Lint of the HTTP contracts, ours and the partners': valid OpenAPI, operations named and shown by examples that fit.

Run as `python -m contracts.lint`; prints one line a fault and exits with 1 when there is one.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from contracts.document import Document, Example, Operation, content_examples, load, load_partners, operations, resolve

PROBLEM = "application/problem+json"
CALLERS = frozenset({"anonymous", "household"})


def faults(document: Document) -> Iterator[str]:
    """Yield every fault of our own contract as a sentence."""
    # API Gateway's `{route+}` stands for the rest of the path; OpenAPI knows no such thing and calls it `{route}`.
    plain = document | {"paths": {path.replace("+}", "}"): item for path, item in document["paths"].items()}}
    yield from (f"not valid OpenAPI: {error.message}" for error in OpenAPIV30SpecValidator(plain).iter_errors())
    yield from _operations_faults(document, ("summary", "tags", "x-paygo-function", "security"))
    for operation in operations(document):
        yield from _caller_faults(operation)
        names = {resolve(document, part)["name"] for part in operation.spec.get("parameters", [])}
        if "Idempotency-Key" in names:
            for status in sorted({"409", "422"} - operation.spec["responses"].keys()):
                yield f"{operation.method} {operation.path}: takes an Idempotency-Key and has no {status} answer"


def _caller_faults(operation: Operation) -> Iterator[str]:
    """Yield what a session's route does not say: whose session opens it, and which scope a bearer token needs."""
    where = f"{operation.method} {operation.path}"
    callers, scope = operation.spec.get("x-paygo-callers"), operation.spec.get("x-paygo-scope")
    if {"session": []} not in operation.spec.get("security", []):
        if callers is not None or scope is not None:
            yield f"{where}: has x-paygo-callers or x-paygo-scope, which are for the routes of sessions"
        return
    if not isinstance(callers, list) or not callers or not set(callers) <= CALLERS or len(set(callers)) < len(callers):
        yield f"{where}: x-paygo-callers must name {' or '.join(sorted(CALLERS))}, or both"
    if not isinstance(scope, str) or not re.fullmatch(r"[a-z-]+:(read|write)", scope):
        yield f"{where}: x-paygo-scope must name a scope, as devices:read"
    elif scope.endswith(":read") != (operation.method == "GET"):
        yield f"{where}: {scope} does not fit the method: only what changes nothing is for reading"


def partner_faults(document: Document) -> Iterator[str]:
    """Yield every fault of a partner's contract as a sentence."""
    yield from (f"not valid OpenAPI: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors())
    rate = document["info"].get("x-paygo-calls-per-second")
    if not isinstance(rate, int) or rate < 1:
        yield "info: x-paygo-calls-per-second must say how many calls a second the partner takes"
    yield from _credential_faults(document)
    yield from _operations_faults(document, ("summary",))
    for operation in operations(document):
        where = f"{operation.method} {operation.path}"
        for status in ("400", "401"):
            if PROBLEM not in resolve(document, operation.spec["responses"].get(status, {})).get("content", {}):
                yield f"{where}: has no {status} answer as {PROBLEM}"
        asked = _request_of(document, operation)
        yield from _played_faults(document, operation, asked)
        for callback in callbacks(operation):
            yield from _operation_faults(document, callback, ("summary",))
            yield from _played_faults(document, callback, asked)
            if not re.fullmatch(r"\{\$request\.body#(/\w+)+\}", callback.path):
                yield f"{where} callback {callback.path}: its address must be a place of the request's body"


def callbacks(operation: Operation) -> Iterator[Operation]:
    """Yield what the partner calls us with after the operation; the path is where it finds our address."""
    for paths in operation.spec.get("callbacks", {}).values():
        yield from operations({"paths": paths})


def _credential_faults(document: Document) -> Iterator[str]:
    schemes = document.get("components", {}).get("securitySchemes", {})
    names = [name for need in document.get("security", []) for name in need]
    match [schemes.get(name) for name in names]:
        case [{"type": "apiKey", "in": "header"}] | [{"type": "http", "scheme": "bearer"}]:
            pass
        case _:
            yield "security: must name one scheme, an API key in a header or a bearer token"


def _request_of(document: Document, operation: Operation) -> Any:
    """Return the operation's own example of a body, if it has one."""
    body = resolve(document, operation.spec.get("requestBody", {}))
    return next((example.value for example in content_examples(document, "", body)), None)


def _played_faults(document: Document, operation: Operation, asked: Any) -> Iterator[str]:
    """Yield what the mock could not play: places that a request or an example does not have."""
    holders = [resolve(document, part) for part in operation.spec["responses"].values()]
    holders.append(resolve(document, operation.spec.get("requestBody", {})))
    for holder in holders:
        for content in holder.get("content", {}).values():
            for name, example in content.get("examples", {}).items():
                where = f"{operation.method} {operation.path} example {name}"
                whens = [(pointer, asked) for pointer in example.get("x-paygo-when", {})]
                values = [(pointer, example["value"]) for pointer in example.get("x-paygo-values", {})]
                for pointer, value in whens + values:
                    if not _has(value, pointer):
                        yield f"{where}: there is no {pointer}"


def _has(value: Any, pointer: str) -> bool:
    for step in pointer.split("/")[1:]:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True


def _operations_faults(document: Document, needed: Sequence[str]) -> Iterator[str]:
    found = list(operations(document))
    for name, count in Counter(operation.spec.get("operationId") for operation in found).items():
        if name is None or count > 1:
            yield f"{count} operations are named {name}: give each an operationId of its own"
    for operation in found:
        yield from _operation_faults(document, operation, needed)


def _operation_faults(document: Document, operation: Operation, needed: Sequence[str]) -> Iterator[str]:
    where = f"{operation.method} {operation.path}"
    for part in needed:
        if part not in operation.spec:
            yield f"{where}: has no {part}"
    for parameter in (resolve(document, part) for part in operation.spec.get("parameters", [])):
        place = f"{where} parameter {parameter['name']}"
        if "example" not in parameter:
            yield f"{place}: has no example"
        else:
            yield from _misfits(document, Example(place, parameter["example"], parameter["schema"]))
    holders = {f"response {status}": resolve(document, part) for status, part in operation.spec["responses"].items()}
    if "requestBody" in operation.spec:
        holders["request"] = resolve(document, operation.spec["requestBody"])
    for name, holder in holders.items():
        for media_type, content in holder.get("content", {}).items():
            if not content.get("examples"):
                yield f"{where} {name} {media_type}: has no example"
        for example in content_examples(document, f"{where} {name}", holder):
            yield from _misfits(document, example)


def _misfits(document: Document, example: Example) -> Iterator[str]:
    schema = example.schema | {"components": document["components"]}
    validator = OAS30Validator if document["openapi"].startswith("3.0") else OAS31Validator
    for error in validator(schema, format_checker=validator.FORMAT_CHECKER).iter_errors(example.value):
        yield f"{example.where}: the example does not fit its schema: {error.message}"


def main() -> int:
    """Print the faults of every contract and return the exit code."""
    found = [f"contracts/openapi.yaml: {fault}" for fault in faults(load())]
    for name, document in load_partners().items():
        found += [f"contracts/partners/{name}/openapi.yaml: {fault}" for fault in partner_faults(document)]
    for fault in found:
        sys.stdout.write(f"{fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
