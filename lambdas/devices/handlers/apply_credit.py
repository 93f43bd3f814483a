"""Consumes `ledger.credit-changed.v1`: the device is told until when it works."""

from devices import composition
from devices.messages import Credit
from devices.usecases import apply_credit
from paygo.consumer import consumer
from paygo.events import CreditChanged, Event

DEVICES = composition.devices()
THINGS = composition.things()


def handle(event: Event[CreditChanged]) -> None:
    """Keep the credit and tell the device."""
    changed = event.data
    credit = Credit(
        device_id=changed.device_id, credit_until=changed.credit_until, credit_version=changed.credit_version
    )
    apply_credit(credit, DEVICES, THINGS)


handler = consumer(CreditChanged, handle)
