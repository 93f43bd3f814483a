"""Registrations and their moves: rules that need no cloud."""

import hmac
import secrets
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from paygo.outcomes import NotReady


class RegistrationKind(StrEnum):
    """Who knows the household: we ourselves, or a partner whose customer it is."""

    OWN = "own"
    PARTNER = "partner"


class RegistrationState(StrEnum):
    """Where a registration stands."""

    UNCONFIRMED = "unconfirmed"
    SUBMITTED = "submitted"
    CHECKING = "checking"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


type Moves = Mapping[RegistrationState, frozenset[RegistrationState]]

_ENDS = frozenset({RegistrationState.APPROVED, RegistrationState.REJECTED, RegistrationState.EXPIRED})

MOVES: Mapping[RegistrationKind, Moves] = {
    RegistrationKind.OWN: {
        RegistrationState.UNCONFIRMED: frozenset({RegistrationState.SUBMITTED, RegistrationState.EXPIRED}),
        # The bureau's answer may arrive before it was noted that the bureau took the question.
        RegistrationState.SUBMITTED: frozenset({RegistrationState.CHECKING}) | _ENDS,
        RegistrationState.CHECKING: _ENDS,
        **dict.fromkeys(_ENDS, frozenset()),
    },
    RegistrationKind.PARTNER: {
        RegistrationState.SUBMITTED: _ENDS,
        **dict.fromkeys(_ENDS, frozenset()),
    },
}
"""The states that a registration of each kind may move to from each state; the first is where it begins."""

DECIDED = _ENDS

UNDECIDED_FOR = timedelta(hours=24)
"""How long a registration waits for its household, the bureau or the bank: as long as its session."""

REFUSED_KEPT_FOR = timedelta(days=30)
"""How long a person's data are kept who did not become a household."""

LEAST_AGE_YEARS = 18


def first_state(kind: RegistrationKind) -> RegistrationState:
    """Return the state in which a registration begins."""
    return next(iter(MOVES[kind]))


def sources[State: StrEnum](moves: Mapping[State, frozenset[State]], target: State) -> list[State]:
    """Return the states from which `moves` leads to `target`."""
    return [state for state, targets in moves.items() if target in targets]


def is_of_age(born: date, today: date) -> bool:
    """Tell whether somebody may be a household.

    Examples
    --------
    >>> is_of_age(date(2008, 2, 29), date(2026, 2, 28)), is_of_age(date(2008, 2, 29), date(2026, 3, 1))
    (False, True)
    """
    birthdays = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return birthdays >= LEAST_AGE_YEARS


class Outcome(StrEnum):
    """What the identity bureau or the bank found."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Value(BaseModel):
    """Something that never changes; errors do not repeat its content, which may be a person's."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Applicant(Value):
    """Who asks to be registered."""

    email: str
    given_name: str
    family_name: str
    date_of_birth: date
    phone: str


class Proof(Value):
    """What a bank knows its own customer by, for as long as it has not been asked."""

    customer_number: str = Field(repr=False)
    one_time_code: str = Field(repr=False)


class BankCustomer(Value):
    """Whom a bank vouches for: its own customer."""

    customer_id: str
    given_name: str
    family_name: str
    email: str
    phone: str


class Person(Value):
    """Who a household is."""

    given_name: str
    family_name: str
    email: str
    phone: str

    @classmethod
    def of(cls, known: Applicant | BankCustomer) -> Self:
        """Return what is kept of somebody who was found to be who they say."""
        return cls(given_name=known.given_name, family_name=known.family_name, email=known.email, phone=known.phone)


class Registration(Value):
    """One try of a session to become a household.

    Parameters
    ----------
    applicant
        Of an own household: who is checked.
    partner, proof
        Of a partner's customer: who vouches, and what for; the proof goes once the partner was asked.
    undecided_until
        When it expires if nobody has decided by then.
    outcome
        What the bureau or the bank said. Even an approved person is rejected whose address is another household's.
    """

    registration_id: str
    household_id: str
    session_id: str
    identity_id: str
    kind: RegistrationKind
    state: RegistrationState
    submitted_at: AwareDatetime
    undecided_until: AwareDatetime
    applicant: Applicant | None = None
    partner: str | None = None
    proof: Proof | None = None
    outcome: Outcome | None = None

    def moved(self, state: RegistrationState) -> Self:
        """Return the registration in another state."""
        return self.model_copy(update={"state": state})

    @property
    def is_decided(self) -> bool:
        """Tell whether nothing moves it any more."""
        return self.state in DECIDED


CODE_FOR = timedelta(minutes=15)
TRIES = 5
CODES = 3
"""With five tries each, somebody who guesses finds one of them in 67,000 registrations."""


class Code(Value):
    """The code that was e-mailed last.

    Parameters
    ----------
    number
        How many codes the registration has had with this one.
    tries
        How many times it was tried.
    """

    registration_id: str
    code: str = Field(repr=False)
    number: int
    tries: int
    ends_at: AwareDatetime

    @classmethod
    def drawn(cls, registration_id: str, number: int, now: datetime) -> Self:
        """Draw a code of six digits."""
        return cls(
            registration_id=registration_id,
            code=f"{secrets.randbelow(1_000_000):06}",
            number=number,
            tries=0,
            ends_at=now + CODE_FOR,
        )

    def may_be_tried(self, now: datetime) -> bool:
        """Tell whether the code is worth comparing."""
        return self.tries < TRIES and now < self.ends_at

    def is_(self, text: str) -> bool:
        """Tell whether it is the code, in a time that does not say how much of it is right."""
        return hmac.compare_digest(self.code.encode(), text.encode())


def registration_ids(session_id: str, kind: RegistrationKind, intent: str) -> tuple[str, str]:
    """Return the ids of the registration and of the household that the session's intent leads to.

    They are derived and not drawn, so that a retry after a crash finds the user that the first try left in the pool;
    and from the kind too, lest a bank's customer be given that user, and with it a password to its household.
    """
    registration_id = uuid5(UUID(session_id), f"{kind}/{intent}")
    return str(registration_id), str(uuid5(registration_id, "household"))


class IdentityRefusal(Exception):
    """What a caller asked for cannot be: the service's exceptions that callers are told about."""


class RegistrationUnderWay(IdentityRefusal):
    """The session has a registration already."""


class RegistrationDecided(IdentityRefusal):
    """The registration is approved, rejected or expired, and nothing changes that."""


class RegistrationConfirmed(IdentityRefusal):
    """The registration needs no other code."""


class CodeRefused(IdentityRefusal):
    """The code is wrong, void or over, or was tried too often; which of them nobody is told."""


class TooManyCodes(IdentityRefusal):
    """The registration had as many codes as it gets."""


class UnknownRegistration(IdentityRefusal):
    """There is no such registration for this caller."""


class TooYoung(IdentityRefusal):
    """The applicant is no adult."""


class WeakPassword(IdentityRefusal):
    """The user pool's policy refuses the password."""


class UnusableEmail(IdentityRefusal):
    """The user pool does not take the e-mail address for one."""


class ContradictingAnswer(IdentityRefusal):
    """The bureau answered this registration differently before."""


class Taken(Exception):
    """Another household has the e-mail address, or is the bank's customer; no caller is ever told."""


class Overtaken(Exception):
    """Another request changed the rows meanwhile: read them again and decide anew."""


class BankCustomerRefused(Exception):
    """The bank does not know the customer number, or the one-time code is not right."""


class Undecided(NotReady):
    """The bureau has not answered yet, or the registration has time left."""
