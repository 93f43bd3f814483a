"""Consumes `devices.device-activated.v1`: payments for the device's serial number now have somebody to belong to."""

from datetime import UTC, datetime

from paygo.composition import source
from paygo.consumer import consumer
from paygo.events import DeviceActivated, Event
from payments import composition
from payments.model import Device
from payments.usecases.payments import follow_device

PAYMENTS = composition.payments()


def handle(event: Event[DeviceActivated]) -> None:
    """Follow the activated device."""
    activated = event.data
    device = Device(
        serial_number=activated.serial_number,
        device_id=activated.device_id,
        household_id=activated.household_id,
        activated_at=activated.activated_at,
    )
    follow_device(
        device,
        PAYMENTS,
        source=source(),
        correlation_id=event.correlationid,
        now=datetime.now(UTC),
    )


handler = consumer(DeviceActivated, handle)
