"""Who is calling: the session behind IAM credentials or a bearer token, and the third party behind a signed request.

Neither can be taken back within its hour, so every function behind the API reads the caller's session. It is the one
place where a service reads rows that another service writes.
"""

import hmac
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from paygo.http import raw_body
from paygo.identities import identity_hash
from paygo.problems import Problem, not_found
from paygo.secrets import read_secret
from paygo.signatures import NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from paygo.storage import ABSENT, ConditionFailed, Table

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

TIMESTAMP_WINDOW = timedelta(seconds=300)
KEPT_LONGER = timedelta(minutes=5)
"""How much longer the mark of a first use is kept than it is asked for, since a table has a clock of its own."""
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,128}")
_TIMESTAMP = re.compile(r"[0-9]{10}")


class SessionState(StrEnum):
    """Where a session stands between its first request and its end."""

    ANONYMOUS = "anonymous"
    REGISTERING = "registering"
    APPROVED = "approved"
    AUTHENTICATED = "authenticated"
    REVOKED = "revoked"


BEFORE_ESCALATION = frozenset({SessionState.ANONYMOUS, SessionState.REGISTERING, SessionState.APPROVED})
ESCALATED = frozenset({SessionState.AUTHENTICATED})


class Kind(StrEnum):
    """What a session's credentials are good for: becoming a household, or being one."""

    ANONYMOUS = "anonymous"
    HOUSEHOLD = "household"


class Session(BaseModel):
    """A session's row, keyed by its Cognito identity.

    Parameters
    ----------
    fetchable_until
        Until when the credentials of an escalated session may be fetched again, unless they are used before.
    user_agent
        What opened the session, as it called itself: it helps a person to tell one session from another.
    """

    model_config = ConfigDict(frozen=True)

    identity_id: str
    session_id: str
    state: SessionState
    opened_at: AwareDatetime
    ends_at: AwareDatetime
    household_id: str | None = None
    registration_id: str | None = None
    fetchable_until: AwareDatetime | None = None
    user_agent: str | None = None

    @property
    def kind(self) -> Kind:
        """What kind of credentials the session has now."""
        return Kind.HOUSEHOLD if self.state in ESCALATED else Kind.ANONYMOUS

    def is_over(self, now: datetime) -> bool:
        """Tell whether nothing revives the session."""
        return self.state is SessionState.REVOKED or self.ends_at <= now


class Household(BaseModel):
    """A caller who may use the household's own rows."""

    model_config = ConfigDict(frozen=True)

    household_id: str
    session_id: str


class OfHousehold(Protocol):
    """A row that belongs to a household, or to none yet."""

    @property
    def household_id(self) -> str | None:
        """Whose it is."""


class PartnerKeys(BaseModel):
    """A third party's secret: the API key it sends and the keys it may sign with while one replaces the other."""

    model_config = ConfigDict(frozen=True)

    class Keys(BaseModel):
        """The signing keys: `previous` is empty but during a rotation."""

        model_config = ConfigDict(frozen=True)

        current: str
        previous: str = ""

    api_key: str
    keys: Keys


def session_key(identity_id: str) -> dict[str, str]:
    """Return the key of the row that holds the identity's session."""
    return _session_key(identity_hash(identity_id))


def first_use_key(session: Session) -> dict[str, str]:
    """Return the key, among the things that happen once, of the first use of the session's new credentials."""
    return {"pk": f"USED#{session.session_id}"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose credentials a request came with: IAM's, as a signature proves, or a bearer token's.

    Parameters
    ----------
    session_id
        None with IAM credentials, which name an identity only.
    scopes
        What the token is for; None with IAM credentials, which are for all that the session may do.
    """

    identity_hash: str
    kind: Kind
    session_id: str | None = None
    scopes: frozenset[str] | None = None

    @classmethod
    def of(cls, event: "APIGatewayProxyEvent") -> Self | None:
        """Return what API Gateway and its authorizer found out; None when there was nothing to find."""
        signed = event.request_context.identity
        if signed.cognito_identity_id:
            kinds = {"authenticated": Kind.HOUSEHOLD, "unauthenticated": Kind.ANONYMOUS}
            kind = kinds.get(signed.cognito_authentication_type or "")
            return cls(identity_hash(signed.cognito_identity_id), kind) if kind else None
        told = event.request_context.authorizer
        if told.get("identity_hash"):
            scopes = frozenset(told["scope"].split())
            return cls(told["identity_hash"], Kind(told["kind"]), told["session_id"], scopes)
        return None


class Callers:
    """Who may call as whom: the sessions, and the marks of those whose newest credentials were used.

    Parameters
    ----------
    sessions
        The rows that `identity` writes.
    once
        The stack's table of things that happen once: the first use of an escalated session's credentials is one, and
        whichever function meets it writes it down there, since sessions are not its to write.
    """

    def __init__(self, sessions: Table, once: Table) -> None:
        self._sessions = sessions
        self._once = once

    def session(
        self,
        event: "APIGatewayProxyEvent",
        now: datetime,
        allowed: Collection[SessionState],
        *,
        fetching: bool = False,
    ) -> Session:
        """Return the caller's session.

        Parameters
        ----------
        fetching
            Whether an escalated session may be called with its anonymous credentials as well, while the new ones can be
            fetched again and were not used.

        Raises
        ------
        Problem
            403 when there is no session, it is not the one that the token names, it is over or in a state that is not
            `allowed`, or the credentials are not those that the state asks for: those from before the escalation live
            on for up to an hour.
        """
        caller = Caller.of(event)
        session = self.known(caller, now, fetching=fetching) if caller else None
        if caller is None or session is None:
            raise session_refused()
        is_fetching_again = caller.kind is not session.kind
        if session.state not in allowed and not is_fetching_again:
            raise session_refused()
        if caller.kind is Kind.HOUSEHOLD:
            self.mark_used(session, now)
        return session

    def household(self, event: "APIGatewayProxyEvent", now: datetime) -> Household:
        """Return the registered caller; raise as `session` does."""
        session = self.session(event, now, ESCALATED)
        if session.household_id is None:
            raise session_refused()
        return Household(household_id=session.household_id, session_id=session.session_id)

    def known(self, caller: Caller, now: datetime, *, fetching: bool = False) -> Session | None:
        """Return the session that the caller's credentials still stand for; `fetching` is that of `session`."""
        row = self._sessions.get(**_session_key(caller.identity_hash))
        session = Session.model_validate(row) if row else None
        if session is None or session.is_over(now) or caller.session_id not in {None, session.session_id}:
            return None
        fits = caller.kind is session.kind
        return session if fits or (fetching and self._may_fetch_again(session, now)) else None

    def _may_fetch_again(self, session: Session, now: datetime) -> bool:
        until = session.fetchable_until
        return session.state in ESCALATED and until is not None and now < until and not self.was_used(session)

    def was_used(self, session: Session) -> bool:
        """Tell whether the credentials of the escalated session were used while they could be fetched again."""
        return self._once.get(**first_use_key(session)) is not None

    def mark_used(self, session: Session, now: datetime) -> None:
        """Note the first use of an escalated session's credentials, which ends that they can be fetched again."""
        until = session.fetchable_until
        if until is None or until <= now:
            return
        expires_at = int((until + KEPT_LONGER).timestamp())
        with suppress(ConditionFailed):
            self._once.put(first_use_key(session) | {"expires_at": expires_at}, ABSENT)


def owned[Row: OfHousehold](household: Household, row: Row | None, what: str) -> Row:
    """Return the row if it is the household's own.

    The one place where that is decided.

    Raises
    ------
    Problem
        404 when there is no such row or it is another's: a stranger does not learn which.
    """
    if row is None or row.household_id != household.household_id:
        raise not_found(what)
    return row


def partner_keys(secret_arn: str) -> PartnerKeys:
    """Return the third party's secret, at most five minutes old."""
    return read_secret(secret_arn, PartnerKeys)


def verify_partner(event: "APIGatewayProxyEvent", partner: PartnerKeys, nonces: Table, now: datetime) -> None:
    """Check that the third party signed exactly this request, just now and for the first time.

    Raises
    ------
    Problem
        401 otherwise; it does not say which check failed.
    """
    headers = event.headers
    timestamp, nonce = headers.get(TIMESTAMP_HEADER, ""), headers.get(NONCE_HEADER, "")
    if not (
        hmac.compare_digest(headers.get("x-api-key", "").encode(), partner.api_key.encode())
        and _TIMESTAMP.fullmatch(timestamp)
        and abs(int(timestamp) - now.timestamp()) <= TIMESTAMP_WINDOW.total_seconds()
        and _NONCE.fullmatch(nonce)
        and _is_signed(event, partner, timestamp, nonce, headers.get(SIGNATURE_HEADER, ""))
    ):
        raise _signature_refused()
    try:
        # Remembered for twice the window: a timestamp may lie in the future by as much as in the past.
        nonces.put(
            {
                "pk": f"NONCE#{event.path}#{nonce}",
                "expires_at": int((now + 2 * TIMESTAMP_WINDOW).timestamp()),
            },
            ABSENT,
        )
    except ConditionFailed as error:
        raise _signature_refused() from error


def _is_signed(event: "APIGatewayProxyEvent", partner: PartnerKeys, timestamp: str, nonce: str, sent: str) -> bool:
    query = event.multi_value_query_string_parameters
    pairs = [(name, value) for name, values in query.items() for value in values]
    keys = [key for key in (partner.keys.current, partner.keys.previous) if key]
    return any(
        hmac.compare_digest(
            signature(
                key,
                method=event.http_method,
                path=event.path,
                query=pairs,
                timestamp=timestamp,
                nonce=nonce,
                body=raw_body(event),
            ).encode(),
            sent.encode(),
        )
        for key in keys
    )


def _session_key(hashed: str) -> dict[str, str]:
    return {"pk": f"SESSION#{hashed}"}


def session_refused() -> Problem:
    """Return the problem of credentials whose session does not open what they were used for."""
    return Problem(
        HTTPStatus.FORBIDDEN,
        "session-refused",
        "The session does not open this",
        "Open a session, register and use the credentials that escalation returns.",
    )


def _signature_refused() -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "signature-refused",
        "The signature was refused",
        "Sign method, path, query, timestamp, nonce and body with your current key and send a new nonce.",
    )
