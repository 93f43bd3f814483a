"""Registering a household: its account, the question to the identity bureau, and the bureau's answer.

An e-mail address that has a household already is found out when the household would be made, after the bureau's check.
Until then every step is the same as for a new address, so the caller learns no more than that the registration was
rejected. The address is claimed by an item of its own in the transaction that makes the household: two registrations
with one address cannot both be approved, and one that never finishes blocks nobody. The user pool does not decide it,
because an address that is not verified is no alias there and may stand with several users.
"""

from datetime import datetime
from typing import Protocol

from identity.model import (
    DECIDED,
    Applicant,
    ContradictingAnswer,
    EmailTaken,
    Outcome,
    Overtaken,
    Registration,
    RegistrationState,
    RegistrationUnderWay,
    UnknownRegistration,
    registration_ids,
)
from identity.usecases.causes import Cause
from paygo.events import Event, HouseholdRegistered, RegistrationSubmitted
from paygo.security import Session, SessionState


class Registrations(Protocol):
    """Where registrations and households are kept, with the sessions they move and the events they cause."""

    def find(self, registration_id: str) -> Registration | None:
        """Return the registration."""

    def submit(self, registration: Registration, event: Event[RegistrationSubmitted]) -> None:
        """Write a new registration; raise `Overtaken` when its session is no longer anonymous."""

    def mark_checking(self, registration_id: str) -> None:
        """Note that the bureau took the question; raise `Overtaken` when it has answered already."""

    def approve(self, registration: Registration, event: Event[HouseholdRegistered], now: datetime) -> None:
        """Make the household; raise `EmailTaken`, or `Overtaken` when registration or session moved meanwhile."""

    def reject(self, registration: Registration, outcome: Outcome) -> None:
        """Refuse the household and let its session try again; raise `Overtaken` when one of them moved meanwhile."""


class Users(Protocol):
    """The user pool."""

    def keep(self, username: str, email: str, password: str) -> None:
        """Make the user or, after a crash, finish making it.

        Raises
        ------
        WeakPassword
            When the pool's policy refuses the password.
        UnusableEmail
            When the pool does not take the address for one.
        """

    def remove(self, username: str) -> None:
        """Delete the user, if it is there."""


class Bureau(Protocol):
    """The third party that checks identities."""

    def ask(self, registration_id: str, applicant: Applicant, intent: str) -> None:
        """Ask it to check the applicant and to answer later; the same intent again is the same check."""


def submit(
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
    """Take the session's registration; the same intent again returns what the first made.

    Raises
    ------
    RegistrationUnderWay
        When the session has another registration that is not rejected.
    WeakPassword, UnusableEmail
        When the user pool refuses the password or the address.
    """
    registration_id, household_id = registration_ids(session.session_id, intent)
    known = registrations.find(registration_id)
    if known:
        return known
    if session.state is not SessionState.ANONYMOUS:
        raise RegistrationUnderWay
    # The user comes first: without its row it is an account that opens nothing, and a retry finds it again.
    users.keep(household_id, applicant.email, password)
    registration = Registration(
        registration_id=registration_id,
        household_id=household_id,
        session_id=session.session_id,
        identity_id=session.identity_id,
        applicant=applicant,
        state=RegistrationState.SUBMITTED,
        submitted_at=now,
    )
    event = Event.about(
        registration_id,
        RegistrationSubmitted(registration_id=registration_id),
        source=cause.source,
        time=now,
        correlation_id=cause.correlation_id,
    )
    try:
        registrations.submit(registration, event)
    except Overtaken as error:
        raise RegistrationUnderWay from error
    return registration


def read(registrations: Registrations, registration_id: str, session: Session) -> Registration:
    """Return the session's own registration; raise `UnknownRegistration` for any other."""
    registration = registrations.find(registration_id)
    if registration is None or registration.session_id != session.session_id:
        raise UnknownRegistration
    return registration


def request_check(registrations: Registrations, bureau: Bureau, registration_id: str, intent: str) -> None:
    """Ask the bureau about a submitted registration; one that went further is left alone.

    Asked twice, the bureau knows the intent and the reference; answered twice, so do we.
    """
    registration = registrations.find(registration_id)
    if registration is None:
        raise UnknownRegistration
    if registration.state is not RegistrationState.SUBMITTED:
        return
    bureau.ask(registration_id, registration.applicant, intent)
    try:
        registrations.mark_checking(registration_id)
    except Overtaken:
        return  # The answer was faster, and says more.


def decide(
    registrations: Registrations,
    users: Users,
    registration_id: str,
    outcome: Outcome,
    *,
    cause: Cause,
    now: datetime,
) -> None:
    """Take the bureau's answer; the same answer again changes nothing.

    Raises
    ------
    UnknownRegistration
        When the bureau was never asked about it.
    ContradictingAnswer
        When it answered differently before.
    """
    registration = registrations.find(registration_id)
    if registration is None:
        raise UnknownRegistration
    state = registration.state
    if state not in DECIDED:
        try:
            state = _settle(registrations, registration, outcome, cause, now)
        except Overtaken:
            return decide(registrations, users, registration_id, outcome, cause=cause, now=now)
    elif registration.outcome is not outcome:
        raise ContradictingAnswer
    if state is RegistrationState.REJECTED:
        # After the decision, and again with a repeated answer: a crash in between must not leave the account behind.
        users.remove(registration.household_id)
    return None


def _settle(
    registrations: Registrations, registration: Registration, outcome: Outcome, cause: Cause, now: datetime
) -> RegistrationState:
    if outcome is Outcome.APPROVED:
        household = HouseholdRegistered(
            household_id=registration.household_id,
            given_name=registration.applicant.given_name,
            email=registration.applicant.email,
        )
        event = Event.about(
            registration.household_id,
            household,
            source=cause.source,
            time=now,
            correlation_id=cause.correlation_id,
        )
        try:
            registrations.approve(registration, event, now)
        except EmailTaken:
            pass
        else:
            return RegistrationState.APPROVED
    registrations.reject(registration, outcome)
    return RegistrationState.REJECTED
