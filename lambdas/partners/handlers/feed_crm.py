"""Consumes `devices.device-activated.v1`: the CRM is told of every activation, at least once."""

from partners import composition
from paygo.consumer import consumer
from paygo.events import DeviceActivated, Event
from paygo.partners import LONGEST_CALL

CRM = composition.crm()


def handle(event: Event[DeviceActivated]) -> None:
    """Tell the CRM."""
    CRM.tell_activation(event.id, event.data)


handler = consumer(DeviceActivated, handle, spare=LONGEST_CALL)
