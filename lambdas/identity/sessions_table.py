"""Sessions as items, and every condition on them.

SESSION#<hash of the identity id>   the session, in the index `ending` by when it ends
ADDRESS#<hash>#<begin>              how many sessions an address opened since then
TRIES#<session id>                  how often the session tried to sign in, or to register as a bank's customer

Each change is written together with the audit event that tells of it, and with the household's membership.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Any

from boto3.dynamodb.conditions import Attr, Key

from identity.endings import ENDS_AT, ending_at
from identity.hashes import sha256
from identity.lifecycle import StoredSession
from identity.memberships import PREFIX, household_key, membership_item, membership_key
from identity.model import Overtaken
from identity.usecases.sessions import SignedOutSince
from paygo.events import AuditRecorded, Event
from paygo.outbox import outbox_write
from paygo.security import Session, SessionState, first_use_key, session_key
from paygo.storage import ABSENT, PRESENT, Table, TransactionRefused, Write, sortable

INDEX = "ending"
SHARDS = "0123456789abcdef"
"""The index has so many partitions, for no partition takes more than 1,000 writes a second."""


class SessionTable:
    """The rows that `paygo.security` reads.

    Parameters
    ----------
    own
        The service's own table, for memberships and events.
    once
        The stack's table of things that happen once, where the first use of new credentials is noted.
    """

    def __init__(self, table: Table, own: Table, once: Table) -> None:
        self._table = table
        self._own = own
        self._once = once

    def count_opening(self, source_ip: str | None, begin: datetime, end: datetime) -> int:
        """Count one more session that the address opens between the two times, and return how many there are."""
        key = {"pk": f"ADDRESS#{_address_hash(source_ip)}#{int(begin.timestamp())}"}
        return self._table.add(key, {"opened": 1}, expires_at=int(end.timestamp()))["opened"]

    def count_try(self, session: Session, by: int = 1) -> int:
        """Count a try of the session to sign in, or take it back, and return how many there are."""
        key = {"pk": f"TRIES#{session.session_id}"}
        return self._table.add(key, {"tries": by}, expires_at=int(session.ends_at.timestamp()))["tries"]

    def add(self, session: StoredSession, event: Event[AuditRecorded]) -> None:
        """Write a new session."""
        item = session_key(session.identity_id) | _attributes(session) | {INDEX: _shard(session)}
        self._table.transact([self._table.putting(item, ABSENT), outbox_write(self._own, event)])

    def note(self, event: Event[AuditRecorded]) -> None:
        """Write an event of an act that changes no session."""
        self._own.transact([outbox_write(self._own, event)])

    def find(self, identity_id: str) -> StoredSession | None:
        """Return the identity's session, whatever its state."""
        return self._read(session_key(identity_id))

    def was_used(self, session: Session) -> bool:
        """Tell whether the escalated session's credentials were used while they could be fetched again."""
        return self._once.get(**first_use_key(session)) is not None

    def replace(
        self,
        before: StoredSession,
        after: StoredSession,
        event: Event[AuditRecorded],
        *,
        unused: bool = False,
        shown_at: datetime | None = None,
    ) -> None:
        """Write `after` where `before` stands.

        Parameters
        ----------
        unused
            Whether the session's credentials must not have been used.
        shown_at
            When somebody showed to be the household that the session becomes.

        Raises
        ------
        Overtaken
            When the session is no longer what `before` says, or its credentials were used.
        SignedOutSince
            When the household signed out everywhere after `shown_at`.
        """
        writes = [
            self._table.updating(
                session_key(before.identity_id),
                _changes(before, after),
                # Every change of a session changes its state or its tokens.
                Attr("state").eq(before.state.value) & Attr("refresh_hashes").eq(list(before.refresh_hashes)),
            ),
            outbox_write(self._own, event),
        ]
        if after.household_id is not None:
            writes.append(self._own.putting(membership_item(after, after.household_id)))
        if unused:
            writes.append(self._once.checking(first_use_key(before), ABSENT))
        if after.household_id is not None and shown_at is not None:
            # Signing out everywhere lists the sessions after it wrote this: it finds this one, or this finds that.
            is_valid = Attr("signed_out_at").not_exists() | Attr("signed_out_at").lt(sortable(shown_at))
            writes.append(self._own.checking(household_key(after.household_id), PRESENT & is_valid))
        try:
            self._table.transact(writes)
        except TransactionRefused as error:
            # The SDK may send a write again whose answer got lost: what our own first try wrote is no overtaking.
            if self.find(before.identity_id) == after:
                return
            if shown_at is not None and len(writes) - 1 in error.failed:
                raise SignedOutSince from error
            raise Overtaken from error

    def revoke(self, session: StoredSession, now: datetime, event: Event[AuditRecorded]) -> None:
        """End the session at once, whatever else changes it in this moment; what is over already stays so."""
        after = session.revoked(now)
        is_alive = PRESENT & Attr("state").ne(SessionState.REVOKED.value)
        writes = [
            self._table.updating(session_key(session.identity_id), _changes(session, after), is_alive),
            outbox_write(self._own, event),
            *self._forgetting(session),
        ]
        try:
            self._table.transact(writes)
        except TransactionRefused:
            return

    def void_sign_ins(self, household_id: str, now: datetime) -> None:
        """Have it known that what the household showed before `now` opens no session any more."""
        self._own.update(household_key(household_id), {"signed_out_at": sortable(now)}, PRESENT)

    def of_household(
        self, household_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[tuple[StoredSession, ...], str | None]:
        """Return a page of the household's sessions, whatever their state, and the cursor of the next page.

        Raises
        ------
        InvalidCursor
            When the cursor is not one of this list's own.
        """
        pk = membership_key(household_id, "")["pk"]
        page = self._own.query(pk, prefix=PREFIX, limit=limit, cursor=cursor)
        found = (self._member(household_id, item["identity_id"]) for item in page.items)
        return tuple(session for session in found if session), page.next_cursor

    def one_of_household(self, household_id: str, session_id: str) -> StoredSession | None:
        """Return the session if it is the household's, whatever its state."""
        item = self._own.get(**membership_key(household_id, session_id))
        return self._member(household_id, item["identity_id"]) if item else None

    def over_since(self, before: datetime) -> Iterator[StoredSession]:
        """Return the sessions that were over at that time."""
        for shard in SHARDS:
            for entry in self._table.query_index(INDEX, Key(INDEX).eq(shard) & Key(ENDS_AT).lt(sortable(before))):
                # An index is behind its table, in which a session may have been refreshed just in time.
                session = self._read({"pk": str(entry["pk"])})
                if session is not None and session.ends_at < before:
                    yield session

    def remove(self, session: StoredSession, event: Event[AuditRecorded]) -> None:
        """Delete a session that is over; one that is gone already stays so."""
        writes = [
            self._table.deleting(session_key(session.identity_id), PRESENT),
            outbox_write(self._own, event),
            *self._forgetting(session),
        ]
        try:
            self._table.transact(writes)
        except TransactionRefused:
            return

    def _read(self, key: Mapping[str, str]) -> StoredSession | None:
        row = self._table.get(**key)
        return StoredSession.model_validate(row) if row else None

    def _member(self, household_id: str, identity_id: str) -> StoredSession | None:
        session = self.find(identity_id)
        return session if session is not None and session.household_id == household_id else None

    def _forgetting(self, session: StoredSession) -> list[Write]:
        if session.household_id is None:
            return []
        return [self._own.deleting(membership_key(session.household_id, session.session_id))]


def _attributes(session: StoredSession) -> dict[str, Any]:
    return session.model_dump(mode="json") | ending_at(session.ends_at)


def _changes(before: StoredSession, after: StoredSession) -> dict[str, Any]:
    # Only what changes, for what was read a moment ago may be another registration's by now.
    were = _attributes(before)
    return {name: value for name, value in _attributes(after).items() if value != were[name]}


def _shard(session: StoredSession) -> str:
    return sha256(session.session_id)[0]


def _address_hash(source_ip: str | None) -> str:
    # Hashed, because keys show up in metrics and trails.
    return sha256(_network(source_ip or ""))


def _network(source_ip: str) -> str:
    try:
        address = ip_address(source_ip)
    except ValueError:
        return source_ip
    # Who has an IPv6 address has all of its /64.
    return f"{int(address) >> 64:x}/64" if isinstance(address, IPv6Address) else str(address)
