"""POST /v1/sign-ins."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from identity import composition
from identity.model import RegistrationKind
from identity.problems import as_problems
from identity.usecases.causes import Cause
from identity.usecases.signing_in import Proof, by_id_token, by_partner, sign_in
from identity.wire import OwnSignInBody, PartnerSignInBody, RegistrationKindBody, SessionBody
from paygo.composition import callers, source
from paygo.config import setting
from paygo.http import answer, api, entry_point, origin, parse
from paygo.security import BEFORE_ESCALATION, Session

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

SESSIONS = composition.sessions()
HOUSEHOLDS = composition.registrations()
CALLERS = callers()
MAKERS = composition.makers()
SOURCE = source()
REGION = setting("AWS_REGION")

app = api()


@app.post("/v1/sign-ins")
def sign_in_() -> Response[str]:
    """Make the anonymous session that of a household which is registered already."""
    event, now = app.current_event, datetime.now(UTC)
    session = CALLERS.session(event, now, BEFORE_ESCALATION)
    body = _parsed(event)
    with as_problems():
        opened = sign_in(
            SESSIONS,
            MAKERS,
            session,
            partial(_prove, session, body, now),
            kind=body.kind,
            cause=Cause(SOURCE, event.request_context.request_id or "unknown", origin(event)),
            now=now,
        )
    # As the answers of /v1/sessions.
    return answer(HTTPStatus.OK, SessionBody.opened(opened, REGION), {"Cache-Control": "no-store"})


def _parsed(event: "APIGatewayProxyEvent") -> OwnSignInBody | PartnerSignInBody:
    if parse(event, RegistrationKindBody).kind is RegistrationKind.OWN:
        return parse(event, OwnSignInBody)
    return parse(event, PartnerSignInBody)


def _prove(session: Session, body: OwnSignInBody | PartnerSignInBody, now: datetime) -> Proof:
    # What verifies either is made where it is used: a cold start should not wait for both.
    if isinstance(body, OwnSignInBody):
        return by_id_token(composition.id_tokens(), HOUSEHOLDS, body.id_token.get_secret_value(), now)
    return by_partner(
        composition.bank(body.partner),
        HOUSEHOLDS,
        session,
        partner=body.partner,
        customer_number=body.customer_number.get_secret_value(),
        one_time_code=body.one_time_code.get_secret_value(),
        now=now,
    )


handler = entry_point(app)
