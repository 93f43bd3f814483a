"""A mobile-money provider: see contracts/partners/mobile-money/openapi.yaml."""

from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from paygo.http import WireModel
from paygo.money import Money
from paygo.partners import PartnerClient, PartnerRefused, api_key
from payments.model import Notification, PaymentRequest, RequestRefused
from payments.wire import Account, PaidAmount, Reference

authenticate = api_key


class Collection(BaseModel):
    """A request for a payment that the provider took."""

    collection_id: Annotated[str, Field(min_length=1, max_length=64)]
    status: Literal["pending"]


class PaymentNotification(WireModel):
    """A payment that was made; one that we asked for has our request's reference."""

    reference: Reference
    account: Account
    amount: PaidAmount
    paid_at: Annotated[AwareDatetime, Field(strict=True)]


def request(client: PartnerClient, asked: PaymentRequest, notify_url: str, intent: str) -> None:
    """Ask the payer."""
    try:
        answer = client.request(
            "POST",
            "/collections",
            json={
                "reference": asked.payment_request_id,
                "phone": asked.phone,
                "amount": asked.amount.model_dump(),
                "account": asked.account,
                "callback_url": notify_url,
            },
            idempotency_key=intent,
        )
    except PartnerRefused as refusal:
        if refusal.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        raise RequestRefused from refusal
    answer.read(HTTPStatus.ACCEPTED, Collection)


def parse_notification(provider: str, body: bytes) -> Notification:
    """Return what the body notifies."""
    sent = PaymentNotification.model_validate_json(body)
    return Notification(
        provider=provider,
        reference=sent.reference,
        account=sent.account,
        amount=Money(**dict(sent.amount)),
        paid_at=sent.paid_at,
        payment_request_id=sent.reference,
    )
