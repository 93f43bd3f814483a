import base64
import json
from pathlib import Path
from typing import Any

import pytest

from paygo.signatures import signature

VECTORS = Path(__file__).parents[3] / "contracts" / "signature-vectors.json"


def vectors() -> list[Any]:
    document = json.loads(VECTORS.read_text())
    return [pytest.param(vector, id=vector["name"]) for vector in document["vectors"]]


@pytest.mark.parametrize("vector", vectors())
def test_the_published_vectors_are_signed_as_published(vector: dict[str, Any]) -> None:
    assert (
        signature(
            vector["key"],
            method=vector["method"],
            path=vector["path"],
            query=[(name, value) for name, value in vector["query"]],
            timestamp=vector["timestamp"],
            nonce=vector["nonce"],
            body=base64.b64decode(vector["body_base64"]),
        )
        == vector["signature"]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/partners/other"},
        {"query": [("a", "2")]},
        {"timestamp": "1795255501"},
        {"nonce": "bbbbbbbbbbbbbbbb"},
        {"body": b"{ }"},
        {"key": "another key"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_signed_part_counts(change: dict[str, Any]) -> None:
    request: dict[str, Any] = {
        "key": "key",
        "method": "POST",
        "path": "/partners/one",
        "query": [("a", "1")],
        "timestamp": "1795255500",
        "nonce": "aaaaaaaaaaaaaaaa",
        "body": b"{}",
    }

    assert signature(**request) != signature(**(request | change))
