"""Registrations and households as items, and every condition on them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from identity.lifecycle import SESSION_MOVES
from identity.model import MOVES, EmailTaken, Outcome, Overtaken, Registration, RegistrationState, sources
from paygo.events import Event, HouseholdRegistered, RegistrationSubmitted
from paygo.outbox import outbox_write
from paygo.security import SessionState, session_key
from paygo.storage import ABSENT, ConditionFailed, Table, TransactionRefused, Write


class RegistrationTable:
    """Registrations and households, written together with the session they move and the event they cause."""

    def __init__(self, table: Table, sessions: Table) -> None:
        self._table = table
        self._sessions = sessions

    def find(self, registration_id: str) -> Registration | None:
        """Return the registration."""
        row = self._table.get(**_registration_key(registration_id))
        return Registration.model_validate(row) if row else None

    def submit(self, registration: Registration, event: Event[RegistrationSubmitted]) -> None:
        """Write a new registration; raise `Overtaken` when its session is no longer anonymous."""
        row = _registration_key(registration.registration_id) | registration.model_dump(mode="json")
        self._transact(
            self._table.putting(row, ABSENT),
            self._moving_session(
                registration, SessionState.REGISTERING, {"registration_id": registration.registration_id}
            ),
            outbox_write(self._table, event),
        )

    def mark_checking(self, registration_id: str) -> None:
        """Note that the bureau took the question; raise `Overtaken` when it has answered already."""
        try:
            self._table.update(
                _registration_key(registration_id),
                {"state": RegistrationState.CHECKING.value},
                _may_move(MOVES, RegistrationState.CHECKING),
            )
        except ConditionFailed as error:
            raise Overtaken from error

    def approve(self, registration: Registration, event: Event[HouseholdRegistered], now: datetime) -> None:
        """Make the household.

        Raises
        ------
        EmailTaken
            When another household has the e-mail address.
        Overtaken
            When the registration or its session moved meanwhile.
        """
        household_id = registration.household_id
        email = registration.applicant.email
        claim = self._table.putting(_email_key(email) | {"household_id": household_id}, ABSENT)
        household = self._table.putting(
            {
                "pk": f"HOUSEHOLD#{household_id}",
                "sk": "HOUSEHOLD",
                "household_id": household_id,
                "registration_id": registration.registration_id,
                "registered_at": now.isoformat(),
                **registration.applicant.model_dump(),
            },
            ABSENT,
        )
        try:
            self._table.transact(
                [
                    claim,
                    household,
                    self._deciding(registration, RegistrationState.APPROVED, Outcome.APPROVED),
                    *self._moving_waiting_session(registration, SessionState.APPROVED, {"household_id": household_id}),
                    outbox_write(self._table, event),
                ]
            )
        except TransactionRefused as error:
            raise EmailTaken if error.failed == (0,) else Overtaken from error

    def reject(self, registration: Registration, outcome: Outcome) -> None:
        """Refuse the household and let its session try again; raise `Overtaken` when one of them moved meanwhile."""
        self._transact(
            self._deciding(registration, RegistrationState.REJECTED, outcome),
            *self._moving_waiting_session(registration, SessionState.ANONYMOUS, {"registration_id": None}),
        )

    def _deciding(self, registration: Registration, state: RegistrationState, outcome: Outcome) -> Write:
        return self._table.updating(
            _registration_key(registration.registration_id),
            {"state": state.value, "outcome": outcome.value},
            _may_move(MOVES, state),
        )

    def _moving_waiting_session(
        self, registration: Registration, state: SessionState, changes: Mapping[str, Any]
    ) -> list[Write]:
        # The household is decided on even if its session was revoked or is over: only the session cannot go on.
        row = self._sessions.get(**session_key(registration.identity_id))
        waits = row is not None and row["state"] == SessionState.REGISTERING.value
        return [self._moving_session(registration, state, changes)] if waits else []

    def _moving_session(self, registration: Registration, state: SessionState, changes: Mapping[str, Any]) -> Write:
        return self._sessions.updating(
            session_key(registration.identity_id),
            {"state": state.value, **changes},
            _may_move(SESSION_MOVES, state),
        )

    def _transact(self, *writes: Write) -> None:
        try:
            self._table.transact(writes)
        except TransactionRefused as error:
            raise Overtaken from error


def _may_move[State: StrEnum](moves: Mapping[State, frozenset[State]], target: State) -> ConditionBase:
    return Attr("state").is_in([state.value for state in sources(moves, target)])


def _registration_key(registration_id: str) -> dict[str, str]:
    return {"pk": f"REGISTRATION#{registration_id}", "sk": "REGISTRATION"}


def _email_key(email: str) -> dict[str, str]:
    # Hashed, because keys show up in metrics and trails where a person's address must not.
    return {"pk": f"EMAIL#{hashlib.sha256(email.lower().encode()).hexdigest()}", "sk": "EMAIL"}
