"""The contract's bodies."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from paygo.http import WireModel
from paygo.money import Money
from payments.model import State


class PaidAmount(Money):
    """An amount that somebody can have paid."""

    amount: Annotated[int, Field(ge=1, le=100_000_000_000)]


class PaymentNotification(WireModel):
    """What the provider sends."""

    reference: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
    account: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{2,39}$")]
    amount: PaidAmount
    paid_at: Annotated[AwareDatetime, Field(strict=True)]


class Payment(WireModel):
    """What the provider is answered."""

    payment_id: str
    reference: str
    state: State
