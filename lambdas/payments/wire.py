"""The contract's bodies; what providers send is in their gateways."""

from typing import Annotated, Self

from pydantic import AwareDatetime, Field

from paygo.http import WireModel
from paygo.money import Money
from payments import model

LARGEST_AMOUNT = 100_000_000_000

Account = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{2,39}$", description="A device's serial number.")]
Reference = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]


class PaidAmount(Money):
    """An amount that somebody can have paid."""

    amount: Annotated[int, Field(ge=1, le=LARGEST_AMOUNT)]


class Payment(WireModel):
    """What the provider is answered."""

    payment_id: str
    reference: str
    state: model.State


class PaymentRequestBody(WireModel):
    """What a household asks for."""

    provider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
    serial_number: Account
    amount: PaidAmount
    phone: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]


class PaymentRequest(WireModel):
    """How far a request has come."""

    payment_request_id: str
    provider: str
    serial_number: str
    amount: Money
    state: model.RequestState
    requested_at: AwareDatetime

    @classmethod
    def of(cls, request: model.PaymentRequest) -> Self:
        """Return the request as its household sees it."""
        return cls(
            payment_request_id=request.payment_request_id,
            provider=request.provider,
            serial_number=request.account,
            amount=request.amount,
            state=request.state,
            requested_at=request.requested_at,
        )
