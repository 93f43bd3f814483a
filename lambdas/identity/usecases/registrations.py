"""Registering a household: its beginning, its end when nobody decides it, and the account that goes with it.

An own household's account in the user pool is made first, under the household's id, which is derived from the session
and the caller's key: without its row it is an account that opens nothing, and a retry finds it again. Its address is no
name to sign in with before the household is approved; an account whose registration came to nothing is removed. Both
follow the registration's last move, so that no request waits for the user pool and a crash leaves nothing behind.

An address, or a bank's customer, that has a household already is found out when the household would be made. Until then
every step is the same as for a new one, so the caller learns no more than that the registration was rejected. Both are
claimed by an item of their own in the transaction that makes the household: of two registrations only one is approved,
and one that never finishes blocks nobody.
"""

from collections.abc import Callable
from datetime import datetime

from identity.model import (
    UNDECIDED_FOR,
    Applicant,
    Code,
    Overtaken,
    Proof,
    Registration,
    RegistrationKind,
    RegistrationState,
    RegistrationUnderWay,
    TooYoung,
    Undecided,
    UnknownRegistration,
    first_state,
    is_of_age,
    registration_ids,
)
from identity.usecases.causes import Cause
from identity.usecases.moves import code_wanted, events_of, submission
from identity.usecases.ports import Registrations, Tries, Users
from identity.usecases.sessions import SessionRefused
from identity.usecases.signing_in import TRIES
from paygo.config import scaled
from paygo.security import Session, SessionState


def register(
    registrations: Registrations,
    users: Users,
    session: Session,
    applicant: Applicant,
    password: str,
    *,
    intent: str,
    cause: Cause,
    now: datetime,
) -> Registration:
    """Take the session's registration as an own household; the same intent again returns what the first made.

    Raises
    ------
    TooYoung
        When the applicant is no adult.
    RegistrationUnderWay
        When the session has another registration that is not rejected or expired.
    WeakPassword, UnusableEmail
        When the user pool refuses the password or the address.
    """
    if not is_of_age(applicant.date_of_birth, now.date()):
        raise TooYoung
    begun = _begun(session, RegistrationKind.OWN, intent, now).model_copy(update={"applicant": applicant})
    known = _known(registrations, begun, session)
    if known:
        return known
    users.keep(begun.household_id, applicant.email, password)
    code = Code.drawn(begun.registration_id, 1, now)
    wanted = code_wanted(code, cause, now)
    try:
        registrations.add(begun, code, events_of(begun, None, cause, now, wanted))
    except Overtaken as error:
        raise RegistrationUnderWay from error
    return begun


def register_customer(
    registrations: Registrations,
    tries: Tries,
    session: Session,
    partner: str,
    proof: Proof,
    *,
    intent: str,
    cause: Cause,
    now: datetime,
) -> Registration:
    """Take the session's registration as a partner's customer; the same intent again returns what the first made.

    A session that was rejected may register again, so these are tries as signing in is, and counted with them.

    Raises
    ------
    RegistrationUnderWay
        When the session has another registration that is not rejected or expired.
    SessionRefused
        When it showed as many codes as it may.
    """
    begun = _begun(session, RegistrationKind.PARTNER, intent, now).model_copy(
        update={"partner": partner, "proof": proof}
    )
    known = _known(registrations, begun, session)
    if known:
        return known
    if tries.count_try(session) > TRIES:
        raise SessionRefused
    submitted = submission(begun, cause, now)
    try:
        registrations.add(begun, None, events_of(begun, None, cause, now, submitted))
    except Overtaken as error:
        raise RegistrationUnderWay from error
    return begun


def _begun(session: Session, kind: RegistrationKind, intent: str, now: datetime) -> Registration:
    registration_id, household_id = registration_ids(session.session_id, kind, intent)
    return Registration(
        registration_id=registration_id,
        household_id=household_id,
        session_id=session.session_id,
        identity_id=session.identity_id,
        kind=kind,
        state=first_state(kind),
        submitted_at=now,
        undecided_until=now + scaled(UNDECIDED_FOR),
    )


def _known(registrations: Registrations, begun: Registration, session: Session) -> Registration | None:
    known = registrations.find(begun.registration_id)
    if known is None and session.state is not SessionState.ANONYMOUS:
        raise RegistrationUnderWay
    return known


def read(registrations: Registrations, registration_id: str, session: Session) -> Registration:
    """Return the session's own registration; raise `UnknownRegistration` for any other."""
    registration = registrations.find(registration_id)
    if registration is None or registration.session_id != session.session_id:
        raise UnknownRegistration
    return registration


def expire(registrations: Registrations, registration_id: str, *, cause: Cause, now: datetime) -> None:
    """End a registration that nobody has decided in time.

    Raises
    ------
    Undecided
        When it has time left.
    """
    registration = registrations.find(registration_id)
    if registration is None or registration.is_decided:
        return
    if now < registration.undecided_until:
        message = "the registration may still be decided"
        raise Undecided(message, registration.undecided_until - now)
    after = registration.moved(RegistrationState.EXPIRED)
    try:
        registrations.refuse(registration, after.state, None, events_of(after, registration.state, cause, now), now)
    except Overtaken:
        expire(registrations, registration_id, cause=cause, now=now)


def settle_account(registrations: Registrations, users: Callable[[], Users], registration_id: str) -> None:
    """Let a decided household sign in by its e-mail address, or remove the account that came to nothing."""
    registration = registrations.find(registration_id)
    if registration is None or registration.applicant is None:
        return
    if registration.state is RegistrationState.APPROVED:
        users().admit(registration.household_id, registration.applicant.email)
    elif registration.is_decided:
        users().remove(registration.household_id)
