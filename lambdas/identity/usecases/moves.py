"""What is told of a registration's move: every one is an event, and an act that the audit keeps."""

from datetime import datetime
from typing import Any

from identity.model import Applicant, BankCustomer, Code, Registration, RegistrationState
from identity.usecases.causes import Cause
from paygo.audit import Act, audit_event
from paygo.events import (
    CodeRequested,
    Event,
    EventData,
    HouseholdRegistered,
    RegistrationMoved,
    RegistrationSubmitted,
)


def events_of(
    after: Registration, previous: RegistrationState | None, cause: Cause, now: datetime, *more: Event[Any]
) -> list[Event[Any]]:
    """Return the events of the move that led from `previous` to `after`, with what else is to be told of it."""
    moved = RegistrationMoved(
        registration_id=after.registration_id,
        session_id=after.session_id,
        kind=after.kind.value,
        state=after.state.value,
        previous=previous and previous.value,
    )
    detail = {"kind": after.kind.value, "state": after.state.value}
    if previous:
        detail["previous"] = previous.value
    if after.partner:
        detail["partner"] = after.partner
    audit = audit_event(
        Act.REGISTRATION_MOVED,
        source=cause.source,
        time=now,
        correlation_id=cause.correlation_id,
        origin=cause.origin,
        concerned=after,
        detail=detail,
    )
    return [_about(after.registration_id, moved, cause, now), *more, audit]


def code_wanted(code: Code, cause: Cause, now: datetime) -> Event[CodeRequested]:
    """Return the event that has the code sent."""
    wanted = CodeRequested(registration_id=code.registration_id, number=code.number)
    return _about(code.registration_id, wanted, cause, now)


def submission(registration: Registration, cause: Cause, now: datetime) -> Event[RegistrationSubmitted]:
    """Return the event that has the registration checked."""
    registration_id = registration.registration_id
    return _about(registration_id, RegistrationSubmitted(registration_id=registration_id), cause, now)


def new_household(
    registration: Registration, known: Applicant | BankCustomer, cause: Cause, now: datetime
) -> Event[HouseholdRegistered]:
    """Return the event that tells the other services of the household."""
    household_id = registration.household_id
    registered = HouseholdRegistered(household_id=household_id, given_name=known.given_name, email=known.email)
    return _about(household_id, registered, cause, now)


def _about[Data: EventData](subject: str, data: Data, cause: Cause, now: datetime) -> Event[Data]:
    """Return an event about what has this id."""
    return Event[Data].about(subject, data, source=cause.source, time=now, correlation_id=cause.correlation_id)
