"""Everything under /v1/sessions."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from identity import composition
from identity.problems import as_problems
from identity.usecases.causes import Cause
from identity.usecases.sessions import (
    escalate,
    issue_token,
    list_sessions,
    open_session,
    refresh,
    sign_out,
    sign_out_everywhere,
    sign_out_of,
)
from identity.wire import (
    BearerTokenBody,
    SessionBody,
    SessionPageBody,
    SessionRefreshBody,
    SessionStateBody,
    TokenRequestBody,
)
from paygo.composition import callers, source
from paygo.config import setting
from paygo.http import answer, api, entry_point, location, origin, paging, parse
from paygo.security import BEFORE_ESCALATION, ESCALATED, Caller

SESSIONS = composition.sessions()
CALLERS = callers()
MAKERS = composition.makers()
SOURCE = source()
REGION = setting("AWS_REGION")
SESSIONS_PER_ADDRESS = int(setting("SESSIONS_PER_ADDRESS"))

# Credentials and tokens must not stay in any cache: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5
NO_STORE = {"Cache-Control": "no-store"}

app = api()


@app.post("/v1/sessions")
def open_() -> Response[str]:
    """Open an anonymous session."""
    with as_problems():
        opened = open_session(SESSIONS, MAKERS, limit=SESSIONS_PER_ADDRESS, cause=_cause(), now=datetime.now(UTC))
    there = {"Location": location(app.current_event, "/v1/sessions/current")}
    return answer(HTTPStatus.CREATED, SessionBody.opened(opened, REGION), NO_STORE | there)


@app.post("/v1/sessions/refresh")
def refresh_() -> Response[str]:
    """Exchange the refresh token for new credentials."""
    body = parse(app.current_event, SessionRefreshBody)
    with as_problems():
        opened = refresh(SESSIONS, MAKERS, body.refresh_token, cause=_cause(), now=datetime.now(UTC))
    return answer(HTTPStatus.OK, SessionBody.opened(opened, REGION), NO_STORE)


@app.get("/v1/sessions")
def list_() -> Response[str]:
    """Return a page of the household's sessions."""
    event, now = app.current_event, datetime.now(UTC)
    household = CALLERS.household(event, now)
    page = paging(event)
    found, next_cursor = list_sessions(SESSIONS, household, now, limit=page.limit, cursor=page.cursor)
    return answer(HTTPStatus.OK, SessionPageBody.of(found, next_cursor, current=household.session_id))


@app.delete("/v1/sessions")
def sign_out_everywhere_() -> Response[str]:
    """Sign out of all of the household's sessions."""
    now = datetime.now(UTC)
    household = CALLERS.household(app.current_event, now)
    sign_out_everywhere(SESSIONS, household, cause=_cause(), now=now)
    return answer(HTTPStatus.NO_CONTENT)


@app.get("/v1/sessions/current")
def read() -> Response[str]:
    """Tell the caller where its session stands."""
    session = CALLERS.session(app.current_event, datetime.now(UTC), BEFORE_ESCALATION | ESCALATED)
    return answer(HTTPStatus.OK, SessionStateBody.of(session))


@app.delete("/v1/sessions/current")
def sign_out_() -> Response[str]:
    """Sign out."""
    now = datetime.now(UTC)
    session = CALLERS.session(app.current_event, now, BEFORE_ESCALATION | ESCALATED)
    sign_out(SESSIONS, session.identity_id, cause=_cause(), now=now)
    return answer(HTTPStatus.NO_CONTENT)


@app.delete("/v1/sessions/<session_id>")
def sign_out_of_(session_id: str) -> Response[str]:
    """Sign out of one of the household's sessions."""
    now = datetime.now(UTC)
    household = CALLERS.household(app.current_event, now)
    with as_problems():
        sign_out_of(SESSIONS, household, session_id, cause=_cause(), now=now)
    return answer(HTTPStatus.NO_CONTENT)


@app.post("/v1/sessions/current/credentials")
def escalate_() -> Response[str]:
    """Escalate the approved session, or answer once more that it is."""
    now = datetime.now(UTC)
    session = CALLERS.session(app.current_event, now, BEFORE_ESCALATION, fetching=True)
    with as_problems():
        opened = escalate(SESSIONS, MAKERS, session.identity_id, cause=_cause(), now=now)
    return answer(HTTPStatus.OK, SessionBody.opened(opened, REGION), NO_STORE)


@app.post("/v1/sessions/current/tokens")
def issue_token_() -> Response[str]:
    """Give the caller a bearer token that may do less than its session."""
    event, now = app.current_event, datetime.now(UTC)
    session = CALLERS.session(event, now, BEFORE_ESCALATION | ESCALATED)
    body = parse(event, TokenRequestBody)
    caller = Caller.of(event)
    held = caller.scopes if caller else frozenset[str]()
    with as_problems():
        token = issue_token(SESSIONS, MAKERS.tokens, session, body.scopes, held=held, cause=_cause(), now=now)
    return answer(HTTPStatus.CREATED, BearerTokenBody.of(token), NO_STORE)


def _cause() -> Cause:
    event = app.current_event
    return Cause(SOURCE, event.request_context.request_id or "unknown", origin(event))


handler = entry_point(app)
