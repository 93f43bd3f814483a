"""One payment, followed by its correlation id through the logs of every function that it goes through."""

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from demo.stage import Stage, read_access
from paygo.events import DeviceActivated, HouseholdRegistered
from paygo.storage import Table
from paygo_client import Money
from tests.conftest import Clients
from tests.integration.test_events import STACK, Household, eventually

FOLLOWED = (
    "payments-notifications",
    "payments-publish-outbox",
    "ledger-book-payments",
    "ledger-publish-outbox",
    "devices-apply-credit",
    "notifications-mail-payments",
)
"""The functions that one payment goes through, in order."""


def logged(deployer: Clients, function: str, since: float) -> Iterable[dict[str, Any]]:
    pages = deployer("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=f"/aws/lambda/{STACK}-{function}", startTime=int(since * 1000)):
        for event in page["events"]:
            for line in event["message"].splitlines():
                if line.startswith("{"):
                    yield json.loads(line)


def is_in_the_log_of(deployer: Clients, function: str, correlation_id: str, since: float) -> bool:
    return any(line.get("correlation_id") == correlation_id for line in logged(deployer, function, since))


def correlation_id_of(deployer: Clients, payment_id: str) -> str:
    """What the payment's event says of the request that began it."""
    pages = deployer("dynamodb").get_paginator("scan")
    found = [
        item["correlation_id"]["S"]
        for page in pages.paginate(TableName=f"{STACK}-payments", ConsistentRead=True)
        for item in page["Items"]
        if payment_id in item.get("event", {}).get("S", "")
    ]
    assert len(found) == 1, f"events of the payment: {found}"
    return str(found[0])


def test_one_payment_is_followed_through_the_logs_of_every_function_it_goes_through(deployer: Clients) -> None:
    home, began = Household(deployer), time.time() - 1
    serial_number = f"FOLLOW-{home.device_id[:8].upper()}"
    registered = HouseholdRegistered(household_id=home.household_id, given_name="Amina", email=home.email)
    activated = DeviceActivated(
        device_id=home.device_id,
        serial_number=serial_number,
        model="solar-home-50",
        household_id=home.household_id,
        activated_at=datetime.now(UTC),
    )
    home.publish("identity", home.about("identity", registered))
    home.publish("devices", home.about("devices", activated))
    payments = Table(f"{STACK}-payments", deployer("dynamodb"))
    assert eventually(lambda: bool(home.credit())), "the device's account was not opened"
    # Earlier than that the payment would wait for the device, and belong to its activation.
    assert eventually(lambda: payments.get(pk=f"SERIAL#{serial_number}", sk="DEVICE") is not None)

    with Stage(read_access(STACK)).partner("mobile-money") as provider:
        payment = provider.notify_payment(
            reference=f"FOLLOW-{uuid4().hex[:12]}",
            account=serial_number,
            amount=Money(amount=25_000, currency="KES"),
            paid_at=datetime.now(UTC),
        )

    assert eventually(lambda: len(home.mails()) == 1), "the payment was not mailed"
    correlation_id = correlation_id_of(deployer, str(payment.payment_id))
    for function in FOLLOWED:
        found = partial(is_in_the_log_of, deployer, function, correlation_id, began)
        assert eventually(found, seconds=30), f"{function} logged nothing of {correlation_id}"
