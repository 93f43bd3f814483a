"""RFC 9457 problems: what every error answer of the API looks like."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the request that is wrong: an RFC 6901 JSON pointer and why."""

    pointer: str
    detail: str


class Problem(Exception):
    """An error that the caller is told about.

    Parameters
    ----------
    kind
        The stable name behind `urn:paygo:problem:`.
    title
        What is wrong, the same for every problem of the kind.
    detail
        What the caller can do next.
    retry_in
        When it may try again, if that is known.
    """

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        title: str,
        detail: str,
        places: tuple[Place, ...] = (),
        *,
        retry_in: timedelta | None = None,
    ) -> None:
        super().__init__(f"{kind}: {title}")
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.places = places
        self.retry_in = retry_in

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the problem as the JSON object to send."""
        document: dict[str, Any] = {
            "type": f"urn:paygo:problem:{self.kind}",
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            "instance": f"urn:paygo:request:{request_id}",
        }
        if self.places:
            document["errors"] = [{"pointer": place.pointer, "detail": place.detail} for place in self.places]
        return document


def invalid_request(*places: Place) -> Problem:
    """Return the problem of a request that is not what the contract says."""
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "invalid-request",
        "The request is not valid",
        "Correct the places named in `errors` and send the request again.",
        places,
    )


def not_found(what: str) -> Problem:
    """Return the problem of something that does not exist for this caller."""
    return Problem(
        HTTPStatus.NOT_FOUND,
        "not-found",
        f"There is no such {what}",
        "Check the identifier; a household sees its own things only.",
    )


def unexpected() -> Problem:
    """Return the problem of an error nobody planned for: it tells nothing but the request's id."""
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "unexpected",
        "Something went wrong on our side",
        "Send the request again with the same Idempotency-Key; if it fails again, report the `instance`.",
    )
