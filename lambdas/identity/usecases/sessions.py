"""Opening, refreshing, escalating, listing and ending a session.

Escalation happens once, so a lost answer or a crash must not lose the household's session with it:

- Credentials are made before the row is changed. When Cognito fails, nothing has changed and the caller tries again.
- The answer can be fetched again for five minutes, until what it brought is first used: with the anonymous credentials,
  or with the refresh token from before. Each answer brings another refresh token, and only that of the last one works.
  After the first use the anonymous credentials open nothing and the old token revokes the session, as any copy does.
- A crash between linking the identity to its developer login and writing the row leaves an `approved` session whose
  identity has no anonymous credentials any more. Refreshing therefore escalates an approved session too; it gives
  nothing that the same caller could not have asked for.
- Of two escalations at once one is told to ask again. Were both answered, the caller might keep the answer of the one
  that was written first, whose refresh token no longer works.

The answer to any other refresh has no such second way: a caller that lost it cannot be told from one that copied the
token, and its session is revoked.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from identity.lifecycle import StoredSession
from identity.model import IdentityRefusal, Overtaken
from identity.refresh_tokens import RefreshRefused, RefreshToken, RegistrationUndecided
from identity.tokens import BearerToken, TokenMaker, make_token
from identity.usecases.causes import Cause
from paygo.audit import LONGEST, Act, Concerned, Origin, audit_event
from paygo.events import AuditRecorded, Event
from paygo.security import ESCALATED, Household, Session, SessionState

WINDOW = timedelta(minutes=10)
"""Openings of an address are counted from one multiple of this to the next."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE = 100


class TooManySessions(IdentityRefusal):
    """The address opened as many sessions as it may for now."""

    def __init__(self, retry_in: timedelta) -> None:
        super().__init__(retry_in)
        self.retry_in = retry_in


class SessionRefused(IdentityRefusal):
    """The session is over, or its new credentials cannot be fetched any more."""


class SessionChanged(IdentityRefusal):
    """Another request changed the session in the same moment."""


class SignedOutSince(IdentityRefusal):
    """The household signed out everywhere after it showed who it is."""


class UnknownSession(IdentityRefusal):
    """The household has no such session."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary AWS credentials of a session's identity."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r}, expires_at={self.expires_at!r})"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with what its caller needs to go on."""

    session: Session
    credentials: Credentials
    bearer: BearerToken
    refresh_token: RefreshToken


class Sessions(Protocol):
    """Where sessions are kept, each change with the event that tells of it."""

    def count_opening(self, source_ip: str | None, begin: datetime, end: datetime) -> int:
        """Count one more session that the address opens between the two times, and return how many there are."""

    def count_try(self, session: Session, by: int = 1) -> int:
        """Count a try of the session to sign in, or take it back, and return how many there are."""

    def add(self, session: StoredSession, event: Event[AuditRecorded]) -> None:
        """Write a new session."""

    def note(self, event: Event[AuditRecorded]) -> None:
        """Write an event of an act that changes no session."""

    def find(self, identity_id: str) -> StoredSession | None:
        """Return the identity's session, whatever its state."""

    def was_used(self, session: Session) -> bool:
        """Tell whether the escalated session's credentials were used while they could be fetched again."""

    def replace(
        self,
        before: StoredSession,
        after: StoredSession,
        event: Event[AuditRecorded],
        *,
        unused: bool = False,
        shown_at: datetime | None = None,
    ) -> None:
        """Write `after`.

        Raises
        ------
        Overtaken
            When the session is no longer what `before` says, or its credentials were used though `unused` forbids it.
        SignedOutSince
            When the household signed out everywhere after `shown_at`.
        """

    def revoke(self, session: StoredSession, now: datetime, event: Event[AuditRecorded]) -> None:
        """End the session at once, whatever else changes it in this moment; what is over already stays so."""

    def void_sign_ins(self, household_id: str, now: datetime) -> None:
        """Have it known that what the household showed before `now` opens no session any more."""

    def of_household(
        self, household_id: str, *, limit: int, cursor: str | None = None
    ) -> tuple[tuple[StoredSession, ...], str | None]:
        """Return a page of the household's sessions, whatever their state, and the cursor of the next page."""

    def one_of_household(self, household_id: str, session_id: str) -> StoredSession | None:
        """Return the session if it is the household's, whatever its state."""


class CredentialMaker(Protocol):
    """Who makes identities and their credentials."""

    def new_identity(self) -> str:
        """Return the id of an identity that nobody had before."""

    def anonymous(self, identity_id: str) -> Credentials:
        """Return credentials that open registration only."""

    def authenticated(self, identity_id: str, session_id: str) -> Credentials:
        """Return credentials that open the rest; the first call makes the identity the session's for good."""


@dataclass(frozen=True, slots=True)
class Makers:
    """What makes what a caller shows: credentials to sign with, and tokens to bear."""

    credentials: CredentialMaker
    tokens: TokenMaker


def open_session(sessions: Sessions, makers: Makers, *, limit: int, cause: Cause, now: datetime) -> Opened:
    """Open an anonymous session with an identity of its own.

    Parameters
    ----------
    limit
        How many sessions an address may open in each `WINDOW`.

    Raises
    ------
    TooManySessions
        When it opened as many.
    """
    origin = cause.origin or Origin()
    begin = now - (now - _EPOCH) % WINDOW
    opened = sessions.count_opening(origin.source_ip, begin, begin + WINDOW)
    if opened > limit:
        # Told once: who is turned away again and again must not fill our tables with it.
        if opened == limit + 1:
            sessions.note(audit(Act.SESSIONS_LIMITED, cause, now))
        raise TooManySessions(begin + WINDOW - now)
    identity_id = makers.credentials.new_identity()
    token = RefreshToken.new(identity_id)
    user_agent = origin.user_agent and origin.user_agent[:LONGEST]
    session = StoredSession.opened(str(uuid4()), token, now, user_agent)
    opened_session = _with_credentials(makers, session, token, now)
    sessions.add(session, audit(Act.SESSION_OPENED, cause, now, session))
    return opened_session


def refresh(sessions: Sessions, makers: Makers, text: str, *, cause: Cause, now: datetime) -> Opened:
    """Exchange a refresh token for new credentials and the next token.

    Raises
    ------
    RefreshRefused
        When the token is not one that works. One that worked before revokes the session.
    SessionChanged
        When it escalates the session, and another request did so in the same moment.
    """
    token = RefreshToken.parse(text)
    session = sessions.find(token.identity_id) if token else None
    if token is None or session is None or session.is_over(now):
        raise RefreshRefused
    if session.accepts(token):
        if session.state is SessionState.APPROVED:
            return _escalate(sessions, makers, session, cause, now)
        return _refresh(sessions, makers, session, token, cause=cause, now=now)
    if session.was_escalated_with(token) and _may_fetch_again(sessions, session, now):
        return _fetch_again(sessions, makers, session, cause, now)
    if session.knows(token):
        sessions.revoke(session, now, audit(Act.REFRESH_TOKEN_REUSED, cause, now, session))
    raise RefreshRefused


def escalate(sessions: Sessions, makers: Makers, identity_id: str, *, cause: Cause, now: datetime) -> Opened:
    """Make an approved session's identity developer-authenticated, or answer once more that it is.

    Raises
    ------
    RegistrationUndecided
        When the session is not approved.
    SessionRefused
        When it is over, or its credentials cannot be fetched any more.
    SessionChanged
        When another request escalated it in the same moment.
    """
    session = sessions.find(identity_id)
    if session is None or session.is_over(now):
        raise SessionRefused
    if session.state is SessionState.APPROVED:
        return _escalate(sessions, makers, session, cause, now)
    if session.state not in ESCALATED:
        raise RegistrationUndecided
    if not _may_fetch_again(sessions, session, now):
        raise SessionRefused
    return _fetch_again(sessions, makers, session, cause, now)


def issue_token(
    sessions: Sessions,
    tokens: TokenMaker,
    session: Session,
    scopes: Collection[str],
    *,
    held: Collection[str] | None,
    cause: Cause,
    now: datetime,
) -> BearerToken:
    """Return a bearer token of the session for some of the scopes that its caller has.

    Parameters
    ----------
    held
        The scopes of the token that the caller came with; None with IAM credentials.

    Raises
    ------
    ScopeRefused
        When the caller has not all of the scopes.
    """
    token = make_token(tokens, session, scopes, now, held=held)
    sessions.note(audit(Act.TOKEN_ISSUED, cause, now, session, scopes=" ".join(token.scopes)))
    return token


def list_sessions(
    sessions: Sessions, household: Household, now: datetime, *, limit: int, cursor: str | None = None
) -> tuple[tuple[Session, ...], str | None]:
    """Return a page of the household's sessions that are not over, and the cursor of the next."""
    found, next_cursor = sessions.of_household(household.household_id, limit=limit, cursor=cursor)
    return tuple(session for session in found if not session.is_over(now)), next_cursor


def sign_out(sessions: Sessions, identity_id: str, *, cause: Cause, now: datetime) -> None:
    """End the caller's session."""
    session = sessions.find(identity_id)
    if session is not None and not session.is_over(now):
        sessions.revoke(session, now, audit(Act.SIGNED_OUT, cause, now, session))


def sign_out_of(sessions: Sessions, household: Household, session_id: str, *, cause: Cause, now: datetime) -> None:
    """End one of the household's sessions.

    Raises
    ------
    UnknownSession
        When it has no such session, or that is over.
    """
    session = sessions.one_of_household(household.household_id, session_id)
    if session is None or session.is_over(now):
        raise UnknownSession
    sessions.revoke(session, now, audit(Act.SIGNED_OUT, cause, now, session, by_session=household.session_id))


def sign_out_everywhere(sessions: Sessions, household: Household, *, cause: Cause, now: datetime) -> None:
    """End all of the household's sessions, the caller's last, so that after a crash it can ask again.

    Whoever signed in to the user pool before, and holds an ID token of it, has to sign in again too.
    """
    sessions.void_sign_ins(household.household_id, now)
    alive = [each for each in _all_of(sessions, household.household_id) if not each.is_over(now)]
    for session in sorted(alive, key=lambda each: each.session_id == household.session_id):
        event = audit(Act.SIGNED_OUT_EVERYWHERE, cause, now, session, by_session=household.session_id)
        sessions.revoke(session, now, event)


def audit(
    act: Act, cause: Cause, now: datetime, concerned: Concerned | None = None, **detail: str
) -> Event[AuditRecorded]:
    """Return the event that tells of the act."""
    return audit_event(
        act,
        source=cause.source,
        time=now,
        correlation_id=cause.correlation_id,
        origin=cause.origin,
        concerned=concerned,
        detail=detail,
    )


def _refresh(
    sessions: Sessions, makers: Makers, session: StoredSession, token: RefreshToken, *, cause: Cause, now: datetime
) -> Opened:
    following = token.next()
    after = session.refreshed(following, now)
    opened = _with_credentials(makers, after, following, now)
    try:
        sessions.replace(session, after, audit(Act.SESSION_REFRESHED, cause, now, after))
    except Overtaken:
        # Its registration moved the session, or the token was used elsewhere: what the row says now decides.
        return refresh(sessions, makers, str(token), cause=cause, now=now)
    return opened


def _escalate(sessions: Sessions, makers: Makers, session: StoredSession, cause: Cause, now: datetime) -> Opened:
    token = RefreshToken.new(session.identity_id)
    after = session.escalated(token, now)
    opened = _with_credentials(makers, after, token, now)
    try:
        sessions.replace(session, after, audit(Act.SESSION_ESCALATED, cause, now, after))
    except Overtaken as error:
        raise SessionChanged from error
    return opened


def _fetch_again(sessions: Sessions, makers: Makers, session: StoredSession, cause: Cause, now: datetime) -> Opened:
    token = RefreshToken.new(session.identity_id)
    after = session.fetched_again(token)
    opened = _with_credentials(makers, after, token, now)
    try:
        sessions.replace(session, after, audit(Act.CREDENTIALS_FETCHED_AGAIN, cause, now, after), unused=True)
    except Overtaken as error:
        raise SessionChanged from error
    return opened


def _may_fetch_again(sessions: Sessions, session: StoredSession, now: datetime) -> bool:
    return session.is_fetchable(now) and not sessions.was_used(session)


def _with_credentials(makers: Makers, session: StoredSession, token: RefreshToken, now: datetime) -> Opened:
    maker = makers.credentials
    credentials = (
        maker.authenticated(session.identity_id, session.session_id)
        if session.state in ESCALATED
        else maker.anonymous(session.identity_id)
    )
    return Opened(session, credentials, make_token(makers.tokens, session, None, now), token)


def _all_of(sessions: Sessions, household_id: str) -> Iterator[StoredSession]:
    found, cursor = sessions.of_household(household_id, limit=_PAGE)
    yield from found
    while cursor:
        found, cursor = sessions.of_household(household_id, limit=_PAGE, cursor=cursor)
        yield from found
