from datetime import UTC, datetime, timedelta
from typing import Any

from paygo.events import Event, PaymentConfirmed, PaymentRequested
from paygo.money import Money
from payments.model import Device, Notification, Payment, PaymentRequest

NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)


def device(household_id: str = "household-1", *, days_later: int = 0) -> Device:
    return Device(
        serial_number="SHS-000001",
        device_id=f"device-of-{household_id}",
        household_id=household_id,
        activated_at=NOW + timedelta(days=days_later),
    )


def notification(**changes: Any) -> Notification:
    return Notification.model_validate(
        {
            "provider": "mobile-money",
            "reference": "MM-1",
            "account": "SHS-000001",
            "amount": Money(amount=25000, currency="KES"),
            "paid_at": NOW,
        }
        | changes
    )


def payment(of: Device | None = None, **changes: Any) -> Payment:
    told = notification(**changes)
    return Payment.taken(told, f"payment-of-{told.reference}", of)


def confirmed(what: Payment) -> Event[PaymentConfirmed]:
    assert what.device
    data = PaymentConfirmed(
        payment_id=what.payment_id,
        provider=what.provider,
        provider_reference=what.reference,
        household_id=what.device.household_id,
        device_id=what.device.device_id,
        amount=what.amount,
        paid_at=what.paid_at,
    )
    return Event[PaymentConfirmed].about(
        what.payment_id, data, source="/paygo-test/payments", time=NOW, correlation_id="request-1"
    )


def request(**changes: Any) -> PaymentRequest:
    return PaymentRequest.model_validate(
        {
            "payment_request_id": "request-1",
            "household_id": "household-1",
            "device_id": "device-of-household-1",
            "provider": "mobile-money",
            "account": "SHS-000001",
            "amount": Money(amount=25000, currency="KES"),
            "phone": "+254700000001",
            "state": "requested",
            "requested_at": NOW,
        }
        | changes
    )


def requested(what: PaymentRequest) -> Event[PaymentRequested]:
    data = PaymentRequested(
        payment_request_id=what.payment_request_id,
        provider=what.provider,
        household_id=what.household_id,
        device_id=what.device_id,
        amount=what.amount,
    )
    return Event[PaymentRequested].about(
        what.payment_request_id, data, source="/paygo-test/payments", time=NOW, correlation_id="request-1"
    )
