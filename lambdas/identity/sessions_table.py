"""Sessions as items, and every condition on them."""

from contextlib import suppress
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from identity.lifecycle import StoredSession
from identity.model import Overtaken
from paygo.security import SessionState, session_key
from paygo.storage import ABSENT, PRESENT, ConditionFailed, Table


class SessionTable:
    """The rows that `paygo.security` reads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, session: StoredSession) -> None:
        """Write a new session."""
        self._table.put(session_key(session.identity_id) | _session_attributes(session), ABSENT)

    def find(self, identity_id: str) -> StoredSession | None:
        """Return the identity's session, whatever its state."""
        row = self._table.get(**session_key(identity_id))
        return StoredSession.model_validate(row) if row else None

    def replace(self, before: StoredSession, after: StoredSession) -> None:
        """Write `after`; raise `Overtaken` when the row is no longer what `before` says."""
        # The SDK may send a write again whose answer got lost: what our own first try wrote is no overtaking.
        expected = _is(before) | _is(after)
        try:
            self._table.update(session_key(before.identity_id), _session_attributes(after), expected)
        except ConditionFailed as error:
            raise Overtaken from error

    def revoke(self, identity_id: str) -> None:
        """End the session at once; what is over already stays so."""
        with suppress(ConditionFailed):
            self._table.update(session_key(identity_id), {"state": SessionState.REVOKED.value}, PRESENT)


def _is(session: StoredSession) -> ConditionBase:
    return Attr("state").eq(session.state.value) & Attr("refresh_hashes").contains(session.refresh_hashes[-1])


def _session_attributes(session: StoredSession) -> dict[str, Any]:
    return session.model_dump(mode="json") | {"expires_at": int(session.ends_at.timestamp())}
