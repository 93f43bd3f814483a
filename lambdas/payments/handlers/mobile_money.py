"""`POST /partners/mobile-money/notifications`: a payment that the mobile-money provider took."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from paygo.composition import nonces, source
from paygo.config import setting
from paygo.http import answer, api, entry_point, parse
from paygo.money import Money
from paygo.problems import Problem
from paygo.security import partner_keys, verify_partner
from payments import composition, wire
from payments.model import Notification, ReferenceReused
from payments.usecases import take_notification

PROVIDER = "mobile-money"
PARTNER_SECRET_ARN = setting("PARTNER_SECRET_ARN")
NONCES = nonces()
PAYMENTS = composition.payments()

app = api()


@app.post("/partners/mobile-money/notifications")
def notify() -> Response[str]:
    """Take a notification once and answer the same whenever it is repeated."""
    now = datetime.now(UTC)
    verify_partner(app.current_event, partner_keys(PARTNER_SECRET_ARN), NONCES, now)
    sent = parse(app.current_event, wire.PaymentNotification)
    notification = Notification(
        provider=PROVIDER,
        reference=sent.reference,
        account=sent.account,
        amount=Money(amount=sent.amount.amount, currency=sent.amount.currency),
        paid_at=sent.paid_at,
    )
    try:
        payment = take_notification(
            notification,
            PAYMENTS,
            source=source(),
            correlation_id=app.current_event.request_context.request_id,
            now=now,
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
