"""Audit events: each act that matters to security becomes one, in the transaction that does it.

A request that was refused changes nothing and has no transaction; it is a line of the log instead, `{"audit": {...}}`.
Both end in the same list, and neither ever holds a secret.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from paygo.events import AuditRecorded, Event
from paygo.identities import identity_hash

LONGEST = 256
"""Characters of a user agent, or of a detail, that are kept: both may be a stranger's own words."""


class Act(StrEnum):
    """What happened; docs/audit.md explains each."""

    SESSION_OPENED = "session-opened"
    SESSION_REFRESHED = "session-refreshed"
    REFRESH_TOKEN_REUSED = "refresh-token-reused"  # noqa: S105 (it is a name)
    SESSION_ESCALATED = "session-escalated"
    CREDENTIALS_FETCHED_AGAIN = "credentials-fetched-again"
    TOKEN_ISSUED = "token-issued"  # noqa: S105
    SIGNED_IN = "signed-in"
    SIGN_IN_REFUSED = "sign-in-refused"
    SIGNED_OUT = "signed-out"
    SIGNED_OUT_EVERYWHERE = "signed-out-everywhere"
    SESSION_ENDED = "session-ended"
    SESSIONS_LIMITED = "sessions-limited"
    CODES_LIMITED = "codes-limited"
    REGISTRATION_MOVED = "registration-moved"
    REQUEST_REFUSED = "request-refused"


class Origin(BaseModel):
    """Where a request came from."""

    model_config = ConfigDict(frozen=True)

    source_ip: str | None = None
    user_agent: str | None = None


class Concerned(Protocol):
    """Whom an act is about, as far as it is known: a session, or a registration."""

    @property
    def session_id(self) -> str | None:
        """The session."""

    @property
    def household_id(self) -> str | None:
        """The household that the session is, or asks to become."""

    @property
    def identity_id(self) -> str | None:
        """The session's Cognito identity."""

    @property
    def registration_id(self) -> str | None:
        """The session's registration."""


def audit_event(
    act: Act,
    *,
    source: str,
    time: datetime,
    correlation_id: str,
    origin: Origin | None = None,
    concerned: Concerned | None = None,
    session_id: str | None = None,
    household_id: str | None = None,
    detail: Mapping[str, str] | None = None,
) -> Event[AuditRecorded]:
    """Return the event that says who did what, and from where.

    Parameters
    ----------
    origin
        None for what nobody asked for, as a session that ended by itself.
    concerned
        The session, or the registration, that the act is about.
    session_id, household_id
        What is known of them where there is no such row, or where the act gives the session another household.
    detail
        What else tells this act from others like it, by names such as `reason`; no secret, and none of a person's data.
    """
    data = AuditRecorded(
        act=act.value,
        session_id=session_id or (concerned and concerned.session_id),
        household_id=household_id or (concerned and concerned.household_id),
        identity_hash=concerned and concerned.identity_id and identity_hash(concerned.identity_id),
        registration_id=concerned and concerned.registration_id,
        source_ip=origin and origin.source_ip,
        user_agent=origin and origin.user_agent and origin.user_agent[:LONGEST],
        detail={name: value[:LONGEST] for name, value in (detail or {}).items()},
    )
    about = data.session_id or data.household_id or data.registration_id or data.source_ip or data.act
    return Event[AuditRecorded].about(about, data, source=source, time=time, correlation_id=correlation_id)
