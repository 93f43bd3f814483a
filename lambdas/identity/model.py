"""Registrations and their moves: rules that need no cloud."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict


class RegistrationState(StrEnum):
    """Where a registration stands."""

    SUBMITTED = "submitted"
    CHECKING = "checking"
    APPROVED = "approved"
    REJECTED = "rejected"


MOVES: Mapping[RegistrationState, frozenset[RegistrationState]] = {
    # The bureau's answer may arrive before it was noted that the bureau took the question.
    RegistrationState.SUBMITTED: frozenset(
        {RegistrationState.CHECKING, RegistrationState.APPROVED, RegistrationState.REJECTED}
    ),
    RegistrationState.CHECKING: frozenset({RegistrationState.APPROVED, RegistrationState.REJECTED}),
    RegistrationState.APPROVED: frozenset(),
    RegistrationState.REJECTED: frozenset(),
}
"""The states that a registration may move to from each state."""

DECIDED = frozenset(state for state, targets in MOVES.items() if not targets)


def sources[State: StrEnum](moves: Mapping[State, frozenset[State]], target: State) -> list[State]:
    """Return the states from which `moves` leads to `target`."""
    return [state for state, targets in moves.items() if target in targets]


class Outcome(StrEnum):
    """What the identity bureau found."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Applicant(BaseModel):
    """Who asks to be registered."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    email: str
    given_name: str
    family_name: str
    phone: str


class BankCustomer(BaseModel):
    """Whom a bank vouches for: its own customer."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    customer_id: str
    given_name: str
    family_name: str
    email: str
    phone: str


class Registration(BaseModel):
    """One try of a session to become a household."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    registration_id: str
    household_id: str
    session_id: str
    identity_id: str
    applicant: Applicant
    state: RegistrationState
    submitted_at: AwareDatetime
    outcome: Outcome | None = None


def registration_ids(session_id: str, intent: str) -> tuple[str, str]:
    """Return the ids of the registration and of the household that the session's intent leads to.

    They are derived and not drawn, so that a retry after a crash finds the user that the first try left in the pool.
    """
    registration_id = uuid5(UUID(session_id), intent)
    return str(registration_id), str(uuid5(registration_id, "household"))


class IdentityRefusal(Exception):
    """What a caller asked for cannot be: the service's exceptions that callers are told about."""


class RegistrationUnderWay(IdentityRefusal):
    """The session has a registration already."""


class UnknownRegistration(IdentityRefusal):
    """There is no such registration for this caller."""


class WeakPassword(IdentityRefusal):
    """The user pool's policy refuses the password."""


class UnusableEmail(IdentityRefusal):
    """The user pool does not take the e-mail address for one."""


class ContradictingAnswer(IdentityRefusal):
    """The bureau answered this registration differently before."""


class EmailTaken(Exception):
    """Another household has the e-mail address; no caller is ever told."""


class Overtaken(Exception):
    """Another request changed the rows meanwhile: read them again and decide anew."""


class BankCustomerRefused(Exception):
    """The bank does not know the customer number, or the one-time code is not right."""
