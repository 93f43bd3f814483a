"""POST /v1/registrations, GET /v1/registrations/{registration_id}, and the code that confirms one."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from identity import composition
from identity.model import Registration, RegistrationKind
from identity.problems import as_problems
from identity.usecases.causes import Cause
from identity.usecases.confirming import confirm, send_code
from identity.usecases.registrations import read, register, register_customer
from identity.wire import (
    ConfirmationBody,
    OwnRegistrationBody,
    PartnerRegistrationBody,
    RegistrationBody,
    RegistrationKindBody,
)
from paygo.composition import callers, idempotency_keys, source
from paygo.http import answer, answer_once, api, entry_point, location, origin, parse
from paygo.security import BEFORE_ESCALATION, ESCALATED, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

REGISTRATIONS = composition.registrations()
SESSIONS = composition.sessions()
CALLERS = callers()
SOURCE = source()

RETRY_AFTER_SECONDS = 2
"""A bureau that checks without a person answers within seconds; a caller that waits longer is told again."""

app = api()


@app.post("/v1/registrations")
def register_() -> Response[str]:
    """Take a registration; what comes next follows."""
    event, now = app.current_event, datetime.now(UTC)
    session = CALLERS.session(event, now, BEFORE_ESCALATION)
    kind = parse(event, RegistrationKindBody).kind
    taken = _own(event, session, now) if kind is RegistrationKind.OWN else _customer(event, session, now)
    intent, take = taken

    def work() -> Response[str]:
        with as_problems():
            registration = take()
        path = location(event, f"/v1/registrations/{registration.registration_id}")
        return _answer(HTTPStatus.ACCEPTED, registration, {"Location": path})

    return answer_once(
        idempotency_keys(),
        event,
        app.lambda_context,
        caller=session.identity_id,
        intent={"kind": kind.value, **intent},
        work=work,
    )


@app.get("/v1/registrations/<registration_id>")
def follow(registration_id: str) -> Response[str]:
    """Tell the caller where its registration stands."""
    session = CALLERS.session(app.current_event, datetime.now(UTC), BEFORE_ESCALATION | ESCALATED)
    with as_problems():
        registration = read(REGISTRATIONS, registration_id, session)
    return _answer(HTTPStatus.OK, registration)


@app.post("/v1/registrations/<registration_id>/confirmation")
def confirm_(registration_id: str) -> Response[str]:
    """Take the code that was e-mailed."""
    event, now = app.current_event, datetime.now(UTC)
    session = CALLERS.session(event, now, BEFORE_ESCALATION)
    body = parse(event, ConfirmationBody)
    with as_problems():
        registration = confirm(REGISTRATIONS, registration_id, session, body.code, cause=_cause(event), now=now)
    return _answer(HTTPStatus.OK, registration)


@app.post("/v1/registrations/<registration_id>/codes")
def send_code_(registration_id: str) -> Response[str]:
    """Have another code e-mailed."""
    event, now = app.current_event, datetime.now(UTC)
    session = CALLERS.session(event, now, BEFORE_ESCALATION)
    with as_problems():
        registration = send_code(REGISTRATIONS, registration_id, session, cause=_cause(event), now=now)
    return _answer(HTTPStatus.ACCEPTED, registration)


type Taken = tuple[dict[str, str], Callable[[], Registration]]


def _own(event: "APIGatewayProxyEvent", session: Session, now: datetime) -> "Taken":
    body = parse(event, OwnRegistrationBody)
    applicant = body.applicant()

    def take() -> Registration:
        return register(
            REGISTRATIONS,
            # Made where it is used: following a registration does not need the user pool.
            composition.users(),
            session,
            applicant,
            body.password.get_secret_value(),
            intent=event.headers["Idempotency-Key"],
            cause=_cause(event),
            now=now,
        )

    return applicant.model_dump(mode="json"), take


def _customer(event: "APIGatewayProxyEvent", session: Session, now: datetime) -> "Taken":
    body = parse(event, PartnerRegistrationBody)

    def take() -> Registration:
        return register_customer(
            REGISTRATIONS,
            SESSIONS,
            session,
            body.partner,
            body.proof(),
            intent=event.headers["Idempotency-Key"],
            cause=_cause(event),
            now=now,
        )

    return {"partner": body.partner, "customer_number": body.customer_number}, take


def _cause(event: "APIGatewayProxyEvent") -> Cause:
    return Cause(SOURCE, event.request_context.request_id or "unknown", origin(event))


def _answer(status: HTTPStatus, registration: Registration, headers: dict[str, str] | None = None) -> Response[str]:
    waiting = {} if registration.is_decided else {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return answer(status, RegistrationBody.of(registration), {**waiting, **(headers or {})})


handler = entry_point(app)
