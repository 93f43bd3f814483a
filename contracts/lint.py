"""Lint of the HTTP contract: valid OpenAPI, every operation named, described and shown by examples that fit.

Run as `python -m contracts.lint`; prints one line a fault and exits with 1 when there is one.
"""

import sys
from collections import Counter
from collections.abc import Iterator

from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from contracts.document import Document, Example, Operation, content_examples, load, operations, resolve


def faults(document: Document) -> Iterator[str]:
    """Yield every fault of the contract as a sentence."""
    yield from (f"not valid OpenAPI: {error.message}" for error in OpenAPIV30SpecValidator(document).iter_errors())
    found = list(operations(document))
    for name, count in Counter(operation.spec.get("operationId") for operation in found).items():
        if name is None or count > 1:
            yield f"{count} operations are named {name}: give each an operationId of its own"
    for operation in found:
        yield from _operation_faults(document, operation)


def _operation_faults(document: Document, operation: Operation) -> Iterator[str]:
    where = f"{operation.method} {operation.path}"
    for needed in ("summary", "tags", "x-paygo-function", "security"):
        if needed not in operation.spec:
            yield f"{where}: has no {needed}"
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
    for error in OAS30Validator(schema, format_checker=OAS30Validator.FORMAT_CHECKER).iter_errors(example.value):
        yield f"{example.where}: the example does not fit its schema: {error.message}"


def main() -> int:
    """Print the faults of contracts/openapi.yaml and return the exit code."""
    found = list(faults(load()))
    for fault in found:
        sys.stdout.write(f"contracts/openapi.yaml: {fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
