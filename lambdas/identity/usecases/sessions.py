"""Opening, refreshing and escalating a session.

Escalation happens once, so a lost answer or a crash must not lose the household's session with it:

- Credentials are made before the row is changed. When Cognito fails, nothing has changed and the caller tries again.
- Escalation leaves the refresh token that the caller holds working beside the one it hands out. When its answer is
  lost, the row says `authenticated` and the anonymous credentials open nothing, but the old refresh token still fetches
  the new credentials. Using either of the two ends both, so a copied token is still found out by its second use.
- A crash between linking the identity to its developer login and writing the row leaves an `approved` session whose
  identity has no anonymous credentials any more. Refreshing therefore escalates an approved session too; it gives
  nothing that the same caller could not have asked for.

The answer to a refresh has no such second way: a caller that lost it cannot be told from one that copied the token, and
its session is revoked.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from identity.lifecycle import StoredSession
from identity.model import Overtaken
from identity.refresh_tokens import RefreshRefused, RefreshToken, RegistrationUndecided
from paygo.security import ESCALATED, Session, SessionState


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary AWS credentials of a session's identity."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r}, expires_at={self.expires_at!r})"


class Sessions(Protocol):
    """Where sessions are kept."""

    def add(self, session: StoredSession) -> None:
        """Write a new session."""

    def find(self, identity_id: str) -> StoredSession | None:
        """Return the identity's session, whatever its state."""

    def replace(self, before: StoredSession, after: StoredSession) -> None:
        """Write `after`; raise `Overtaken` when the session is no longer what `before` says."""

    def revoke(self, identity_id: str) -> None:
        """End the session at once; what is over already stays so."""


class CredentialMaker(Protocol):
    """Who makes identities and their credentials."""

    def new_identity(self) -> str:
        """Return the id of an identity that nobody had before."""

    def anonymous(self, identity_id: str) -> Credentials:
        """Return credentials that open registration only."""

    def authenticated(self, identity_id: str, session_id: str) -> Credentials:
        """Return credentials that open the rest; the first call makes the identity the session's for good."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with what its caller needs to go on."""

    session: Session
    credentials: Credentials
    refresh_token: RefreshToken


def open_session(sessions: Sessions, maker: CredentialMaker, now: datetime) -> Opened:
    """Open an anonymous session with an identity of its own."""
    identity_id = maker.new_identity()
    credentials = maker.anonymous(identity_id)
    token = RefreshToken.new(identity_id)
    session = StoredSession.opened(str(uuid4()), token, now)
    sessions.add(session)
    return Opened(session, credentials, token)


def refresh(sessions: Sessions, maker: CredentialMaker, text: str, now: datetime) -> Opened:
    """Exchange a refresh token for new credentials and the next token.

    Raises
    ------
    RefreshRefused
        When the token is not one that works. One that worked before revokes the session.
    """
    token = RefreshToken.parse(text)
    session = sessions.find(token.identity_id) if token else None
    if token is None or session is None or session.is_over(now):
        raise RefreshRefused
    if not session.accepts(token):
        if session.knows(token):
            sessions.revoke(session.identity_id)
        raise RefreshRefused
    credentials = _credentials(maker, session)
    token = token.next()
    after = session.escalated(now) if session.state is SessionState.APPROVED else session
    after = after.refreshed(token, now)
    try:
        sessions.replace(session, after)
    except Overtaken:
        # Its registration moved the session, or the token was used elsewhere: what the row says now decides.
        return refresh(sessions, maker, text, now)
    return Opened(after, credentials, token)


def escalate(sessions: Sessions, maker: CredentialMaker, identity_id: str, now: datetime) -> Opened:
    """Make an approved session's identity developer-authenticated.

    Raises
    ------
    RegistrationUndecided
        When the session is not approved.
    """
    session = sessions.find(identity_id)
    if session is None or session.state is not SessionState.APPROVED:
        raise RegistrationUndecided
    credentials = _credentials(maker, session)
    token = RefreshToken.new(identity_id)
    after = session.escalated(now).offered(token)
    try:
        sessions.replace(session, after)
    except Overtaken:
        return escalate(sessions, maker, identity_id, now)
    return Opened(after, credentials, token)


def _credentials(maker: CredentialMaker, session: Session) -> Credentials:
    if session.state in ESCALATED | {SessionState.APPROVED}:
        return maker.authenticated(session.identity_id, session.session_id)
    return maker.anonymous(session.identity_id)
