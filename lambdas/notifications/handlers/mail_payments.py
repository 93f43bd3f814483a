"""Consumes `ledger.credit-changed.v1`: tells the household by e-mail what its payment gave it."""

from notifications import composition
from notifications.model import CreditedPayment
from notifications.usecases import tell_payment
from paygo.composition import handled_events
from paygo.consumer import consumer
from paygo.events import CreditChanged, Event

CONTACTS = composition.contacts()
POST = composition.post()


def handle(event: Event[CreditChanged]) -> None:
    """Tell the household about its payment."""
    changed = event.data
    payment = CreditedPayment(
        payment_id=changed.payment_id,
        household_id=changed.household_id,
        amount=changed.amount,
        credit_until=changed.credit_until,
    )
    tell_payment(event.id, payment, CONTACTS, POST)


# Sending cannot be part of a transaction of ours, so what was sent is remembered by the event's id.
handler = consumer(CreditChanged, handle, once=handled_events())
