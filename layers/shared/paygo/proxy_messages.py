"""What the HTTP proxy into a partner's own network is asked, and what it answers.

It is the one function that another invokes directly; `paygo.proxy` calls it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

MAX_BODY_BYTES = 256 * 1024
"""What is carried either way: well below the 6 MB of an invocation, and more than any contract of ours needs."""

ANSWER_WITHIN = 10.0
"""Seconds in which a partner has to have answered."""

FORWARDED = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "content-type",
        "idempotency-key",
        "x-api-key",
        "x-correlation-id",
    }
)
"""The headers, in lower case, that a partner is sent; who it is, and the connection to it, are the proxy's affair."""

RETURNED = frozenset({"content-type", "retry-after"})
"""The headers, in lower case, that come back: no cookie, and no address to go to instead."""


class Refusal(StrEnum):
    """Why the proxy did not forward a request, or not its answer."""

    UNKNOWN_PARTNER = "unknown-partner"
    UNKNOWN_OPERATION = "unknown-operation"
    HEADER = "header-not-forwarded"
    TOO_LARGE = "request-too-large"
    ADDRESS = "address-not-allowed"
    ANSWER_TOO_LARGE = "answer-too-large"
    UNREACHABLE = "unreachable"
    TOO_SLOW = "too-slow"


class Message(BaseModel):
    """Exactly what is agreed; errors do not repeat a partner's credential or a person's data."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ProxyRequest(Message):
    """What the proxy is invoked with; it knows the partner's address itself."""

    partner: str
    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: Base64Bytes = b""


class ProxyAnswer(Message):
    """What the partner answered."""

    status: Annotated[int, Field(ge=100, le=599)]
    headers: Mapping[str, str]
    body: Base64Bytes


class Refused(Message):
    """What the proxy says when there is no answer."""

    refused: Refusal
