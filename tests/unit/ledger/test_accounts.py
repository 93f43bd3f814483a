"""What every keeper of the ledger does: the fake of the other tests and the table."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from ledger.model import Balance, Contended, Kind, book
from ledger.repository import AccountTable
from paygo.storage import Table
from tests.unit.ledger.fakes import FakeAccounts
from tests.unit.ledger.makers import NOW, balance, changed, credit, kes, payment

if TYPE_CHECKING:
    from ledger.usecases import Accounts


@pytest.fixture(params=["fake", "table"])
def accounts(request: pytest.FixtureRequest, table: Table) -> "Accounts":
    return FakeAccounts() if request.param == "fake" else AccountTable(table)


@pytest.fixture
def published(accounts: "Accounts") -> Callable[[], list[int]]:
    """Return the credit versions that events were kept about."""

    def read() -> list[int]:
        if isinstance(accounts, FakeAccounts):
            return [event.data.credit_version for event in accounts.events]
        items = boto3.client("dynamodb").scan(TableName="paygo-test")["Items"]
        events = [json.loads(item["event"]["S"]) for item in items if "event" in item]
        return sorted(event["data"]["credit_version"] for event in events)

    return read


def test_nothing_is_found_before_it_is_kept(accounts: "Accounts") -> None:
    assert accounts.credit("device-1") is None
    assert accounts.balance("household-1") is None
    assert accounts.lines("household-1", cursor=None, limit=20) == ((), None)
    assert not accounts.is_booked("payment-1")


def test_an_opened_account_is_found(accounts: "Accounts") -> None:
    accounts.open(credit())

    assert accounts.credit("device-1") == credit()


def test_opening_an_account_again_changes_nothing(accounts: "Accounts") -> None:
    accounts.open(credit())
    accounts.keep(book(payment(), balance(), credit(), NOW), changed())

    accounts.open(credit())

    kept = accounts.credit("device-1")
    assert kept is not None
    assert kept.version == 1


def test_a_booking_is_kept_whole(accounts: "Accounts", published: Callable[[], list[int]]) -> None:
    accounts.open(credit())
    booking = book(payment(), balance(), credit(), NOW)

    accounts.keep(booking, changed())

    assert accounts.is_booked("payment-1")
    assert accounts.credit("device-1") == booking.credit
    assert accounts.balance("household-1") == booking.balance
    lines, cursor = accounts.lines("household-1", cursor=None, limit=20)
    assert [(line.kind, line.amount) for line in lines] == [(Kind.CREDIT, kes(-25000)), (Kind.PAYMENT, kes(25000))]
    assert {(line.transaction_id, line.booked_at, line.device_id) for line in lines} == {("payment-1", NOW, "device-1")}
    assert cursor is None
    assert published() == [1]


def test_a_payment_is_booked_once(accounts: "Accounts", published: Callable[[], list[int]]) -> None:
    accounts.open(credit())
    first = book(payment(), balance(), credit(), NOW)
    accounts.keep(first, changed())

    with pytest.raises(Contended):
        accounts.keep(book(payment(), first.balance, first.credit, NOW), changed(2))

    assert accounts.balance("household-1") == first.balance
    assert published() == [1]


def test_a_booking_on_a_balance_that_changed_meanwhile_is_not_kept(
    accounts: "Accounts", published: Callable[[], list[int]]
) -> None:
    accounts.open(credit())
    accounts.open(credit(device_id="device-2"))
    accounts.keep(book(payment(), balance(), credit(), NOW), changed())
    other = payment("payment-2", device_id="device-2")

    with pytest.raises(Contended):
        accounts.keep(book(other, balance(), credit(device_id="device-2"), NOW), changed())
    with pytest.raises(Contended):
        accounts.keep(book(other, balance(version=5), credit(device_id="device-2"), NOW), changed())

    assert not accounts.is_booked("payment-2")
    assert accounts.credit("device-2") == credit(device_id="device-2")
    assert published() == [1]


def test_a_booking_on_credit_that_changed_meanwhile_is_not_kept(
    accounts: "Accounts", published: Callable[[], list[int]]
) -> None:
    accounts.open(credit())
    first = book(payment(), balance(), credit(), NOW)
    accounts.keep(first, changed())

    with pytest.raises(Contended):
        accounts.keep(book(payment("payment-2"), first.balance, credit(), NOW), changed())

    assert not accounts.is_booked("payment-2")
    assert published() == [1]


def test_lines_come_newest_first_in_pages_that_miss_and_repeat_nothing(accounts: "Accounts") -> None:
    accounts.open(credit())
    held, kept = balance(), credit()
    for number in range(3):
        booking = book(payment(f"payment-{number}"), held, kept, NOW + timedelta(microseconds=500_000 * number))
        accounts.keep(booking, changed(number + 1))
        held, kept = booking.balance, booking.credit

    seen, cursor = accounts.lines("household-1", cursor=None, limit=4)
    rest, end = accounts.lines("household-1", cursor=cursor, limit=4)

    assert len(seen) == 4
    assert end is None
    assert [(line.transaction_id, line.kind) for line in (*seen, *rest)] == [
        (f"payment-{number}", kind) for number in (2, 1, 0) for kind in (Kind.CREDIT, Kind.PAYMENT)
    ]


def test_a_household_has_lines_and_balance_of_its_own(accounts: "Accounts") -> None:
    accounts.open(credit())
    accounts.keep(book(payment(), balance(), credit(), NOW), changed())

    assert accounts.lines("household-2", cursor=None, limit=20) == ((), None)
    assert accounts.balance("household-2") is None


def test_a_balance_is_kept_under_its_household(accounts: "Accounts") -> None:
    accounts.open(credit(price_per_day=kes(864_000)))
    accounts.keep(book(payment(amount=7), balance(), credit(price_per_day=kes(864_000)), NOW), changed())

    assert accounts.balance("household-1") == Balance(household_id="household-1", amount=kes(7), version=1)
