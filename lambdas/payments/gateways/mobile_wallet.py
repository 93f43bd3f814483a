"""A mobile-wallet provider: see contracts/partners/mobile-wallet/openapi.yaml."""

import re
from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, ValidationInfo, field_validator

from paygo.http import WireModel
from paygo.money import Currency, InexactAmount, Money, decimal_text, minor_units
from paygo.partners import PartnerClient, PartnerRefused, bearer
from payments.model import Notification, PaymentRequest, RequestRefused
from payments.wire import LARGEST_AMOUNT, Account, Reference

PLACES = 2
"""Amounts are decimal text with two places, whatever the currency."""
VALUE = re.compile(r"[0-9]{1,10}\.[0-9]{2}", re.ASCII)

authenticate = bearer


class Charge(BaseModel):
    """A request for a payment that the provider took."""

    charge_id: Annotated[str, Field(alias="chargeId", min_length=1, max_length=64)]
    state: Literal["CREATED"]


class Transaction(WireModel):
    """A payment that was made; one that we asked for has our reference."""

    transaction_id: Annotated[Reference, Field(alias="transactionId")]
    merchant_reference: Annotated[Reference | None, Field(alias="merchantReference")] = None
    account_number: Annotated[Account, Field(alias="accountNumber")]
    # Before the value, which is an amount in it.
    currency_code: Annotated[Currency, Field(alias="currencyCode")]
    value: str
    completed_at: Annotated[AwareDatetime, Field(alias="completedAt", strict=True)]

    @field_validator("value")
    @classmethod
    def _is_exact(cls, value: str, info: ValidationInfo) -> str:
        if not VALUE.fullmatch(value):
            message = "must be an amount with two decimal places"
            raise ValueError(message)
        currency = info.data.get("currency_code")
        if currency is not None and not 1 <= minor_units(value, currency) <= LARGEST_AMOUNT:
            message = "is not an amount that somebody can have paid"
            raise ValueError(message)
        return value


def request(client: PartnerClient, asked: PaymentRequest, notify_url: str, intent: str) -> None:
    """Charge the payer's wallet."""
    try:
        answer = client.request(
            "POST",
            "/v2/charges",
            json={
                "merchantReference": asked.payment_request_id,
                "msisdn": asked.phone.removeprefix("+"),
                "value": _value(asked.amount),
                "currencyCode": asked.amount.currency,
                "accountNumber": asked.account,
                "notifyUrl": notify_url,
            },
            idempotency_key=intent,
        )
    except PartnerRefused as refusal:
        if refusal.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        raise RequestRefused from refusal
    answer.read(HTTPStatus.CREATED, Charge)


def parse_notification(provider: str, body: bytes) -> Notification:
    """Return what the body notifies."""
    sent = Transaction.model_validate_json(body)
    return Notification(
        provider=provider,
        reference=sent.transaction_id,
        account=sent.account_number,
        amount=Money(amount=minor_units(sent.value, sent.currency_code), currency=sent.currency_code),
        paid_at=sent.completed_at,
        payment_request_id=sent.merchant_reference,
    )


def _value(money: Money) -> str:
    try:
        value = decimal_text(money.amount, money.currency, PLACES)
    except InexactAmount as error:
        raise RequestRefused from error
    if not VALUE.fullmatch(value):
        raise RequestRefused
    return value
