"""The service's exceptions as problems of the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from operations.model import LetterClosed, LetterNotFound, NotRedrivable
from paygo.problems import Problem


def operator_refused() -> Problem:
    """Return the problem of a caller who is no operator."""
    return Problem(
        HTTPStatus.FORBIDDEN,
        "operator-refused",
        "This is for operators",
        "Sign with the credentials of an IAM role or user that may call the operations routes.",
    )


@contextmanager
def as_problems() -> Iterator[None]:
    """Turn what a use case raises into what the operator is told."""
    try:
        yield
    except LetterNotFound as error:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            "not-found",
            "There is no such dead letter",
            "List the dead letters and use a `letter_id` of the list.",
        ) from error
    except LetterClosed as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "letter-closed",
            "The dead letter is not open",
            "Read it again: its history says who redrove or discarded it, and when. If it dies again it is open again.",
        ) from error
    except NotRedrivable as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "not-redrivable",
            "The dead letter cannot be sent again",
            "Read its body, do what it asks for by hand if that is still needed, and discard it with a reason.",
        ) from error
