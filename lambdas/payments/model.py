"""A provider's payment and the device it is for."""

from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from paygo.money import Money


class ReferenceReused(Exception):
    """A provider notified another payment under a reference it has used before."""


class Contended(Exception):
    """What was read changed before it could be written: read again."""


class State(StrEnum):
    """How far a payment has come; `confirmed` is the end."""

    UNMATCHED = "unmatched"
    CONFIRMED = "confirmed"


class Value(BaseModel):
    """Something that never changes."""

    model_config = ConfigDict(frozen=True)


class Device(Value):
    """A device in a household's hands, as the service was told of it."""

    serial_number: str
    device_id: str
    household_id: str
    activated_at: AwareDatetime


class Notification(Value):
    """What a provider says about a payment; `account` is the serial number that the customer typed."""

    provider: str
    reference: str
    account: str
    amount: Money
    paid_at: AwareDatetime


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
