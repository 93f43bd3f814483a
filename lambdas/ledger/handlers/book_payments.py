"""Consumes `payments.payment-confirmed.v1`: books the payment and the credit it buys."""

from datetime import UTC, datetime

from ledger import composition
from ledger.model import Payment
from ledger.usecases import book_payment
from paygo.composition import source
from paygo.consumer import consumer
from paygo.events import Event, PaymentConfirmed

ACCOUNTS = composition.accounts()


def handle(event: Event[PaymentConfirmed]) -> None:
    """Book the confirmed payment."""
    confirmed = event.data
    payment = Payment(
        payment_id=confirmed.payment_id,
        provider=confirmed.provider,
        household_id=confirmed.household_id,
        device_id=confirmed.device_id,
        amount=confirmed.amount,
    )
    book_payment(
        payment,
        ACCOUNTS,
        source=source(),
        correlation_id=event.correlationid,
        now=datetime.now(UTC),
    )


handler = consumer(PaymentConfirmed, handle)
