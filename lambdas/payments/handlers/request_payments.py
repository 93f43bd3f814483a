"""Consumes `payments.payment-requested.v1`: the provider is asked for the payment."""

from paygo.consumer import consumer
from paygo.events import Event, PaymentRequested
from paygo.partners import LONGEST_CALL
from payments import composition
from payments.usecases.requests import request_payment

PAYMENTS = composition.payments()


def handle(event: Event[PaymentRequested]) -> None:
    """Ask the provider, which knows the event's id as what must happen once."""
    request_payment(event.data.payment_request_id, PAYMENTS, composition.provider, intent=event.id)


handler = consumer(PaymentRequested, handle, spare=LONGEST_CALL)
