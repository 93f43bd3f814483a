"""Registrations and households as items, and every condition on them.

REGISTRATION#<id>             REGISTRATION   the registration
REGISTRATION#<id>             CODE           the code that was e-mailed last
HOUSEHOLD#<id>                HOUSEHOLD      the household
HOUSEHOLD#<id>                SESSION#<id>   a session of the household: see `identity.memberships`
EMAIL#<hash>                  EMAIL          whose e-mail address it is
EMAIL#<hash>                  CODES#<day>    how many codes the address was sent that day
CUSTOMER#<partner>#<hash>     CUSTOMER       which household the partner's customer is
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from identity.endings import ending_at
from identity.hashes import sha256
from identity.lifecycle import ANONYMOUS_FOR
from identity.memberships import household_key, membership_item
from identity.model import (
    MOVES,
    REFUSED_KEPT_FOR,
    Applicant,
    BankCustomer,
    Code,
    Outcome,
    Overtaken,
    Person,
    Registration,
    RegistrationState,
    Taken,
    sources,
)
from paygo.events import Event
from paygo.outbox import outbox_write
from paygo.security import Session, SessionState, session_key
from paygo.storage import ABSENT, ConditionFailed, Table, TransactionRefused, Write, sortable

CODES_KEPT_FOR = timedelta(days=1)
"""How long a code outlives its registration, so that confirming twice answers twice."""


class RegistrationTable:
    """Registrations and households, written together with the session they move and the events they cause."""

    def __init__(self, table: Table, sessions: Table) -> None:
        self._table = table
        self._sessions = sessions

    def find(self, registration_id: str) -> Registration | None:
        """Return the registration."""
        row = self._table.get(**_registration_key(registration_id))
        return Registration.model_validate(row) if row else None

    def find_code(self, registration_id: str) -> Code | None:
        """Return the code that was e-mailed last."""
        row = self._table.get(**_code_key(registration_id))
        return Code.model_validate(row) if row else None

    def customer(self, partner: str, customer_id: str) -> str | None:
        """Return the household that the partner's customer is."""
        row = self._table.get(**_customer_key(partner, customer_id))
        return str(row["household_id"]) if row else None

    def may_sign_in(self, household_id: str, signed_in_at: datetime) -> bool:
        """Tell whether there is such a household, which has not signed out everywhere since that time."""
        row = self._table.get(**household_key(household_id))
        return row is not None and sortable(signed_in_at) > row.get("signed_out_at", "")

    def add(self, registration: Registration, code: Code | None, events: Sequence[Event[Any]]) -> None:
        """Write a new registration; raise `Overtaken` when its session is no longer anonymous."""
        row = registration.model_dump(mode="json", exclude_none=True)
        self._transact(
            self._table.putting(_registration_key(registration.registration_id) | row, ABSENT),
            self._moving_session(
                registration,
                SessionState.REGISTERING,
                # The session outlasts its registration, so that its caller learns what became of that.
                {"registration_id": registration.registration_id}
                | ending_at(registration.undecided_until + ANONYMOUS_FOR),
                Attr("state").eq(SessionState.ANONYMOUS.value),
            ),
            *([self._table.putting(_code_item(registration, code), ABSENT)] if code else []),
            *self._publishing(events),
        )

    def move(self, registration: Registration, state: RegistrationState, events: Sequence[Event[Any]]) -> None:
        """Move an undecided registration on; raise `Overtaken` when it moved meanwhile."""
        self._transact(self._moving(registration, state), *self._publishing(events))

    def count_mail(self, email: str, now: datetime) -> int:
        """Count one more code that the address is sent today (UTC), and return how many there are."""
        key = {"pk": _email_key(email)["pk"], "sk": f"CODES#{now.astimezone(UTC).date().isoformat()}"}
        return self._table.add(key, {"sent": 1}, expires_at=int((now + CODES_KEPT_FOR).timestamp()))["sent"]

    def note(self, event: Event[Any]) -> None:
        """Write an event of what moves no registration."""
        self._transact(*self._publishing([event]))

    def replace_code(self, registration: Registration, before: Code, after: Code, events: Sequence[Event[Any]]) -> None:
        """Make the code before void; raise `Overtaken` when it is so already or the registration needs none."""
        self._transact(
            self._table.putting(_code_item(registration, after), Attr("number").eq(before.number)),
            self._table.checking(
                _registration_key(registration.registration_id),
                Attr("state").eq(RegistrationState.UNCONFIRMED.value),
            ),
            *self._publishing(events),
        )

    def count_try(self, code: Code) -> None:
        """Note that the code is tried once more; raise `Overtaken` when another try was noted meanwhile."""
        try:
            self._table.update(
                _code_key(code.registration_id),
                {"tries": code.tries + 1},
                Attr("number").eq(code.number) & Attr("tries").eq(code.tries),
            )
        except ConditionFailed as error:
            raise Overtaken from error

    def approve(
        self, registration: Registration, known: Applicant | BankCustomer, events: Sequence[Event[Any]], now: datetime
    ) -> None:
        """Make the household.

        Raises
        ------
        Taken
            When another household has the e-mail address, or is the bank's customer.
        Overtaken
            When the registration or its session moved meanwhile.
        """
        household_id = registration.household_id
        claim = self._table.putting(_claim_key(registration, known) | {"household_id": household_id}, ABSENT)
        household = self._table.putting(
            {
                **household_key(household_id),
                "household_id": household_id,
                "kind": registration.kind.value,
                "registration_id": registration.registration_id,
                "registered_at": now.isoformat(),
                **({"partner": registration.partner} if registration.partner else {}),
                **Person.of(known).model_dump(),
            },
            ABSENT,
        )
        session = self._waiting_session(registration)
        going_on = (
            [
                self._moving_waiting(registration, SessionState.APPROVED, {"household_id": household_id}),
                self._table.putting(membership_item(session, household_id)),
            ]
            if session
            else []
        )
        try:
            self._table.transact(
                [
                    claim,
                    household,
                    self._moving(registration, RegistrationState.APPROVED, {"outcome": Outcome.APPROVED.value}),
                    *going_on,
                    *self._publishing(events),
                ]
            )
        except TransactionRefused as error:
            raise Taken if error.failed == (0,) else Overtaken from error

    def refuse(
        self,
        registration: Registration,
        state: RegistrationState,
        outcome: Outcome | None,
        events: Sequence[Event[Any]],
        now: datetime,
    ) -> None:
        """Make no household and let the session try again; raise `Overtaken` when one of them moved meanwhile."""
        changes: dict[str, Any] = {"expires_at": int((now + REFUSED_KEPT_FOR).timestamp())}
        if outcome:
            changes["outcome"] = outcome.value
        session = self._waiting_session(registration)
        self._transact(
            self._moving(registration, state, changes),
            *(
                [self._moving_waiting(registration, SessionState.ANONYMOUS, {"registration_id": None})]
                if session
                else []
            ),
            *self._publishing(events),
        )

    def _moving(
        self, registration: Registration, state: RegistrationState, changes: Mapping[str, Any] | None = None
    ) -> Write:
        # Whichever way it is decided, the bank need not be asked again.
        done = ["proof"] if registration.moved(state).is_decided else []
        return self._table.updating(
            _registration_key(registration.registration_id),
            {"state": state.value, **(changes or {})},
            Attr("state").is_in([before.value for before in sources(MOVES[registration.kind], state)]),
            remove=done,
        )

    def _waiting_session(self, registration: Registration) -> Session | None:
        # The household is decided on even if its session was revoked or is over: only the session cannot go on.
        row = self._sessions.get(**session_key(registration.identity_id))
        session = Session.model_validate(row) if row else None
        waits = (
            session is not None
            and session.state is SessionState.REGISTERING
            and session.registration_id == registration.registration_id
        )
        return session if waits else None

    def _moving_waiting(self, registration: Registration, state: SessionState, changes: Mapping[str, Any]) -> Write:
        waits = Attr("state").eq(SessionState.REGISTERING.value)
        return self._moving_session(
            registration, state, changes, waits & Attr("registration_id").eq(registration.registration_id)
        )

    def _moving_session(
        self, registration: Registration, state: SessionState, changes: Mapping[str, Any], condition: ConditionBase
    ) -> Write:
        return self._sessions.updating(
            session_key(registration.identity_id), {"state": state.value, **changes}, condition
        )

    def _publishing(self, events: Sequence[Event[Any]]) -> list[Write]:
        return [outbox_write(self._table, event) for event in events]

    def _transact(self, *writes: Write) -> None:
        try:
            self._table.transact(writes)
        except TransactionRefused as error:
            raise Overtaken from error


def _registration_key(registration_id: str) -> dict[str, str]:
    return {"pk": f"REGISTRATION#{registration_id}", "sk": "REGISTRATION"}


def _code_key(registration_id: str) -> dict[str, str]:
    return {"pk": f"REGISTRATION#{registration_id}", "sk": "CODE"}


def _code_item(registration: Registration, code: Code) -> dict[str, Any]:
    expires_at = int((registration.undecided_until + CODES_KEPT_FOR).timestamp())
    return _code_key(code.registration_id) | code.model_dump(mode="json") | {"expires_at": expires_at}


def _claim_key(registration: Registration, known: Applicant | BankCustomer) -> dict[str, str]:
    # What a household signs in with belongs to one household: an address that it confirmed, or being a bank's customer.
    # The address that a bank names was confirmed by nobody here, and must not keep its owner out.
    if isinstance(known, BankCustomer):
        return _customer_key(str(registration.partner), known.customer_id)
    return _email_key(known.email)


def _email_key(email: str) -> dict[str, str]:
    # Hashed, because keys show up in metrics and trails where a person's address must not.
    return {"pk": f"EMAIL#{sha256(email.lower())}", "sk": "EMAIL"}


def _customer_key(partner: str, customer_id: str) -> dict[str, str]:
    return {"pk": f"CUSTOMER#{partner}#{sha256(customer_id)}", "sk": "CUSTOMER"}
