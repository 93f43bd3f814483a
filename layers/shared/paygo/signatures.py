"""The HMAC signature of requests between third parties and the platform.

HMAC-SHA256 (RFC 2104) over method, path, query, timestamp, nonce and the body's SHA-256, joined by newlines.
"""

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlencode

TIMESTAMP_HEADER = "X-Paygo-Timestamp"
NONCE_HEADER = "X-Paygo-Nonce"
SIGNATURE_HEADER = "X-Paygo-Signature"


def signature(
    key: str,
    *,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    timestamp: str,
    nonce: str,
    body: bytes,
) -> str:
    """Return the value of the signature header.

    Parameters
    ----------
    path
        The contract's path, without the stage.
    query
        Decoded name and value pairs, in any order.
    timestamp
        Unix seconds, as sent.
    body
        The raw bytes, as sent.
    """
    text = "\n".join(
        [method.upper(), path, urlencode(sorted(query)), timestamp, nonce, hashlib.sha256(body).hexdigest()]
    )
    return "v1=" + hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
