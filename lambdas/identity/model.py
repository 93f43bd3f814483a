"""Registrations, their moves, and refresh tokens: rules that need no cloud."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
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


_HALF = 22
"""Characters of 16 random bytes in URL-safe Base64."""
_TOKEN = re.compile(rf"(?P<identity>[^.\s]{{1,128}})\.(?P<secret>[A-Za-z0-9_-]{{{2 * _HALF}}})")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token that works once: `<identity id>.<secret>`, of which only hashes are stored.

    The secret's first half is its family: it stays the same from one token to the next, so that one hash in the
    session's row tells a token that was used before (somebody copied it) from one that the session never had (somebody
    guesses). The second half is drawn anew for each token. Each half is 128 bits of chance.
    """

    identity_id: str
    secret: str

    @classmethod
    def new(cls, identity_id: str) -> Self:
        """Draw the first token of a family."""
        return cls(identity_id, secrets.token_urlsafe(16) + secrets.token_urlsafe(16))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the token that `text` is, if it is one."""
        found = _TOKEN.fullmatch(text)
        return cls(found["identity"], found["secret"]) if found else None

    def next(self) -> Self:
        """Draw the next token of the family."""
        return type(self)(self.identity_id, self.secret[:_HALF] + secrets.token_urlsafe(16))

    def __str__(self) -> str:
        return f"{self.identity_id}.{self.secret}"

    def __repr__(self) -> str:
        return f"RefreshToken({self.identity_id!r})"

    @property
    def hash(self) -> str:
        """What is stored of the token."""
        return _sha256(self.secret)

    @property
    def family_hash(self) -> str:
        """What is stored of the token's family."""
        return _sha256(self.secret[:_HALF])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class IdentityRefusal(Exception):
    """What a caller asked for cannot be: the service's exceptions that callers are told about."""


class RefreshRefused(IdentityRefusal):
    """The refresh token is unknown, was used before, or its session is over."""


class RegistrationUndecided(IdentityRefusal):
    """The session's registration is not approved."""


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
