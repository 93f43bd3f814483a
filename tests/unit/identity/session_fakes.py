"""Sessions in memory, and what makes credentials and tokens for them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from boto3.dynamodb.conditions import Attr

from identity.lifecycle import StoredSession
from identity.memberships import household_key
from identity.model import Overtaken
from identity.sessions_table import SessionTable
from identity.tokens import Claims, TokenMaker
from identity.usecases.causes import Cause
from identity.usecases.sessions import (
    Makers,
    Opened,
    Sessions,
    SignedOutSince,
    audit,
    escalate,
    open_session,
    refresh,
)
from identity.usecases.signing_in import Proof, sign_in
from paygo.audit import Act, Origin
from paygo.events import AuditRecorded, Event
from paygo.security import Callers, Household, Kind, Session, SessionState
from paygo.storage import Table
from tests.unit.identity.fakes import FakeCredentials

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ORIGIN = Origin(source_ip="192.0.2.1", user_agent="paygo-client/1.0")
CAUSE = Cause("/paygo-test/identity", "request-1", ORIGIN)

SCOPES = {
    Kind.ANONYMOUS: ("registrations:write", "sessions:read", "sessions:write"),
    Kind.HOUSEHOLD: ("devices:read", "devices:write", "sessions:read", "sessions:write"),
}


class FakeSigner:
    """Signs nothing: a token is its claims, so that a test can read them."""

    def sign(self, claims: Claims) -> str:
        return json.dumps(dict(claims))


def makers(credentials: FakeCredentials | None = None) -> Makers:
    tokens = TokenMaker(FakeSigner(), issuer="https://api.example.org/live", audience="paygo-test", scopes=SCOPES)
    return Makers(credentials or FakeCredentials(), tokens)


def escalating(sessions: Sessions, credentials: FakeCredentials, identity_id: str, now: datetime) -> Opened:
    """Escalate a session as its caller does."""
    return escalate(sessions, makers(credentials), identity_id, cause=CAUSE, now=now)


class FakeSessions:
    """The port over dictionaries; each of its methods happens at once, as a transaction does."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredSession] = {}
        self.memberships: dict[str, dict[str, str]] = {}
        self.used: set[str] = set()
        self.told: list[AuditRecorded] = []
        self.openings: dict[tuple[str | None, datetime], int] = {}
        self.tries: dict[str, int] = {}
        self.signed_out: dict[str, datetime] = {}

    def copy(self) -> Self:
        """Return sessions on which something may be tried that these do not notice."""
        other = type(self)()
        other.rows, other.used, other.openings = dict(self.rows), set(self.used), dict(self.openings)
        other.signed_out = dict(self.signed_out)
        other.memberships = {household: dict(sessions) for household, sessions in self.memberships.items()}
        return other

    def acts(self) -> list[Act]:
        return [Act(each.act) for each in self.told]

    def mark_used(self, session: Session, now: datetime) -> None:
        if session.fetchable_until is not None and now < session.fetchable_until:
            self.used.add(session.session_id)

    def count_opening(self, source_ip: str | None, begin: datetime, end: datetime) -> int:
        count = self.openings.get((source_ip, begin), 0) + 1
        self.openings[source_ip, begin] = count
        return count

    def count_try(self, session: Session, by: int = 1) -> int:
        self.tries[session.session_id] = self.tries.get(session.session_id, 0) + by
        return self.tries[session.session_id]

    def add(self, session: StoredSession, event: Event[AuditRecorded]) -> None:
        assert session.identity_id not in self.rows
        self.rows[session.identity_id] = session
        self.note(event)

    def note(self, event: Event[AuditRecorded]) -> None:
        self.told.append(event.data)

    def find(self, identity_id: str) -> StoredSession | None:
        return self.rows.get(identity_id)

    def was_used(self, session: Session) -> bool:
        return session.session_id in self.used

    def replace(
        self,
        before: StoredSession,
        after: StoredSession,
        event: Event[AuditRecorded],
        *,
        unused: bool = False,
        shown_at: datetime | None = None,
    ) -> None:
        there = self.rows.get(before.identity_id)
        if there is None or (there.state, there.refresh_hashes) != (before.state, before.refresh_hashes):
            raise Overtaken
        if unused and self.was_used(before):
            raise Overtaken
        signed_out_at = self.signed_out.get(after.household_id or "")
        if shown_at is not None and signed_out_at is not None and shown_at <= signed_out_at:
            raise SignedOutSince
        before_fields, after_fields = before.model_dump(), after.model_dump()
        changes = {name: after_fields[name] for name in after_fields if after_fields[name] != before_fields[name]}
        self.rows[before.identity_id] = there.model_copy(update=changes)
        if after.household_id is not None:
            self.memberships.setdefault(after.household_id, {})[after.session_id] = after.identity_id
        self.note(event)

    def revoke(self, session: StoredSession, now: datetime, event: Event[AuditRecorded]) -> None:
        there = self.rows.get(session.identity_id)
        if there is not None and there.state is not SessionState.REVOKED:
            self.rows[session.identity_id] = there.revoked(now)
            self._forget(session)
            self.note(event)

    def void_sign_ins(self, household_id: str, now: datetime) -> None:
        self.signed_out[household_id] = now

    def of_household(
        self, household_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[tuple[StoredSession, ...], str | None]:
        ids = sorted(self.memberships.get(household_id, {}))
        ids = [each for each in ids if cursor is None or each > cursor]
        found = tuple(self.rows[self.memberships[household_id][each]] for each in ids[:limit])
        return found, ids[limit - 1] if len(ids) > limit else None

    def one_of_household(self, household_id: str, session_id: str) -> StoredSession | None:
        identity_id = self.memberships.get(household_id, {}).get(session_id)
        return self.rows.get(identity_id) if identity_id else None

    def over_since(self, before: datetime) -> Iterator[StoredSession]:
        yield from [session for session in self.rows.values() if session.ends_at < before]

    def remove(self, session: StoredSession, event: Event[AuditRecorded]) -> None:
        if self.rows.pop(session.identity_id, None):
            self._forget(session)
            self.note(event)

    def _forget(self, session: StoredSession) -> None:
        if session.household_id is not None:
            self.memberships.get(session.household_id, {}).pop(session.session_id, None)


class SessionsOnTables(SessionTable):
    """The port over tables, with what a test asks a fake."""

    def __init__(self, table: Table, own: Table, once: Table) -> None:
        super().__init__(table, own, once)
        self._callers = Callers(table, once)
        for household_id in ("household-1", "household-2"):
            own.put(household_key(household_id))

    @property
    def told(self) -> list[AuditRecorded]:
        pages = self._own.scan(Attr("pk").begins_with("OUTBOX#"))
        rows = [row for items, _ in pages for row in items]
        return [Event[AuditRecorded].model_validate_json(row["event"]).data for row in rows]

    @property
    def signed_out(self) -> dict[str, datetime]:
        pages = self._own.scan(Attr("signed_out_at").exists())
        rows = [row for items, _ in pages for row in items]
        return {row["pk"].removeprefix("HOUSEHOLD#"): datetime.fromisoformat(row["signed_out_at"]) for row in rows}

    def acts(self) -> list[Act]:
        return [Act(each.act) for each in self.told]

    def mark_used(self, session: Session, now: datetime) -> None:
        self._callers.mark_used(session, now)


type Store = FakeSessions | SessionsOnTables


@dataclass
class Visits:
    """Sessions with Cognito in memory, and short names for what happens to them."""

    store: Store
    credentials: FakeCredentials = field(default_factory=FakeCredentials)

    def __post_init__(self) -> None:
        self.makers = makers(self.credentials)

    def open(self, now: datetime = NOW) -> Opened:
        return open_session(self.store, self.makers, limit=1000, cause=CAUSE, now=now)

    def refresh(self, token: object, now: datetime = NOW, store: Sessions | None = None) -> Opened:
        return refresh(store or self.store, self.makers, str(token), cause=CAUSE, now=now)

    def escalate(self, session: Session, now: datetime = NOW, store: Sessions | None = None) -> Opened:
        return escalate(store or self.store, self.makers, session.identity_id, cause=CAUSE, now=now)

    def sign_in(self, session: Session, now: datetime = NOW, household_id: str = "household-1") -> Opened:
        return sign_in(
            self.store, self.makers, session, lambda: Proof(household_id, now), kind="own", cause=CAUSE, now=now
        )

    def stored(self, session: Session) -> StoredSession:
        found = self.store.find(session.identity_id)
        assert found
        return found

    def move(self, session: Session, **changes: object) -> StoredSession:
        """Change the session as a registration does."""
        before = self.stored(session)
        after = before.model_copy(update=changes)
        self.store.replace(before, after, audit(Act.REGISTRATION_MOVED, CAUSE, NOW, after))
        return after

    def approved(self, now: datetime = NOW, household_id: str = "household-1") -> Opened:
        opened = self.open(now)
        self.move(opened.session, state=SessionState.REGISTERING, registration_id="registration-1")
        self.move(opened.session, state=SessionState.APPROVED, household_id=household_id)
        return opened

    def escalated(self, now: datetime = NOW, household_id: str = "household-1") -> Opened:
        return self.escalate(self.approved(now, household_id).session, now)

    def signed_out_at(self, household_id: str) -> datetime | None:
        """Return when the household signed out everywhere last."""
        return self.store.signed_out.get(household_id)

    def household(self, opened: Opened) -> Household:
        assert opened.session.household_id
        return Household(household_id=opened.session.household_id, session_id=opened.session.session_id)
