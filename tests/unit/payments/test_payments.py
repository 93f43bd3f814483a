"""What every keeper of payments does: the fake of the other tests and the table."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import boto3
import pytest

from paygo.storage import Table
from payments.model import Contended, RequestState
from payments.repository import PaymentTable
from tests.unit.payments.fakes import FakePayments
from tests.unit.payments.makers import confirmed, device, payment, request, requested

if TYPE_CHECKING:
    from payments.usecases.payments import Payments
    from payments.usecases.requests import Requests

    class Kept(Payments, Requests, Protocol): ...


@pytest.fixture(params=["fake", "table"])
def payments(request: pytest.FixtureRequest, table: Table) -> "Kept":
    return FakePayments() if request.param == "fake" else PaymentTable(table)


@pytest.fixture
def published(payments: "Kept") -> Callable[[], list[str]]:
    """Return the payments that events were kept about."""

    def read() -> list[str]:
        if isinstance(payments, FakePayments):
            return [event.subject for event in payments.events] + [event.subject for event in payments.requested]
        items = boto3.client("dynamodb").scan(TableName="paygo-test")["Items"]
        return [json.loads(item["event"]["S"])["subject"] for item in items if "event" in item]

    return read


def test_nothing_is_found_before_it_is_kept(payments: "Kept") -> None:
    assert payments.find("mobile-money", "MM-1") is None
    assert payments.device("SHS-000001") is None
    assert list(payments.unmatched("SHS-000001")) == []


def test_an_unmatched_payment_is_found_by_reference_and_by_serial_number(
    payments: "Kept", published: Callable[[], list[str]]
) -> None:
    payments.take(payment(), None, None)

    assert payments.find("mobile-money", "MM-1") == payment()
    assert list(payments.unmatched("SHS-000001")) == [payment()]
    assert list(payments.unmatched("SHS-000002")) == []
    assert published() == []


def test_a_confirmed_payment_is_kept_with_its_event(payments: "Kept", published: Callable[[], list[str]]) -> None:
    taken = payment(payments.follow(device()))

    payments.take(taken, confirmed(taken), None)

    assert payments.find("mobile-money", "MM-1") == taken
    assert list(payments.unmatched("SHS-000001")) == []
    assert published() == ["payment-of-MM-1"]


def test_a_reference_is_taken_once(payments: "Kept", published: Callable[[], list[str]]) -> None:
    payments.take(payment(), None, None)
    again = payment(payments.follow(device()), paid_at="2026-11-22T10:00:00Z")

    with pytest.raises(Contended):
        payments.take(again, confirmed(again), None)

    assert payments.find("mobile-money", "MM-1") == payment()
    assert published() == []


def test_references_of_two_providers_are_two(payments: "Kept") -> None:
    payments.take(payment(), None, None)
    payments.take(payment(provider="bank"), None, None)

    assert len(list(payments.unmatched("SHS-000001"))) == 2


def test_a_payment_is_not_taken_as_unmatched_once_its_device_is_known(payments: "Kept") -> None:
    payments.follow(device())

    with pytest.raises(Contended):
        payments.take(payment(), None, None)

    assert payments.find("mobile-money", "MM-1") is None
    assert list(payments.unmatched("SHS-000001")) == []


def test_a_payment_is_not_taken_for_a_device_that_has_moved_on(
    payments: "Kept", published: Callable[[], list[str]]
) -> None:
    taken = payment(payments.follow(device()))
    payments.follow(device("household-2", days_later=1))

    with pytest.raises(Contended):
        payments.take(taken, confirmed(taken), None)

    assert published() == []


def test_the_latest_activation_of_a_device_is_kept_in_whatever_order_they_come(payments: "Kept") -> None:
    later = device("household-2", days_later=1)

    assert payments.follow(later) == later
    assert payments.follow(device()) == later
    assert payments.device("SHS-000001") == later


def test_a_later_activation_replaces_the_one_before(payments: "Kept") -> None:
    later = device("household-2", days_later=1)

    assert payments.follow(device()) == device()
    assert payments.follow(later) == later
    assert payments.device("SHS-000001") == later


def test_the_same_activation_twice_changes_nothing(payments: "Kept") -> None:
    payments.follow(device())

    assert payments.follow(device()) == device()


def test_an_unmatched_payment_is_confirmed_once(payments: "Kept", published: Callable[[], list[str]]) -> None:
    payments.take(payment(), None, None)
    matched = payment().matched(payments.follow(device()))

    payments.confirm(matched, confirmed(matched))
    payments.confirm(matched, confirmed(matched))

    assert payments.find("mobile-money", "MM-1") == matched
    assert list(payments.unmatched("SHS-000001")) == []
    assert published() == ["payment-of-MM-1"]


def test_every_unmatched_payment_of_a_serial_number_is_returned(payments: "Kept") -> None:
    references = {f"MM-{number}" for number in range(101)}
    for reference in references:
        payments.take(payment(reference=reference), None, None)

    assert {waiting.reference for waiting in payments.unmatched("SHS-000001")} == references


def test_a_request_is_kept_with_its_event(payments: "Kept", published: Callable[[], list[str]]) -> None:
    assert payments.request("request-1") is None

    payments.ask(request(), requested(request()))

    assert payments.request("request-1") == request()
    assert published() == ["request-1"]


def test_a_request_is_kept_once(payments: "Kept", published: Callable[[], list[str]]) -> None:
    payments.ask(request(), requested(request()))
    payments.move(request(), RequestState.SENT)

    payments.ask(request(), requested(request()))

    assert payments.request("request-1") == request(state="sent")
    assert published() == ["request-1"]


@pytest.mark.parametrize(
    ("states", "ends_as"),
    [
        ([RequestState.SENT], RequestState.SENT),
        ([RequestState.REFUSED], RequestState.REFUSED),
        ([RequestState.SENT, RequestState.REFUSED], RequestState.SENT),
        ([RequestState.REFUSED, RequestState.SENT], RequestState.REFUSED),
        ([RequestState.PAID, RequestState.SENT], RequestState.PAID),
        ([RequestState.PAID, RequestState.REFUSED], RequestState.PAID),
    ],
)
def test_a_request_moves_only_as_it_may(payments: "Kept", states: list[RequestState], ends_as: RequestState) -> None:
    payments.ask(request(), requested(request()))

    for state in states:
        payments.move(request(), state)

    assert payments.request("request-1") == request(state=ends_as)


@pytest.mark.parametrize("before", [RequestState.REQUESTED, RequestState.SENT, RequestState.REFUSED])
def test_a_payment_is_taken_together_with_the_request_it_pays(payments: "Kept", before: RequestState) -> None:
    payments.ask(request(state=before), requested(request()))

    payments.take(payment(), None, request(state=before))

    assert payments.request("request-1") == request(state="paid")
    assert payments.find("mobile-money", "MM-1") == payment()


def test_a_request_is_paid_once(payments: "Kept") -> None:
    payments.ask(request(), requested(request()))
    payments.take(payment(), None, request())

    with pytest.raises(Contended):
        payments.take(payment(reference="MM-2"), None, request())

    assert payments.find("mobile-money", "MM-2") is None
