"""Who is calling: the session behind IAM credentials, and the third party behind a signed request.

IAM credentials cannot be taken back within their hour, so every function behind the API reads the caller's session.
It is the one place where a service reads rows that another service writes.
"""

import hmac
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict

from paygo.http import raw_body
from paygo.problems import Problem
from paygo.secrets import read_secret
from paygo.signatures import NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from paygo.storage import ABSENT, ConditionFailed, Table

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

TIMESTAMP_WINDOW = timedelta(seconds=300)
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


class Session(BaseModel):
    """A session's row, keyed by its Cognito identity."""

    model_config = ConfigDict(frozen=True)

    identity_id: str
    session_id: str
    state: SessionState
    ends_at: AwareDatetime
    household_id: str | None = None
    registration_id: str | None = None


class Household(BaseModel):
    """A caller who may use the household's own rows."""

    model_config = ConfigDict(frozen=True)

    household_id: str
    session_id: str


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
    return {"pk": f"SESSION#{identity_id}"}


def current_session(
    event: "APIGatewayProxyEvent", sessions: Table, now: datetime, allowed: Collection[SessionState]
) -> Session:
    """Return the caller's session.

    Raises
    ------
    Problem
        403 when the identity has no session, the session is over or in a state that is not `allowed`, or the
        credentials are not those that the state asks for (an escalated identity's anonymous ones live on for an hour).
    """
    identity = event.request_context.identity
    identity_id = identity.cognito_identity_id
    row = sessions.get(**session_key(identity_id)) if identity_id else None
    if row is None:
        raise _session_refused()
    session = Session.model_validate(row)
    expected = "authenticated" if session.state in ESCALATED else "unauthenticated"
    if session.state not in allowed or session.ends_at <= now or identity.cognito_authentication_type != expected:
        raise _session_refused()
    return session


def current_household(event: "APIGatewayProxyEvent", sessions: Table, now: datetime) -> Household:
    """Return the registered caller; raise as `current_session` does."""
    session = current_session(event, sessions, now, ESCALATED)
    if session.household_id is None:
        raise _session_refused()
    return Household(household_id=session.household_id, session_id=session.session_id)


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


def _session_refused() -> Problem:
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
