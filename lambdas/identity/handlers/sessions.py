"""POST /v1/sessions, /v1/sessions/refresh and /v1/sessions/current/credentials, GET /v1/sessions/current."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from identity import composition
from identity.problems import as_problems
from identity.usecases.sessions import Opened, escalate, open_session, refresh
from identity.wire import SessionBody, SessionRefreshBody, SessionStateBody
from paygo.composition import callers
from paygo.config import setting
from paygo.http import answer, api, entry_point, parse
from paygo.security import BEFORE_ESCALATION, ESCALATED

SESSIONS = composition.sessions()
CALLERS = callers()
CREDENTIALS = composition.credentials()
REGION = setting("AWS_REGION")

app = api()


@app.post("/v1/sessions")
def open_() -> Response[str]:
    """Open an anonymous session."""
    opened = open_session(SESSIONS, CREDENTIALS, datetime.now(UTC))
    return _answer(HTTPStatus.CREATED, opened, {"Location": "/v1/sessions/current"})


@app.post("/v1/sessions/refresh")
def refresh_() -> Response[str]:
    """Exchange the refresh token for new credentials."""
    body = parse(app.current_event, SessionRefreshBody)
    with as_problems():
        opened = refresh(SESSIONS, CREDENTIALS, body.refresh_token, datetime.now(UTC))
    return _answer(HTTPStatus.OK, opened)


@app.get("/v1/sessions/current")
def read() -> Response[str]:
    """Tell the caller where its session stands."""
    session = CALLERS.session(app.current_event, datetime.now(UTC), BEFORE_ESCALATION | ESCALATED)
    return answer(HTTPStatus.OK, SessionStateBody.of(session))


@app.post("/v1/sessions/current/credentials")
def escalate_() -> Response[str]:
    """Escalate the approved session."""
    now = datetime.now(UTC)
    session = CALLERS.session(app.current_event, now, BEFORE_ESCALATION, fetching=True)
    with as_problems():
        opened = escalate(SESSIONS, CREDENTIALS, session.identity_id, now)
    return _answer(HTTPStatus.OK, opened)


def _answer(status: HTTPStatus, opened: Opened, headers: dict[str, str] | None = None) -> Response[str]:
    # Credentials and tokens must not stay in any cache: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5
    return answer(status, SessionBody.opened(opened, REGION), {"Cache-Control": "no-store", **(headers or {})})


handler = entry_point(app)
