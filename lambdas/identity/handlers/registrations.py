"""POST /v1/registrations and GET /v1/registrations/{registration_id}."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from identity import composition
from identity.model import DECIDED, Registration
from identity.problems import as_problems
from identity.usecases.causes import Cause
from identity.usecases.registrations import read, submit
from identity.wire import RegistrationBody, RegistrationRequestBody
from paygo.composition import callers, idempotency_keys, source
from paygo.http import answer, answer_once, api, entry_point, parse
from paygo.security import BEFORE_ESCALATION, ESCALATED

REGISTRATIONS = composition.registrations()
CALLERS = callers()
SOURCE = source()

RETRY_AFTER_SECONDS = 2
"""A bureau that checks without a person answers within seconds; a caller that waits longer is told again."""

app = api()


@app.post("/v1/registrations")
def register() -> Response[str]:
    """Take a registration; the identity check follows."""
    event, now = app.current_event, datetime.now(UTC)
    session = CALLERS.session(event, now, BEFORE_ESCALATION)
    body = parse(event, RegistrationRequestBody)
    applicant = body.applicant()

    def work() -> Response[str]:
        with as_problems():
            registration = submit(
                REGISTRATIONS,
                # Made where it is used: following a registration does not need the user pool.
                composition.users(),
                session,
                applicant,
                body.password.get_secret_value(),
                intent=event.headers["Idempotency-Key"],
                cause=Cause(SOURCE, event.request_context.request_id or "unknown"),
                now=now,
            )
        return answer(
            HTTPStatus.ACCEPTED,
            RegistrationBody.of(registration),
            {"Location": f"/v1/registrations/{registration.registration_id}", **_retry_after(registration)},
        )

    return answer_once(
        idempotency_keys(),
        event,
        app.lambda_context,
        caller=session.identity_id,
        intent=applicant.model_dump(),
        work=work,
    )


@app.get("/v1/registrations/<registration_id>")
def follow(registration_id: str) -> Response[str]:
    """Tell the caller where its registration stands."""
    session = CALLERS.session(app.current_event, datetime.now(UTC), BEFORE_ESCALATION | ESCALATED)
    with as_problems():
        registration = read(REGISTRATIONS, registration_id, session)
    return answer(HTTPStatus.OK, RegistrationBody.of(registration), _retry_after(registration))


def _retry_after(registration: Registration) -> dict[str, str]:
    return {} if registration.state in DECIDED else {"Retry-After": str(RETRY_AFTER_SECONDS)}


handler = entry_point(app)
