"""Confirming an e-mail address by the code that was sent to it.

Nobody is told whether a wrong code was wrong, void, over or tried too often. A try is counted before it is compared, so
that guessing many at once finds no more than guessing one by one.
"""

from datetime import datetime

from identity.model import (
    CODES,
    Code,
    CodeRefused,
    Overtaken,
    Registration,
    RegistrationConfirmed,
    RegistrationDecided,
    RegistrationState,
    TooManyCodes,
)
from identity.texts import code_mail
from identity.usecases.causes import Cause
from identity.usecases.moves import code_wanted, events_of, submission
from identity.usecases.ports import Post, Registrations
from identity.usecases.registrations import read
from identity.usecases.sessions import audit
from paygo.audit import Act
from paygo.events import CodeRequested
from paygo.security import Session

MAILS_A_DAY = 10
"""Codes that one address is sent: three registrations to the end, and nobody's letter box full."""


def confirm(
    registrations: Registrations, registration_id: str, session: Session, text: str, *, cause: Cause, now: datetime
) -> Registration:
    """Submit the registration whose code this is; the same code again answers the same until it is decided.

    Raises
    ------
    UnknownRegistration
        When the session has no such registration.
    RegistrationDecided
        When there is nothing left to confirm.
    CodeRefused
        When it is not the code.
    """
    registration = _undecided(registrations, registration_id, session)
    code = registrations.find_code(registration_id)
    if code is None:
        raise CodeRefused
    is_first = registration.state is RegistrationState.UNCONFIRMED
    try:
        if is_first:
            _count(registrations, code, now)
        if not code.is_(text):
            raise CodeRefused
        if not is_first:
            return registration
        after = registration.moved(RegistrationState.SUBMITTED)
        submitted = submission(after, cause, now)
        registrations.move(registration, after.state, events_of(after, registration.state, cause, now, submitted))
    except Overtaken:
        return confirm(registrations, registration_id, session, text, cause=cause, now=now)
    return after


def _count(registrations: Registrations, code: Code, now: datetime) -> None:
    if not code.may_be_tried(now):
        raise CodeRefused
    registrations.count_try(code)


def send_code(
    registrations: Registrations, registration_id: str, session: Session, *, cause: Cause, now: datetime
) -> Registration:
    """Draw another code, which makes the one before void, and have it sent.

    Raises
    ------
    UnknownRegistration
        When the session has no such registration.
    RegistrationDecided, RegistrationConfirmed
        When it needs no code any more, or never did.
    TooManyCodes
        When it had all that it gets.
    """
    registration = _undecided(registrations, registration_id, session)
    before = registrations.find_code(registration_id)
    if before is None or registration.state is not RegistrationState.UNCONFIRMED:
        raise RegistrationConfirmed
    if before.number >= CODES:
        raise TooManyCodes
    after = Code.drawn(registration_id, before.number + 1, now)
    try:
        registrations.replace_code(registration, before, after, [code_wanted(after, cause, now)])
    except Overtaken:
        return send_code(registrations, registration_id, session, cause=cause, now=now)
    return registration


def mail_code(
    registrations: Registrations, post: Post, wanted: CodeRequested, message_id: str, *, cause: Cause, now: datetime
) -> None:
    """Send the code that was asked for, unless it is void or not needed, or its address had enough of them today."""
    registration = registrations.find(wanted.registration_id)
    code = registrations.find_code(wanted.registration_id)
    if registration is None or registration.applicant is None or code is None:
        return
    if registration.state is not RegistrationState.UNCONFIRMED or code.number != wanted.number:
        return
    # Anybody may type in anybody's address, from as many sessions as they like.
    asked = registrations.count_mail(registration.applicant.email, now)
    if asked <= MAILS_A_DAY:
        post.send(code_mail(message_id, registration.applicant, code))
    elif asked == MAILS_A_DAY + 1:
        registrations.note(audit(Act.CODES_LIMITED, cause, now, registration))


def _undecided(registrations: Registrations, registration_id: str, session: Session) -> Registration:
    registration = read(registrations, registration_id, session)
    if registration.is_decided:
        raise RegistrationDecided
    return registration
