"""`POST /partners/{provider}/notifications`: a payment that a provider took."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from pydantic import ValidationError

from paygo.composition import nonces, source
from paygo.http import answer, api, entry_point, invalid_body, raw_body
from paygo.partners import partner_settings
from paygo.problems import Problem, not_found
from paygo.security import partner_keys, verify_partner
from payments import composition, wire
from payments.gateways import gateway
from payments.model import ReferenceReused
from payments.usecases.payments import take_notification

PROVIDERS = partner_settings()
NONCES = nonces()
PAYMENTS = composition.payments()

app = api()


@app.post("/partners/<provider>/notifications")
def notify(provider: str) -> Response[str]:
    """Take a notification once and answer the same whenever it is repeated."""
    event, now = app.current_event, datetime.now(UTC)
    if provider not in PROVIDERS:
        raise not_found("provider")
    verify_partner(event, partner_keys(PROVIDERS[provider].inbound_secret_arn), NONCES, now)
    try:
        notification = gateway(provider).parse_notification(provider, raw_body(event))
    except ValidationError as error:
        raise invalid_body(error) from error
    try:
        payment = take_notification(
            notification, PAYMENTS, source=source(), correlation_id=event.request_context.request_id, now=now
        )
    except ReferenceReused as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "reference-reused",
            "The reference stands for another payment",
            "Send the amount and account of the first notification, or a reference that was never used.",
        ) from error
    return answer(
        HTTPStatus.OK,
        wire.Payment(payment_id=payment.payment_id, reference=payment.reference, state=payment.answered),
    )


handler = entry_point(app)
