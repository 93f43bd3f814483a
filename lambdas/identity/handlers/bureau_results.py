"""POST /partners/identity-bureau/results."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from identity import composition
from identity.problems import as_problems
from identity.usecases.causes import Cause
from identity.usecases.checking import decide
from identity.wire import CheckResultBody
from paygo.composition import nonces, source
from paygo.config import setting
from paygo.http import answer, api, entry_point, origin, parse
from paygo.security import partner_keys, verify_partner

REGISTRATIONS = composition.registrations()
NONCES = nonces()
PARTNER_SECRET_ARN = setting("PARTNER_SECRET_ARN")
SOURCE = source()

app = api()


@app.post(composition.RESULTS_PATH)
def receive() -> Response[str]:
    """Take the bureau's answer."""
    event, now = app.current_event, datetime.now(UTC)
    verify_partner(event, partner_keys(PARTNER_SECRET_ARN), NONCES, now)
    body = parse(event, CheckResultBody)
    with as_problems():
        decide(
            REGISTRATIONS,
            str(body.reference),
            body.outcome,
            cause=Cause(SOURCE, event.request_context.request_id or "unknown", origin(event)),
            now=now,
        )
    return answer(HTTPStatus.NO_CONTENT)


handler = entry_point(app)
