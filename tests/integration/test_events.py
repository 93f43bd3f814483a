"""Events delivered twice and out of order through the deployed topics, queues and functions."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

import pytest

from demo.stage import Stage, read_access
from deploy.stack import stack_name
from paygo.events import DeviceActivated, Event, EventData, HouseholdRegistered, PaymentConfirmed
from paygo.money import Money
from paygo.storage import Table
from tests.conftest import Clients

STACK = stack_name(os.environ.get("PAYGO_TEST_BRANCH") or "test")
PAYMENTS = 6
AMOUNT = 25_000
PRICE_PER_DAY = 5_000


@dataclass
class Household:
    """A household that exists in events only."""

    deployer: Clients

    def __post_init__(self) -> None:
        self.household_id, self.device_id = str(uuid4()), str(uuid4())
        self.email = f"{self.household_id}@example.org"

    @cached_property
    def ledger(self) -> Table:
        return Table(f"{STACK}-ledger", self.deployer("dynamodb"))

    def publish(self, service: str, *events: Event[Any]) -> None:
        sns = self.deployer("sns")
        for event in events:
            sns.publish(
                TopicArn=f"arn:aws:sns:us-east-1:000000000000:{STACK}-{service}",
                Message=event.model_dump_json(),
                MessageAttributes={"type": {"DataType": "String", "StringValue": event.type}},
            )

    def about[Data: EventData](self, service: str, data: Data) -> Event[Data]:
        envelope: type[Event[Data]] = Event[type(data)]  # type: ignore[assignment,misc]
        return envelope.about(
            self.household_id, data, source=f"/{STACK}/{service}", time=datetime.now(UTC), correlation_id=str(uuid4())
        )

    def credit(self) -> dict[str, Any]:
        return self.ledger.get(pk=f"DEVICE#{self.device_id}", sk="CREDIT") or {}

    def mails(self) -> list[dict[str, Any]]:
        return Stage(read_access(STACK)).mail_to(self.email) or []


def eventually(is_so: Callable[[], bool], seconds: float = 90) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_events_delivered_twice_and_shuffled_have_their_effect_once(deployer: Clients) -> None:
    home = Household(deployer)
    registered = HouseholdRegistered(household_id=home.household_id, given_name="Amina", email=home.email)
    activated = DeviceActivated(
        device_id=home.device_id,
        serial_number=f"EVENTS-{home.device_id[:8].upper()}",
        model="solar-home-50",
        household_id=home.household_id,
        activated_at=datetime.now(UTC),
    )
    home.publish("identity", home.about("identity", registered))
    home.publish("devices", *[home.about("devices", activated)] * 2)
    assert eventually(lambda: bool(home.credit())), "the device's account was not opened"
    contacts = Table(f"{STACK}-notifications", deployer("dynamodb"))
    assert eventually(lambda: bool(contacts.query(f"HOUSEHOLD#{home.household_id}", prefix="CONTACT", limit=1).items))

    payments = [
        home.about(
            "payments",
            PaymentConfirmed(
                payment_id=str(uuid4()),
                provider="mobile-money",
                provider_reference=f"EV-{number}",
                household_id=home.household_id,
                device_id=home.device_id,
                amount=Money(amount=AMOUNT, currency="KES"),
                paid_at=datetime.now(UTC),
            ),
        )
        for number in range(PAYMENTS)
    ]
    deliveries = payments * 2
    random.shuffle(deliveries)
    home.publish("payments", *deliveries)

    assert eventually(lambda: home.credit()["version"] == PAYMENTS and len(home.mails()) == PAYMENTS)
    time.sleep(3)  # a second effect would come now
    credit = home.credit()
    assert credit["version"] == PAYMENTS
    days = (datetime.fromisoformat(credit["credit_until"]) - datetime.now(UTC)).total_seconds() / 86_400
    assert days == pytest.approx(PAYMENTS * AMOUNT / PRICE_PER_DAY, abs=0.01)
    entries = home.ledger.query(f"HOUSEHOLD#{home.household_id}", prefix="ENTRY#", limit=100).items
    assert len(entries) == 2 * PAYMENTS
    assert sum(entry["amount"]["amount"] for entry in entries) == 0
    assert len(home.mails()) == PAYMENTS
