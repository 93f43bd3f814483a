"""Signing in again: an anonymous session becomes that of a household which is registered already.

The household is written into the session first, as an approval does, and the session is escalated then. What a crash
leaves in between is an approved session, which is escalated when its caller asks for the credentials; a lost answer is
asked for in the same way. Every refusal is the same, so that nobody learns from it whether somebody has an account. A
session has few tries: nobody shall guess a bank's codes through us.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid5

from identity.model import BankCustomer, BankCustomerRefused, IdentityRefusal, Overtaken, RegistrationUnderWay
from identity.usecases.causes import Cause
from identity.usecases.sessions import Makers, Opened, SessionRefused, Sessions, SignedOutSince, audit, escalate
from paygo.audit import Act
from paygo.outcomes import NotReady
from paygo.security import Session, SessionState

TRIES = 10
"""How often one session may try, registering as a partner's customer included."""


class SignInRefused(IdentityRefusal):
    """Nothing shows that the caller is a household."""


class SessionApproved(IdentityRefusal):
    """The session is a household's already, and its credentials have still to be fetched."""


class IdTokenRefused(Exception):
    """An ID token is not the user pool's for this app, or not any more."""


@dataclass(frozen=True, slots=True)
class PoolSignIn:
    """Who signed in to the user pool, and when."""

    username: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proof:
    """Which household somebody showed to be, and when."""

    household_id: str
    at: datetime


class IdTokens(Protocol):
    """Who verifies the user pool's ID tokens."""

    def sign_in(self, id_token: str, now: datetime) -> PoolSignIn:
        """Return what the token shows.

        Raises
        ------
        IdTokenRefused
            When the token is not the pool's for this app, or not any more.
        """


class Bank(Protocol):
    """A partner that vouches for its own customers."""

    def verify(self, customer_number: str, one_time_code: str, intent: str) -> BankCustomer:
        """Return the customer; the same intent again is the same question; raise `BankCustomerRefused` for none."""


class Households(Protocol):
    """Who is registered."""

    def may_sign_in(self, household_id: str, signed_in_at: datetime) -> bool:
        """Tell whether there is such a household, which has not signed out everywhere since that time."""

    def customer(self, partner: str, customer_id: str) -> str | None:
        """Return the household that the partner's customer is."""


def by_id_token(id_tokens: IdTokens, households: Households, id_token: str, now: datetime) -> Proof:
    """Return the household whose user the token names: users are named by household."""
    try:
        shown = id_tokens.sign_in(id_token, now)
    except IdTokenRefused as error:
        raise SignInRefused from error
    # An account without its household is one whose registration is not approved.
    if not households.may_sign_in(shown.username, shown.at):
        raise SignInRefused
    return Proof(shown.username, shown.at)


def by_partner(
    bank: Bank,
    households: Households,
    session: Session,
    *,
    partner: str,
    customer_number: str,
    one_time_code: str,
    now: datetime,
) -> Proof:
    """Return the household that is the customer for whom the partner vouches."""
    # The same code in the same session is the same question, whose first answer may have been lost.
    intent = str(uuid5(UUID(session.session_id), f"{partner}/{customer_number}/{one_time_code}"))
    try:
        customer = bank.verify(customer_number, one_time_code, intent)
    except BankCustomerRefused as error:
        raise SignInRefused from error
    household_id = households.customer(partner, customer.customer_id)
    if household_id is None:
        raise SignInRefused
    return Proof(household_id, now)


def sign_in(
    sessions: Sessions,
    makers: Makers,
    session: Session,
    prove: Callable[[], Proof],
    *,
    kind: str,
    cause: Cause,
    now: datetime,
) -> Opened:
    """Make the session the household's that `prove` returns, and escalate it.

    Raises
    ------
    SignInRefused
        When it raises so, the household signed out everywhere since, or the session tried too often.
    RegistrationUnderWay, SessionApproved, SessionRefused
        When the session is not anonymous.
    SessionChanged
        When another request escalated it in the same moment.
    """
    _check_anonymous(session, now)
    tries = sessions.count_try(session)
    if tries > TRIES:
        # Told before; the log says it again for each.
        raise SignInRefused
    try:
        _take(sessions, session.identity_id, prove(), kind, cause=cause, now=now)
    except SignInRefused:
        sessions.note(audit(Act.SIGN_IN_REFUSED, cause, now, session, kind=kind, tries=str(tries)))
        raise
    except NotReady:
        # Nobody judged it, so it was no try.
        sessions.count_try(session, -1)
        raise
    return escalate(sessions, makers, session.identity_id, cause=cause, now=now)


def _take(sessions: Sessions, identity_id: str, proof: Proof, kind: str, *, cause: Cause, now: datetime) -> None:
    before = sessions.find(identity_id)
    if before is None:
        raise SessionRefused
    _check_anonymous(before, now)
    after = before.signed_in(proof.household_id)
    try:
        sessions.replace(before, after, audit(Act.SIGNED_IN, cause, now, after, kind=kind), shown_at=proof.at)
    except SignedOutSince as error:
        raise SignInRefused from error
    except Overtaken:
        # It was refreshed, or it is another's by now.
        _take(sessions, identity_id, proof, kind, cause=cause, now=now)


def _check_anonymous(session: Session, now: datetime) -> None:
    if session.is_over(now) or session.state is SessionState.AUTHENTICATED:
        raise SessionRefused
    if session.state is SessionState.REGISTERING:
        raise RegistrationUnderWay
    if session.state is SessionState.APPROVED:
        raise SessionApproved
