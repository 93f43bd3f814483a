"""The HTTP contract rendered as one page of Markdown."""

import json
from collections.abc import Iterator

from contracts.document import Document, Operation, content_examples, operations, resolve

CALLERS = {
    "session": "a session's IAM credentials (SigV4)",
    "partner": "an API key",
    "operator": "an operator's IAM credentials (SigV4)",
}


def page(document: Document) -> str:
    """Return the contract as Markdown: an index, then each operation with its parameters, answers and examples."""
    found = list(operations(document))
    lines = [
        "# The HTTP API",
        "",
        "<!-- made by `make docs` from contracts/openapi.yaml: change it there -->",
        "",
        document["info"]["description"].strip(),
        "",
        "| operation | what it does | who may call |",
        "| --- | --- | --- |",
    ]
    lines += [f"| [`{_title(it)}`](#{_anchor(it)}) | {it.spec['summary']} | {_caller(it)} |" for it in found]
    lines += ["", "Each operation may also answer:", "", *_everywhere(document)]
    for operation in found:
        lines += ["", *_section(document, operation)]
    return "\n".join(lines) + "\n"


def _title(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def _anchor(operation: Operation) -> str:
    kept = (char for char in _title(operation).lower() if char.isalnum() or char in " -_")
    return "".join(kept).replace(" ", "-")


def _caller(operation: Operation) -> str:
    names = [name for requirement in operation.spec["security"] for name in requirement]
    return ", ".join(CALLERS[name] for name in names) or "anyone"


def _everywhere(document: Document) -> Iterator[str]:
    """Yield the answers that are not told of each operation again, in the order of their statuses."""
    told = {
        (status, part["$ref"]) for answers in document["x-paygo-answers"].values() for status, part in answers.items()
    }
    for status, reference in sorted(told):
        yield f"- **{status}** {resolve(document, {'$ref': reference})['description']}"


def _section(document: Document, operation: Operation) -> Iterator[str]:
    yield f"## {_title(operation)}"
    yield ""
    yield f"{operation.spec['summary']}. {' '.join(operation.spec.get('description', '').split())}".strip()
    parameters = [resolve(document, part) for part in operation.spec.get("parameters", [])]
    if parameters:
        yield ""
        yield "| parameter | in | needed | meaning |"
        yield "| --- | --- | --- | --- |"
        for parameter in parameters:
            needed = "yes" if parameter.get("required") else "no"
            meaning = parameter.get("description") or f"for example `{parameter['example']}`"
            yield f"| `{parameter['name']}` | {parameter['in']} | {needed} | {meaning} |"
    if "requestBody" in operation.spec:
        yield from _examples(document, "Request", resolve(document, operation.spec["requestBody"]))
    everywhere = [part for answers in document["x-paygo-answers"].values() for part in answers.values()]
    for status, part in operation.spec["responses"].items():
        if part in everywhere:
            continue
        answer = resolve(document, part)
        yield ""
        yield f"**{status}** {answer['description']}"
        if status.startswith("2"):
            yield from _examples(document, "Answer", answer)


def _examples(document: Document, what: str, holder: Document) -> Iterator[str]:
    for example in content_examples(document, what, holder):
        is_text = isinstance(example.value, str)
        text = example.value.strip() if is_text else json.dumps(example.value, indent=2)
        yield ""
        yield f"{what}:"
        yield ""
        yield f"```{'csv' if is_text else 'json'}"
        yield text
        yield "```"
