"""`/v1/payment-requests`: a household asks that a payment be collected, and follows it."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from paygo.composition import callers, idempotency_keys, source
from paygo.http import answer, answer_once, api, entry_point, location, parse
from paygo.money import Money
from paygo.partners import partner_settings
from paygo.problems import Place, invalid_request
from payments import composition, wire
from payments.usecases.requests import ask_for_payment, read_request

CALLERS = callers()
PAYMENTS = composition.payments()
PROVIDERS = partner_settings()

app = api()


@app.post("/v1/payment-requests")
def ask() -> Response[str]:
    """Take a request; the provider is asked afterwards."""
    event, now = app.current_event, datetime.now(UTC)
    household = CALLERS.household(event, now)
    sent = parse(event, wire.PaymentRequestBody)
    if sent.provider not in PROVIDERS:
        raise invalid_request(Place("/provider", f"is none of: {', '.join(sorted(PROVIDERS))}"))

    def work() -> Response[str]:
        request = ask_for_payment(
            PAYMENTS,
            household=household,
            provider=sent.provider,
            serial_number=sent.serial_number,
            amount=Money(**dict(sent.amount)),
            phone=sent.phone,
            key=event.headers["Idempotency-Key"],
            source=source(),
            correlation_id=event.request_context.request_id,
            now=now,
        )
        headers = {"Location": location(event, f"/v1/payment-requests/{request.payment_request_id}")}
        return answer(HTTPStatus.ACCEPTED, wire.PaymentRequest.of(request), headers)

    return answer_once(
        idempotency_keys(),
        event,
        app.lambda_context,
        caller=household.household_id,
        intent=sent.model_dump(mode="json"),
        work=work,
    )


@app.get("/v1/payment-requests/<payment_request_id>")
def read(payment_request_id: str) -> Response[str]:
    """Tell the household how far its request has come."""
    household = CALLERS.household(app.current_event, datetime.now(UTC))
    request = read_request(payment_request_id, household, PAYMENTS)
    return answer(HTTPStatus.OK, wire.PaymentRequest.of(request))


handler = entry_point(app)
