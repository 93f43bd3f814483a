"""What registering a household needs of the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from identity.model import Applicant, BankCustomer, Code, Outcome, Registration, RegistrationState
from paygo.events import Event
from paygo.mail import Mail
from paygo.security import Session


class Registrations(Protocol):
    """Where registrations and households are kept, with the sessions they move and the events they cause.

    Each write is one transaction, and raises `Overtaken` when a row is no longer what the write goes out from.
    """

    def find(self, registration_id: str) -> Registration | None:
        """Return the registration."""

    def find_code(self, registration_id: str) -> Code | None:
        """Return the code that was e-mailed last."""

    def add(self, registration: Registration, code: Code | None, events: Sequence[Event[Any]]) -> None:
        """Write a new registration of an anonymous session."""

    def move(self, registration: Registration, state: RegistrationState, events: Sequence[Event[Any]]) -> None:
        """Move an undecided registration on."""

    def count_mail(self, email: str, now: datetime) -> int:
        """Count one more code that the address is sent today (UTC), and return how many there are."""

    def note(self, event: Event[Any]) -> None:
        """Write an event of what moves no registration."""

    def replace_code(self, registration: Registration, before: Code, after: Code, events: Sequence[Event[Any]]) -> None:
        """Make the code before void."""

    def count_try(self, code: Code) -> None:
        """Note that the code is tried once more."""

    def approve(
        self, registration: Registration, known: Applicant | BankCustomer, events: Sequence[Event[Any]], now: datetime
    ) -> None:
        """Make the household; raise `Taken` when another has the e-mail address or is the customer."""

    def refuse(
        self,
        registration: Registration,
        state: RegistrationState,
        outcome: Outcome | None,
        events: Sequence[Event[Any]],
        now: datetime,
    ) -> None:
        """Make no household and let the session try again."""


class Tries(Protocol):
    """How often each session tried to show who it is."""

    def count_try(self, session: Session) -> int:
        """Count a try of the session, and return how many there are."""


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

    def admit(self, username: str, email: str) -> None:
        """Let the user sign in by the e-mail address, which it confirmed, and by no other."""

    def remove(self, username: str) -> None:
        """Delete the user, if it is there."""


class Bureau(Protocol):
    """The third party that checks identities."""

    def ask(self, registration_id: str, applicant: Applicant, intent: str) -> None:
        """Ask it to check the applicant and to answer later; the same intent again is the same check."""

    def outcome(self, registration_id: str) -> Outcome | None:
        """Return what it found, if it has found it by now."""


class Bank(Protocol):
    """A partner that vouches for its own customers."""

    def verify(self, customer_number: str, one_time_code: str, intent: str) -> BankCustomer:
        """Return the customer; the same intent again is the same question.

        Raises
        ------
        BankCustomerRefused
            When number or code are not right.
        """


class Post(Protocol):
    """What carries messages."""

    def send(self, mail: Mail) -> None:
        """Send the message."""
