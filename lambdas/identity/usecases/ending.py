"""Removing what is left of sessions that are over: their identities, then their rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Protocol

from identity.lifecycle import CREDENTIALS_FOR, StoredSession
from identity.usecases.causes import Cause
from identity.usecases.sessions import audit
from paygo.audit import Act
from paygo.events import AuditRecorded, Event

BATCH = 60
"""https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_DeleteIdentities.html"""


class EndedSessions(Protocol):
    """Where sessions that are over are found."""

    def over_since(self, before: datetime) -> Iterator[StoredSession]:
        """Return the sessions that were over at that time."""

    def remove(self, session: StoredSession, event: Event[AuditRecorded]) -> None:
        """Delete a session that is over; one that is gone already stays so."""


class Identities(Protocol):
    """Who made the sessions' identities."""

    def delete(self, identity_ids: Sequence[str]) -> frozenset[str]:
        """Delete the identities, at most `BATCH`, and return those that could not be deleted."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did.

    Parameters
    ----------
    removed
        How many sessions it removed.
    kept
        The identities that could not be deleted, whose sessions stay for the next sweep.
    finished
        Whether there was time for all.
    """

    removed: int
    kept: tuple[str, ...]
    finished: bool


def sweep(
    sessions: EndedSessions, identities: Identities, *, has_time: Callable[[], bool], cause: Cause, now: datetime
) -> Swept:
    """Remove the sessions that are over for longer than credentials live.

    The identity goes first: a crash in between leaves a row without an identity, which the next sweep finds, and not an
    identity that nobody knows of.
    """
    removed, kept = 0, list[str]()
    for batch in batched(sessions.over_since(now - CREDENTIALS_FOR), BATCH, strict=False):
        if not has_time():
            return Swept(removed, tuple(kept), finished=False)
        stay = identities.delete([session.identity_id for session in batch])
        kept += sorted(stay)
        for session in batch:
            if session.identity_id not in stay:
                sessions.remove(session, audit(Act.SESSION_ENDED, cause, now, session, state=session.state.value))
                removed += 1
    return Swept(removed, tuple(kept), finished=True)
