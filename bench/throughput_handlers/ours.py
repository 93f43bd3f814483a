"""The same as `bare`, as a service of the platform does it."""

from contextlib import suppress

from paygo.composition import own_table
from paygo.consumer import consumer
from paygo.events import Event, PaymentConfirmed
from paygo.storage import ABSENT, ConditionFailed

TABLE = own_table()


def handle(event: Event[PaymentConfirmed]) -> None:
    """Write the payment once."""
    payment = event.data
    with suppress(ConditionFailed):
        TABLE.put(
            {
                "pk": f"PAYMENT#{payment.payment_id}",
                "sk": "PAYMENT",
                "event_id": event.id,
                "device_id": payment.device_id,
                "amount": payment.amount.amount,
                "currency": payment.amount.currency,
            },
            ABSENT,
        )


handler = consumer(PaymentConfirmed, handle)
