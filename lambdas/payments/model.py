"""A provider's payment, the device it is for, and the request that may have led to it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from paygo.money import Money


class ReferenceReused(Exception):
    """A provider notified another payment under a reference it has used before."""


class Contended(Exception):
    """What was read changed before it could be written: read again."""


class UnknownPaymentRequest(Exception):
    """There is no such payment request."""


class RequestRefused(Exception):
    """A provider does not ask this payer for this amount, however often it is told to."""


class State(StrEnum):
    """How far a payment has come; `confirmed` is the end."""

    UNMATCHED = "unmatched"
    CONFIRMED = "confirmed"


class RequestState(StrEnum):
    """How far a payment request has come."""

    REQUESTED = "requested"
    SENT = "sent"
    REFUSED = "refused"
    PAID = "paid"


MOVES: Mapping[RequestState, frozenset[RequestState]] = {
    # The payment may be notified before it was noted that the provider took the request.
    RequestState.REQUESTED: frozenset({RequestState.SENT, RequestState.REFUSED, RequestState.PAID}),
    RequestState.SENT: frozenset({RequestState.PAID}),
    # Money that came is paid, whatever was said before.
    RequestState.REFUSED: frozenset({RequestState.PAID}),
    RequestState.PAID: frozenset(),
}
"""The states that a payment request may move to from each state."""


def sources(target: RequestState) -> list[RequestState]:
    """Return the states from which a payment request may move to `target`."""
    return [state for state, targets in MOVES.items() if target in targets]


class Value(BaseModel):
    """Something that never changes; errors do not repeat its content, which may be a person's."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Device(Value):
    """A device in a household's hands, as the service was told of it."""

    serial_number: str
    device_id: str
    household_id: str
    activated_at: AwareDatetime


class Notification(Value):
    """What a provider says about a payment.

    Attributes
    ----------
    account
        The serial number that the customer typed, or that we asked a payment for.
    payment_request_id
        What the provider names as our own reference; it need not be one.
    """

    provider: str
    reference: str
    account: str
    amount: Money
    paid_at: AwareDatetime
    payment_request_id: str | None = None


class PaymentRequest(Value):
    """A payment that a household wants its provider to collect."""

    payment_request_id: str
    household_id: str
    device_id: str
    provider: str
    account: str
    amount: Money
    phone: str
    state: RequestState
    requested_at: AwareDatetime

    def is_paid_by(self, notification: Notification) -> bool:
        """Tell whether the notification is of what was asked for."""
        asked = (self.payment_request_id, self.provider, self.account, self.amount)
        return asked == (
            notification.payment_request_id,
            notification.provider,
            notification.account,
            notification.amount,
        )


class Payment(Notification):
    """A notification, taken for good."""

    payment_id: str
    state: State
    answered: State
    """What the provider was told, and is told again whenever it repeats the notification."""
    device: Device | None

    @classmethod
    def taken(cls, notification: Notification, payment_id: str, device: Device | None) -> Self:
        """Return the payment that the notification makes, matched when the device is known."""
        state = State.CONFIRMED if device else State.UNMATCHED
        return cls(
            **dict(notification),
            payment_id=payment_id,
            state=state,
            answered=state,
            device=device,
        )

    def matched(self, device: Device) -> Self:
        """Return the payment, confirmed for the device."""
        return self.model_copy(update={"state": State.CONFIRMED, "device": device})

    def answers(self, notification: Notification) -> bool:
        """Tell whether the notification is this payment's own, told again."""
        return (self.account, self.amount) == (notification.account, notification.amount)
