"""What can go wrong with a call."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, ValidationError

PROBLEM_PREFIX = "urn:paygo:problem:"


class ApiUnreachable(Exception):
    """No answer came back; for a call that changes something it is unknown whether it was done."""


class UnexpectedAnswer(Exception):
    """The API answered something that its contract does not say."""


class NotDecidedInTime(Exception):
    """A registration was still undecided when the caller's patience ended; follow it again later."""


class NotConfirmed(Exception):
    """A registration waits for the code that was sent by e-mail, so nobody decides it yet: confirm it first."""


class Place(BaseModel):
    """A place in the request that is wrong: an RFC 6901 JSON pointer and why."""

    model_config = ConfigDict(frozen=True)

    pointer: str
    detail: str


class _Document(BaseModel):
    type: str = "about:blank"
    title: str
    status: int = 0  # API Gateway's own errors may leave it out
    detail: str = ""
    instance: str | None = None
    errors: tuple[Place, ...] = ()


class PaygoProblem(Exception):
    """An answer that is an error, as RFC 9457 describes it.

    Attributes
    ----------
    type
        What kind of problem it is, a stable URN to decide by.
    title, detail
        What is wrong, and what to do next.
    status
        The HTTP status.
    instance
        The request, to tell the operators; `None` when the answer came from something in between.
    errors
        The places of the request that are wrong.
    retry_after
        Seconds the API asks to wait, where it does.
    """

    def __init__(self, document: _Document, retry_after: float | None) -> None:
        where = "".join(f" [{place.pointer}: {place.detail}]" for place in document.errors)
        super().__init__(f"{document.status} {document.title}. {document.detail}{where}".strip())
        self.type = document.type
        self.title = document.title
        self.status = document.status
        self.detail = document.detail
        self.instance = document.instance
        self.errors = document.errors
        self.retry_after = retry_after

    @property
    def kind(self) -> str:
        """The last part of `type`, such as `not-found`."""
        return self.type.removeprefix(PROBLEM_PREFIX)

    @classmethod
    def of(cls, kind: str, status: int, title: str, detail: str) -> "PaygoProblem":
        """Return the problem that the API itself would tell, for what the client finds out without asking it."""
        return cls(_Document(type=PROBLEM_PREFIX + kind, title=title, status=status, detail=detail), None)

    @classmethod
    def from_answer(cls, status: int, headers: Mapping[str, str], body: bytes) -> "PaygoProblem":
        """Return the problem that an answer describes; an answer of a proxy in between becomes one too."""
        try:
            document = _Document.model_validate_json(body)
        except ValidationError:
            document = _Document(title=_phrase(status), status=status, detail=body[:200].decode(errors="replace"))
        # The status line is what happened; a body that says otherwise is wrong.
        return cls(document.model_copy(update={"status": status}), retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; the API never sends the date form."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
