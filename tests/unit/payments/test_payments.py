"""What every keeper of payments does: the fake of the other tests and the table."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
import pytest

from paygo.storage import Table
from payments.model import Contended
from payments.repository import PaymentTable
from tests.unit.payments.fakes import FakePayments
from tests.unit.payments.makers import confirmed, device, payment

if TYPE_CHECKING:
    from payments.usecases import Payments


@pytest.fixture(params=["fake", "table"])
def payments(request: pytest.FixtureRequest, table: Table) -> "Payments":
    return FakePayments() if request.param == "fake" else PaymentTable(table)


@pytest.fixture
def published(payments: "Payments") -> Callable[[], list[str]]:
    """Return the payments that events were kept about."""

    def read() -> list[str]:
        if isinstance(payments, FakePayments):
            return [event.subject for event in payments.events]
        items = boto3.client("dynamodb").scan(TableName="paygo-test")["Items"]
        return [json.loads(item["event"]["S"])["subject"] for item in items if "event" in item]

    return read


def test_nothing_is_found_before_it_is_kept(payments: "Payments") -> None:
    assert payments.find("mobile-money", "MM-1") is None
    assert payments.device("SHS-000001") is None
    assert list(payments.unmatched("SHS-000001")) == []


def test_an_unmatched_payment_is_found_by_reference_and_by_serial_number(
    payments: "Payments", published: Callable[[], list[str]]
) -> None:
    payments.take(payment(), None)

    assert payments.find("mobile-money", "MM-1") == payment()
    assert list(payments.unmatched("SHS-000001")) == [payment()]
    assert list(payments.unmatched("SHS-000002")) == []
    assert published() == []


def test_a_confirmed_payment_is_kept_with_its_event(payments: "Payments", published: Callable[[], list[str]]) -> None:
    taken = payment(payments.follow(device()))

    payments.take(taken, confirmed(taken))

    assert payments.find("mobile-money", "MM-1") == taken
    assert list(payments.unmatched("SHS-000001")) == []
    assert published() == ["payment-of-MM-1"]


def test_a_reference_is_taken_once(payments: "Payments", published: Callable[[], list[str]]) -> None:
    payments.take(payment(), None)
    again = payment(payments.follow(device()), paid_at="2026-11-22T10:00:00Z")

    with pytest.raises(Contended):
        payments.take(again, confirmed(again))

    assert payments.find("mobile-money", "MM-1") == payment()
    assert published() == []


def test_references_of_two_providers_are_two(payments: "Payments") -> None:
    payments.take(payment(), None)
    payments.take(payment(provider="bank"), None)

    assert len(list(payments.unmatched("SHS-000001"))) == 2


def test_a_payment_is_not_taken_as_unmatched_once_its_device_is_known(payments: "Payments") -> None:
    payments.follow(device())

    with pytest.raises(Contended):
        payments.take(payment(), None)

    assert payments.find("mobile-money", "MM-1") is None
    assert list(payments.unmatched("SHS-000001")) == []


def test_a_payment_is_not_taken_for_a_device_that_has_moved_on(
    payments: "Payments", published: Callable[[], list[str]]
) -> None:
    taken = payment(payments.follow(device()))
    payments.follow(device("household-2", days_later=1))

    with pytest.raises(Contended):
        payments.take(taken, confirmed(taken))

    assert published() == []


def test_the_latest_activation_of_a_device_is_kept_in_whatever_order_they_come(payments: "Payments") -> None:
    later = device("household-2", days_later=1)

    assert payments.follow(later) == later
    assert payments.follow(device()) == later
    assert payments.device("SHS-000001") == later


def test_a_later_activation_replaces_the_one_before(payments: "Payments") -> None:
    later = device("household-2", days_later=1)

    assert payments.follow(device()) == device()
    assert payments.follow(later) == later
    assert payments.device("SHS-000001") == later


def test_the_same_activation_twice_changes_nothing(payments: "Payments") -> None:
    payments.follow(device())

    assert payments.follow(device()) == device()


def test_an_unmatched_payment_is_confirmed_once(payments: "Payments", published: Callable[[], list[str]]) -> None:
    payments.take(payment(), None)
    matched = payment().matched(payments.follow(device()))

    payments.confirm(matched, confirmed(matched))
    payments.confirm(matched, confirmed(matched))

    assert payments.find("mobile-money", "MM-1") == matched
    assert list(payments.unmatched("SHS-000001")) == []
    assert published() == ["payment-of-MM-1"]


def test_every_unmatched_payment_of_a_serial_number_is_returned(payments: "Payments") -> None:
    references = {f"MM-{number}" for number in range(101)}
    for reference in references:
        payments.take(payment(reference=reference), None)

    assert {waiting.reference for waiting in payments.unmatched("SHS-000001")} == references
