import base64
import json
from pathlib import Path
from typing import Any

import pytest

from paygo_client import signatures

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "contracts/signature-vectors.json").read_text(encoding="utf-8")
)["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_signature_is_the_one_that_was_worked_out_by_other_means(vector: dict[str, Any]) -> None:
    query = [(name, value) for name, value in vector["query"]]
    body = base64.b64decode(vector["body_base64"])
    signed = {name: vector[name] for name in ("method", "path", "timestamp", "nonce")}

    text = signatures.string_to_sign(**signed, query=query, body=body)
    headers = signatures.signed_headers(vector["key"], **signed, query=query, body=body)

    assert signatures.canonical_query(query) == vector["canonical_query"]
    assert text == vector["string_to_sign"]
    assert headers == {
        "X-Paygo-Timestamp": vector["timestamp"],
        "X-Paygo-Nonce": vector["nonce"],
        "X-Paygo-Signature": vector["signature"],
    }


def test_a_method_is_signed_in_upper_case() -> None:
    def sign(method: str) -> dict[str, str]:
        return signatures.signed_headers(
            "k", method=method, path="/x", query=[], timestamp="1795255500", nonce="n" * 16, body=b""
        )

    assert sign("post") == sign("POST")
