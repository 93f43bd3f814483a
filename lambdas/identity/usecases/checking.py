"""Finding out whether somebody is who they say: by the identity bureau, or by the bank whose customer they are.

The bureau answers on its route or when it is asked how far it is, whichever comes first, and may do both or neither.
The first answer counts. A bank answers at once.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from identity.model import (
    Applicant,
    BankCustomer,
    BankCustomerRefused,
    ContradictingAnswer,
    Outcome,
    Overtaken,
    Registration,
    RegistrationDecided,
    RegistrationState,
    Taken,
    Undecided,
    UnknownRegistration,
)
from identity.usecases.causes import Cause
from identity.usecases.moves import events_of, new_household
from identity.usecases.ports import Bank, Bureau, Registrations
from paygo.config import scaled

FIRST_ASKED_AFTER = timedelta(seconds=30)
"""A bureau that answers on its route has done so by then, and need not be asked how far it is."""


def request_check(
    registrations: Registrations,
    bureau: Callable[[], Bureau],
    bank: Callable[[str], Bank],
    registration_id: str,
    intent: str,
    *,
    cause: Cause,
    now: datetime,
) -> None:
    """Have a submitted registration checked; one that went further is left alone.

    Asked twice, bureau and bank know the intent; answered twice, so do we.
    """
    registration = registrations.find(registration_id)
    if registration is None:
        raise UnknownRegistration
    if registration.state is not RegistrationState.SUBMITTED:
        return
    if registration.applicant:
        bureau().ask(registration_id, registration.applicant, intent)
        after = registration.moved(RegistrationState.CHECKING)
        # Overtaken by the answer, which was faster and says more.
        with suppress(Overtaken):
            registrations.move(registration, after.state, events_of(after, registration.state, cause, now))
        return
    customer = _customer(bank, registration, intent)
    outcome = Outcome.APPROVED if customer else Outcome.REJECTED
    try:
        _settle(registrations, registration, outcome, customer, cause=cause, now=now)
    except Overtaken:
        request_check(registrations, bureau, bank, registration_id, intent, cause=cause, now=now)


def follow_check(
    registrations: Registrations,
    bureau: Callable[[], Bureau],
    registration_id: str,
    *,
    since: datetime,
    cause: Cause,
    now: datetime,
) -> None:
    """Ask the bureau how far it is with a question that it took at `since`.

    Raises
    ------
    Undecided
        When it is to be asked later, for the first time or again.
    """
    registration = registrations.find(registration_id)
    if registration is None or registration.is_decided:
        return
    first_at = since + scaled(FIRST_ASKED_AFTER)
    if now < first_at:
        message = "the bureau may answer by itself"
        raise Undecided(message, first_at - now)
    outcome = bureau().outcome(registration_id)
    if outcome is None:
        message = "the bureau has not decided yet"
        raise Undecided(message)
    # Decided meanwhile, and otherwise: the first answer counts.
    with suppress(ContradictingAnswer, RegistrationDecided):
        decide(registrations, registration_id, outcome, cause=cause, now=now)


def decide(
    registrations: Registrations, registration_id: str, outcome: Outcome, *, cause: Cause, now: datetime
) -> None:
    """Take the bureau's answer; the same answer again changes nothing.

    Raises
    ------
    UnknownRegistration
        When the bureau was never asked about it.
    RegistrationDecided
        When the registration expired before.
    ContradictingAnswer
        When the bureau answered differently before.
    """
    registration = registrations.find(registration_id)
    if registration is None or registration.applicant is None:
        raise UnknownRegistration
    if registration.state is RegistrationState.UNCONFIRMED:
        raise UnknownRegistration
    if registration.state is RegistrationState.EXPIRED:
        raise RegistrationDecided
    if registration.is_decided:
        if registration.outcome is not outcome:
            raise ContradictingAnswer
        return
    try:
        _settle(registrations, registration, outcome, registration.applicant, cause=cause, now=now)
    except Overtaken:
        decide(registrations, registration_id, outcome, cause=cause, now=now)


def _customer(bank: Callable[[str], Bank], registration: Registration, intent: str) -> BankCustomer | None:
    partner, proof = registration.partner, registration.proof
    if partner is None or proof is None:
        return None  # What proves nothing is nobody's.
    try:
        return bank(partner).verify(proof.customer_number, proof.one_time_code, intent)
    except BankCustomerRefused:
        return None


def _settle(
    registrations: Registrations,
    registration: Registration,
    outcome: Outcome,
    known: Applicant | BankCustomer | None,
    *,
    cause: Cause,
    now: datetime,
) -> None:
    if outcome is Outcome.APPROVED and known:
        after = registration.moved(RegistrationState.APPROVED)
        household = new_household(registration, known, cause, now)
        with suppress(Taken):
            registrations.approve(registration, known, events_of(after, registration.state, cause, now, household), now)
            return
    after = registration.moved(RegistrationState.REJECTED)
    registrations.refuse(registration, after.state, outcome, events_of(after, registration.state, cause, now), now)
