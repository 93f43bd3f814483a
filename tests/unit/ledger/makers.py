from datetime import UTC, datetime
from typing import Any

from ledger.model import Balance, Credit, Payment
from paygo.events import CreditChanged, Event
from paygo.money import Money

NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)


def kes(amount: int) -> Money:
    return Money(amount=amount, currency="KES")


def credit(**changes: Any) -> Credit:
    return Credit.model_validate(
        {
            "device_id": "device-1",
            "household_id": "household-1",
            "model": "solar-home-50",
            "price_per_day": kes(5000),
        }
        | changes
    )


def payment(payment_id: str = "payment-1", amount: int = 25000, *, currency: str = "KES", **changes: Any) -> Payment:
    return Payment.model_validate(
        {
            "payment_id": payment_id,
            "provider": "mobile-money",
            "household_id": "household-1",
            "device_id": "device-1",
            "amount": Money(amount=amount, currency=currency),
        }
        | changes
    )


def balance(amount: int = 0, version: int = 0) -> Balance:
    return Balance(household_id="household-1", amount=kes(amount), version=version)


def changed(credit_version: int = 1) -> Event[CreditChanged]:
    data = CreditChanged(
        device_id="device-1",
        household_id="household-1",
        payment_id="payment-1",
        amount=kes(25000),
        credit_until=NOW,
        credit_version=credit_version,
    )
    return Event[CreditChanged].about("device-1", data, source="/paygo-test/ledger", time=NOW, correlation_id="c-1")
