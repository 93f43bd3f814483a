"""The service's exceptions as problems."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from identity.model import (
    ContradictingAnswer,
    IdentityRefusal,
    RegistrationUnderWay,
    UnknownRegistration,
    UnusableEmail,
    WeakPassword,
)
from identity.refresh_tokens import RefreshRefused, RegistrationUndecided
from paygo.problems import Place, Problem, invalid_request, not_found

_PROBLEMS: Mapping[type[IdentityRefusal], Callable[[], Problem]] = {
    RefreshRefused: lambda: Problem(
        HTTPStatus.UNAUTHORIZED,
        "refresh-refused",
        "The refresh token was refused",
        "A token works once and while its session lasts: open a new session.",
    ),
    RegistrationUndecided: lambda: Problem(
        HTTPStatus.CONFLICT,
        "registration-undecided",
        "The registration is not approved",
        "Follow the registration until it is approved, then ask again.",
    ),
    RegistrationUnderWay: lambda: Problem(
        HTTPStatus.CONFLICT,
        "registration-under-way",
        "The session has a registration already",
        "Follow the session's registration; once it is rejected, you may send another.",
    ),
    UnknownRegistration: lambda: not_found("registration"),
    UnusableEmail: lambda: invalid_request(Place("/email", "is not an e-mail address that mail can be sent to")),
    WeakPassword: lambda: invalid_request(Place("/password", "is too easy to guess: choose a longer one")),
    ContradictingAnswer: lambda: Problem(
        HTTPStatus.CONFLICT,
        "contradicting-answer",
        "The registration was decided otherwise",
        "Keep the first answer; a household that was rejected by mistake registers again.",
    ),
}


@contextmanager
def as_problems() -> Iterator[None]:
    """Turn what the service refuses into the problem that its caller is told."""
    try:
        yield
    except IdentityRefusal as refusal:
        raise _PROBLEMS[type(refusal)]() from refusal
