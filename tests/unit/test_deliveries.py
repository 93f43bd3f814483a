"""Delivery is at least once and in no order: what matters ends the same whatever comes how often and when."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.gateways import IotThings
from devices.handlers import apply_credit
from devices.repository import DeviceTable
from ledger.handlers import book_payments, open_accounts
from ledger.model import SECONDS_PER_DAY
from ledger.plans import PRICES_PER_DAY
from ledger.repository import AccountTable
from paygo.events import CreditChanged, DeviceActivated, Event, EventData, PaymentConfirmed
from paygo.money import Money
from paygo.storage import Table
from payments.handlers import track_devices
from payments.model import Notification, State
from payments.repository import PaymentTable
from payments.usecases.payments import take_notification
from tests.unit.devices.makers import activated, claim, registered, row
from tests.unit.layer.fakes import FakeQueue, consumed
from tests.unit.queues import batch

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
MODEL = "solar-home-50"
PRICE = PRICES_PER_DAY[MODEL].amount

numbers = count()

shuffled = settings(
    max_examples=10,
    deadline=None,
    # Each example has devices of its own in the table of all.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

type Step = Callable[[], object]


def about(data: EventData) -> Event[Any]:
    return Event[Any].about("subject", data, source="/paygo-test/x", time=NOW, correlation_id="c-1")


def in_any_order(data: st.DataObject, steps: Sequence[Step], *, doubled: bool = True) -> None:
    """Take each step once or twice, in an order of chance."""
    again = [step for step in steps if doubled and data.draw(st.booleans())]
    for step in data.draw(st.permutations([*steps, *again])):
        step()


def delivering(handler: Callable[..., Any], event: Event[Any], context: Any) -> Step:
    def deliver() -> None:
        assert handler(batch(event), context) == {"batchItemFailures": []}

    return deliver


def published(table: Table, event_type: str) -> list[dict[str, Any]]:
    """What the events of the type say that were published by now; they are gone then."""
    items = [item for page, _ in table.scan(Attr("type").eq(event_type)) for item in page]
    for item in items:
        table.transact([table.deleting({"pk": item["pk"], "sk": item["sk"]})])
    return [json.loads(item["event"])["data"] for item in items]


@given(data=st.data(), amounts=st.lists(st.integers(min_value=1_000, max_value=60_000), min_size=1, max_size=5))
@shuffled
def test_payments_are_booked_once_each_and_buy_the_same_credit_in_any_order(
    table: Table, context: Any, data: st.DataObject, amounts: list[int]
) -> None:
    number = next(numbers)
    device_id, household_id = f"device-{number}", f"household-{number}"
    activation = DeviceActivated(
        device_id=device_id, serial_number="S", model=MODEL, household_id=household_id, activated_at=NOW
    )
    confirmations = [
        PaymentConfirmed(
            payment_id=f"payment-{number}-{place}",
            provider="mobile-money",
            provider_reference=f"MM-{number}-{place}",
            household_id=household_id,
            device_id=device_id,
            amount=Money(amount=amount, currency="KES"),
            paid_at=NOW,
        )
        for place, amount in enumerate(amounts)
    ]
    began = datetime.now(UTC)

    with consumed(FakeQueue(now=began)) as queue:
        in_any_order(
            data,
            [
                delivering(open_accounts.handler, about(activation), context),
                *(delivering(book_payments.handler, about(confirmed), context) for confirmed in confirmations),
            ],
        )
        queue.run(book_payments.handler, context)

    assert queue.dead == []
    ledger = AccountTable(table)
    credit, balance = ledger.credit(device_id), ledger.balance(household_id)
    assert credit is not None
    assert credit.credit_until is not None
    assert balance is not None
    assert credit.version == balance.version == len(amounts)
    seconds, rest = divmod(sum(amounts) * SECONDS_PER_DAY, PRICE)
    assert balance.amount.amount * SECONDS_PER_DAY + credit.carry == rest
    bought = timedelta(seconds=seconds)
    assert began + bought <= credit.credit_until <= datetime.now(UTC) + bought + timedelta(seconds=1)
    lines, _ = ledger.lines(household_id, cursor=None, limit=100)
    assert sum(line.amount.amount for line in lines) == balance.amount.amount
    changes = published(table, CreditChanged.TYPE)
    assert sorted(change["credit_version"] for change in changes) == list(range(1, len(amounts) + 1))
    assert {change["payment_id"] for change in changes} == {each.payment_id for each in confirmations}


@pytest.fixture
def certificate_id() -> str:
    return str(boto3.client("iot").create_keys_and_certificate(setAsActive=False)["certificateId"])


@given(data=st.data(), versions=st.integers(min_value=1, max_value=6))
@shuffled
def test_a_device_ends_with_its_newest_credit_in_any_order(
    table: Table, context: Any, certificate_id: str, data: st.DataObject, versions: int
) -> None:
    number = next(numbers)
    serial_number, thing = f"SHS-{number:06}", f"paygo-test-SHS-{number:06}"
    boto3.client("iot").create_thing(thingName=thing)
    device = registered(serial_number=serial_number, device_id=f"device-{number}", certificate_id=certificate_id)
    devices = DeviceTable(table)
    devices.add([row(serial_number)])
    devices.claim(serial_number, claim(serial_number, certificate_id))

    def change(version: int) -> Event[Any]:
        return about(
            CreditChanged(
                device_id=device.device_id,
                household_id=device.household_id,
                payment_id=f"payment-{version}",
                amount=Money(amount=PRICE, currency="KES"),
                credit_until=NOW + timedelta(days=version),
                credit_version=version,
            )
        )

    with consumed(FakeQueue()) as queue:
        in_any_order(
            data,
            [
                lambda: devices.activate(device, activated(device)),
                *(delivering(apply_credit.handler, change(version), context) for version in range(1, versions + 1)),
            ],
        )
        queue.run(apply_credit.handler, context)

    assert queue.dead == []
    credit = devices.credit(device)
    assert (credit.credit_version, credit.credit_until) == (versions, NOW + timedelta(days=versions))
    shadow = IotThings(boto3.client("iot-data"), "paygo-test").shadow(thing)
    assert shadow is not None
    assert shadow.state.desired == credit


@given(data=st.data(), activations=st.integers(min_value=1, max_value=3), paid=st.integers(min_value=1, max_value=4))
@shuffled
def test_payments_are_confirmed_once_each_for_the_device_behind_the_serial_number_in_any_order(
    table: Table, context: Any, data: st.DataObject, activations: int, paid: int
) -> None:
    number = next(numbers)
    serial_number = f"SHS-{number:06}"
    payments = PaymentTable(table)

    def activation(place: int) -> Event[Any]:
        return about(
            DeviceActivated(
                device_id=f"device-{number}-{place}",
                serial_number=serial_number,
                model=MODEL,
                household_id=f"household-{number}-{place}",
                activated_at=NOW + timedelta(days=place),
            )
        )

    def notify(place: int) -> Step:
        told = Notification(
            provider="mobile-money",
            reference=f"MM-{number}-{place}",
            account=serial_number,
            amount=Money(amount=PRICE, currency="KES"),
            paid_at=NOW,
        )
        return lambda: take_notification(told, payments, source="/s/payments", correlation_id="c-1", now=NOW)

    with consumed(FakeQueue()) as queue:
        in_any_order(
            data,
            [
                *(delivering(track_devices.handler, activation(place), context) for place in range(activations)),
                *(notify(place) for place in range(paid)),
            ],
        )
        queue.run(track_devices.handler, context)

    assert queue.dead == []
    device = payments.device(serial_number)
    assert device is not None
    assert device.device_id == f"device-{number}-{activations - 1}"
    events = published(table, PaymentConfirmed.TYPE)
    told = {each["payment_id"]: each["device_id"] for each in events}
    assert len(events) == len(told) == paid
    for place in range(paid):
        payment = payments.find("mobile-money", f"MM-{number}-{place}")
        assert payment is not None
        assert payment.device is not None
        assert payment.state is State.CONFIRMED
        assert told[payment.payment_id] == payment.device.device_id
