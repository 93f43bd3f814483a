"""Our HTTP contract and the partners', as read by the lint, the tests and the rendered page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
METHODS = ("get", "put", "post", "delete", "patch")

type Document = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One method of one path, with its references still in place."""

    path: str
    method: str
    spec: Document

    @property
    def id(self) -> str:
        """The operation's unique name."""
        return str(self.spec["operationId"])


def load() -> Document:
    """Read contracts/openapi.yaml."""
    document: Document = yaml.safe_load((FOLDER / "openapi.yaml").read_text())
    return document


def load_partners() -> dict[str, Document]:
    """Read each partner's contract, `contracts/partners/<partner>/openapi.yaml`."""
    files = sorted((FOLDER / "partners").glob("*/openapi.yaml"))
    return {file.parent.name: yaml.safe_load(file.read_text()) for file in files}


def resolve(document: Document, part: Document) -> Document:
    """Return `part`, or what its `$ref` points to."""
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def operations(document: Document) -> Iterator[Operation]:
    """Yield every operation in the document's order."""
    for path, methods in document["paths"].items():
        for method, spec in methods.items():
            if method in METHODS:
                yield Operation(path, method.upper(), spec)


@dataclass(frozen=True)
class Example:
    """An example of the contract, its schema and where it stands."""

    where: str
    value: Any
    schema: Document


def content_examples(document: Document, where: str, holder: Document) -> Iterator[Example]:
    """Yield the examples of a request body or a response; a content without one yields nothing."""
    for media_type, content in holder.get("content", {}).items():
        for name, example in content.get("examples", {}).items():
            yield Example(f"{where} {media_type} {name}", resolve(document, example)["value"], content["schema"])
