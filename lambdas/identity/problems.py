"""The service's exceptions as problems."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus

from identity.model import (
    CodeRefused,
    ContradictingAnswer,
    IdentityRefusal,
    RegistrationConfirmed,
    RegistrationDecided,
    RegistrationUnderWay,
    TooManyCodes,
    TooYoung,
    UnknownRegistration,
    UnusableEmail,
    WeakPassword,
)
from identity.refresh_tokens import RefreshRefused, RegistrationUndecided
from identity.tokens import ScopeRefused
from identity.usecases.sessions import SessionChanged, SessionRefused, TooManySessions, UnknownSession
from identity.usecases.signing_in import SessionApproved, SignInRefused
from paygo.outcomes import NotReady
from paygo.problems import Place, Problem, invalid_request, not_found
from paygo.security import session_refused

PARTNER_AWAY_FOR = timedelta(seconds=30)
"""When to try again after a partner did not answer and gave no time itself."""

_PROBLEMS: Mapping[type[IdentityRefusal], Callable[[], Problem]] = {
    SessionRefused: session_refused,
    SessionChanged: lambda: Problem(
        HTTPStatus.CONFLICT,
        "session-changed",
        "Another request changed the session in the same moment",
        "Send the request again.",
    ),
    SessionApproved: lambda: Problem(
        HTTPStatus.CONFLICT,
        "session-approved",
        "The session is a household's already",
        "Ask for the session's credentials (escalateSession), or open a new session to sign in again.",
    ),
    UnknownSession: lambda: not_found("session"),
    SignInRefused: lambda: Problem(
        HTTPStatus.UNAUTHORIZED,
        "sign-in-refused",
        "The sign-in was refused",
        "Sign in at the user pool or ask your bank for a new code, and try again; register if you never did.",
    ),
    ScopeRefused: lambda: invalid_request(Place("/scopes", "names a scope that you do not have")),
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
        "Follow the session's registration; once it is rejected or expired, you may send another.",
    ),
    RegistrationDecided: lambda: Problem(
        HTTPStatus.CONFLICT,
        "registration-decided",
        "The registration is decided",
        "Read the registration; nothing changes it any more.",
    ),
    RegistrationConfirmed: lambda: Problem(
        HTTPStatus.CONFLICT,
        "registration-confirmed",
        "The registration needs no code",
        "Follow the registration until it is decided.",
    ),
    CodeRefused: lambda: Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "code-refused",
        "The code was refused",
        "Compare it with the newest e-mail, or ask for another code.",
    ),
    TooManyCodes: lambda: Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-codes",
        "The registration had as many codes as it gets",
        "Find the newest e-mail, or open a new session and register again.",
    ),
    TooYoung: lambda: invalid_request(Place("/date_of_birth", "is less than eighteen years ago")),
    UnknownRegistration: lambda: not_found("registration"),
    UnusableEmail: lambda: invalid_request(Place("/email", "is not an e-mail address that mail can be sent to")),
    WeakPassword: lambda: invalid_request(Place("/password", "is too easy to guess, or begins or ends with a space")),
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
    except TooManySessions as refusal:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-requests",
            "Too many requests",
            "Try again after as many seconds as Retry-After says.",
            retry_in=refusal.retry_in,
        ) from refusal
    except NotReady as away:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "partner-unavailable",
            "A third party does not answer",
            "Try again after as many seconds as Retry-After says.",
            retry_in=away.retry_in or PARTNER_AWAY_FOR,
        ) from away
    except IdentityRefusal as refusal:
        raise _PROBLEMS[type(refusal)]() from refusal
