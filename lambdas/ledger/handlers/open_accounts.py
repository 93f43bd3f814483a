"""Consumes `devices.device-activated.v1`: the device can be paid for from now on."""

from aws_lambda_powertools import Logger

from ledger import composition
from ledger.plans import PRICES_PER_DAY
from ledger.usecases import open_account
from paygo.consumer import consumer
from paygo.events import DeviceActivated, Event

ACCOUNTS = composition.accounts()

logger = Logger()


def handle(event: Event[DeviceActivated]) -> None:
    """Open the activated device's account."""
    device = event.data
    if device.model not in PRICES_PER_DAY:
        logger.warning(
            "The model has no plan, so the default price holds: add it to ledger/plans.py", model=device.model
        )
    open_account(device.device_id, device.household_id, device.model, ACCOUNTS)


handler = consumer(DeviceActivated, handle)
