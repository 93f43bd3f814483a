"""Taking notifications and following devices, whichever of the two comes first."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from paygo.events import Event, PaymentConfirmed
from payments.model import (
    Contended,
    Device,
    Notification,
    Payment,
    PaymentRequest,
    ReferenceReused,
    RequestState,
)

ATTEMPTS = 4
"""A notification contends with its own repetition and with its device's activation, and both are soon over."""


class Payments(Protocol):
    """Where payments and the devices they may be for are kept."""

    def find(self, provider: str, reference: str) -> Payment | None:
        """Return the payment with the provider's reference."""

    def device(self, serial_number: str) -> Device | None:
        """Return the device that payments for the serial number belong to."""

    def request(self, payment_request_id: str) -> PaymentRequest | None:
        """Return the payment request."""

    def take(self, payment: Payment, event: Event[PaymentConfirmed] | None, paid: PaymentRequest | None) -> None:
        """Keep a new payment, the event when it is confirmed, and that the request is paid when it answers one.

        Raises
        ------
        Contended
            When the reference was taken, the serial number's device changed or the request was paid since they were
            read.
        """

    def follow(self, device: Device) -> Device:
        """Keep the device unless a later activation is known, and return the one that is kept."""

    def unmatched(self, serial_number: str) -> Iterable[Payment]:
        """Return the serial number's payments that wait for its device."""

    def confirm(self, payment: Payment, event: Event[PaymentConfirmed]) -> None:
        """Replace the unmatched payment and keep the event; do nothing when it was confirmed before."""


def take_notification(
    notification: Notification, payments: Payments, *, source: str, correlation_id: str, now: datetime
) -> Payment:
    """Take a provider's notification once, however often it is sent.

    Raises
    ------
    ReferenceReused
        When the reference stands for another payment.
    """
    for _ in range(ATTEMPTS):
        known = payments.find(notification.provider, notification.reference)
        if known is not None:
            if not known.answers(notification):
                raise ReferenceReused
            return known
        device = payments.device(notification.account)
        payment = Payment.taken(notification, str(uuid4()), device)
        event = _confirmed(payment, device, source, correlation_id, now) if device else None
        try:
            payments.take(payment, event, _answered(payment, payments))
        except Contended:
            continue
        return payment
    message = f"Something else kept changing the payment {notification.reference} or its device: send it again."
    raise Contended(message)


def follow_device(device: Device, payments: Payments, *, source: str, correlation_id: str, now: datetime) -> None:
    """Keep an activated device and confirm the payments that came before it.

    The device is kept first: from then on no notification is taken as unmatched, so the list of those that were is
    complete.
    """
    kept = payments.follow(device)
    for payment in payments.unmatched(device.serial_number):
        matched = payment.matched(kept)
        payments.confirm(matched, _confirmed(matched, kept, source, correlation_id, now))


def _answered(payment: Payment, payments: Payments) -> PaymentRequest | None:
    """Return the request that the payment is the answer to, if it is one that is not paid yet."""
    request = payments.request(payment.payment_request_id) if payment.payment_request_id else None
    if request is None or request.state is RequestState.PAID or not request.is_paid_by(payment):
        return None
    return request


def _confirmed(
    payment: Payment, device: Device, source: str, correlation_id: str, now: datetime
) -> Event[PaymentConfirmed]:
    data = PaymentConfirmed(
        payment_id=payment.payment_id,
        provider=payment.provider,
        provider_reference=payment.reference,
        household_id=device.household_id,
        device_id=device.device_id,
        amount=payment.amount,
        paid_at=payment.paid_at,
    )
    return Event[PaymentConfirmed].about(
        payment.payment_id, data, source=source, time=now, correlation_id=correlation_id
    )
