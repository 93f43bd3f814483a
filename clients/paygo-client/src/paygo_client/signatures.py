"""The HMAC signature of a third party's request.

HMAC-SHA256 (RFC 2104) over method, path, query, timestamp, nonce and the body's SHA-256, joined by newlines. The
platform checks the same; both are tested with the vectors of `contracts/signature-vectors.json`.
"""

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlencode

API_KEY_HEADER = "X-Api-Key"
TIMESTAMP_HEADER = "X-Paygo-Timestamp"
NONCE_HEADER = "X-Paygo-Nonce"
SIGNATURE_HEADER = "X-Paygo-Signature"


def canonical_query(query: Iterable[tuple[str, str]]) -> str:
    """Return the pairs sorted and encoded as HTML forms are; empty when there are none."""
    return urlencode(sorted(query))


def string_to_sign(
    *, method: str, path: str, query: Iterable[tuple[str, str]], timestamp: str, nonce: str, body: bytes
) -> str:
    """Return the text that the signature covers."""
    body_hash = hashlib.sha256(body).hexdigest()
    return "\n".join([method.upper(), path, canonical_query(query), timestamp, nonce, body_hash])


def signature(key: str, text: str) -> str:
    """Return the value of the signature header."""
    return "v1=" + hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def signed_headers(
    key: str,
    *,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    timestamp: str,
    nonce: str,
    body: bytes,
) -> dict[str, str]:
    """Return the three headers that sign a request.

    Parameters
    ----------
    key
        The secret shared with the platform.
    path
        The contract's path, without the stage.
    query
        Decoded name and value pairs, in any order.
    timestamp
        Unix seconds; the platform allows 300 of difference.
    nonce
        16 to 128 characters of `[A-Za-z0-9_-]`, never used before.
    body
        The bytes as they are sent.
    """
    text = string_to_sign(method=method, path=path, query=query, timestamp=timestamp, nonce=nonce, body=body)
    return {TIMESTAMP_HEADER: timestamp, NONCE_HEADER: nonce, SIGNATURE_HEADER: signature(key, text)}
