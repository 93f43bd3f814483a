from collections.abc import Callable
from typing import Any

import pytest

from paygo.money import Money
from paygo.partners import PartnerRefused, PartnerUnavailable
from paygo.problems import Problem
from payments.model import (
    MOVES,
    PaymentRequest,
    RequestRefused,
    RequestState,
    UnknownPaymentRequest,
    sources,
)
from payments.usecases.requests import Provider, ask_for_payment, read_request, request_payment
from tests.unit.callers import household
from tests.unit.payments.fakes import FakePayments
from tests.unit.payments.makers import NOW, device, request, requested


class AskedProvider:
    """A provider that notes what it was asked."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.asked: list[tuple[str, str]] = []
        self._meanwhile = meanwhile

    def request(self, request: PaymentRequest, intent: str) -> None:
        self.asked.append((request.payment_request_id, intent))
        self._meanwhile()


@pytest.fixture
def payments() -> FakePayments:
    kept = FakePayments()
    kept.follow(device())
    return kept


def ask(payments: FakePayments, **changes: Any) -> PaymentRequest:
    wanted: dict[str, Any] = {
        "household": household(),
        "provider": "mobile-money",
        "serial_number": "SHS-000001",
        "amount": Money(amount=25000, currency="KES"),
        "phone": "+254700000001",
        "key": "key-1",
        "source": "/paygo-test/payments",
        "correlation_id": "request-1",
        "now": NOW,
    }
    return ask_for_payment(payments, **wanted | changes)


def test_a_household_asks_for_a_payment_for_its_device(payments: FakePayments) -> None:
    asked = ask(payments)

    assert asked == request(payment_request_id=asked.payment_request_id)
    assert payments.requests == {asked.payment_request_id: asked}
    [event] = payments.requested
    assert (event.subject, event.time, event.correlationid) == (asked.payment_request_id, NOW, "request-1")
    assert event.data == requested(asked).data


def test_the_telephone_number_stays_out_of_the_event(payments: FakePayments) -> None:
    ask(payments)

    assert "254700000001" not in payments.requested[0].model_dump_json()


@pytest.mark.parametrize("changes", [{"household": household("household-2")}, {"serial_number": "SHS-000002"}])
def test_nobody_asks_for_a_device_that_is_not_theirs(payments: FakePayments, changes: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="not-found"):
        ask(payments, **changes)

    assert payments.requests == {}


def test_the_same_request_under_the_same_key_is_the_first_as_it_stands_now(payments: FakePayments) -> None:
    first = ask(payments)
    payments.move(first, RequestState.SENT)

    assert ask(payments) == first.model_copy(update={"state": RequestState.SENT})
    assert len(payments.requested) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "key-2"},
        {"provider": "another"},
        {"amount": Money(amount=25001, currency="KES")},
        {"amount": Money(amount=25000, currency="USD")},
        {"phone": "+254700000002"},
    ],
)
def test_anything_else_is_another_request(payments: FakePayments, changes: dict[str, Any]) -> None:
    assert ask(payments).payment_request_id != ask(payments, **changes).payment_request_id


def test_a_household_reads_its_own_request(payments: FakePayments) -> None:
    asked = ask(payments)

    assert read_request(asked.payment_request_id, household(), payments) == asked


@pytest.mark.parametrize("household_id", ["household-1", "household-2"])
def test_a_request_of_somebody_else_is_as_unknown_as_none(payments: FakePayments, household_id: str) -> None:
    asked = ask(payments)
    request_id = asked.payment_request_id if household_id == "household-2" else "no-such-request"

    with pytest.raises(Problem, match="not-found"):
        read_request(request_id, household(household_id), payments)


def send(payments: FakePayments, provider: Provider, request_id: str = "request-1") -> None:
    chosen: list[str] = []

    def choose(name: str) -> Provider:
        chosen.append(name)
        return provider

    request_payment(request_id, payments, choose, intent="event-1")

    assert chosen in ([], ["mobile-money"])


def test_the_provider_is_asked_once_however_often_the_event_comes(payments: FakePayments) -> None:
    payments.ask(request(), requested(request()))
    provider = AskedProvider()

    for _ in range(2):
        send(payments, provider)

    assert provider.asked == [("request-1", "event-1")]
    assert payments.requests["request-1"].state is RequestState.SENT


def test_a_payment_may_be_faster_than_the_note_that_it_was_asked_for(payments: FakePayments) -> None:
    payments.ask(request(), requested(request()))

    send(payments, AskedProvider(meanwhile=lambda: payments.move(request(), RequestState.PAID)))

    assert payments.requests["request-1"].state is RequestState.PAID


def refuse(error: Exception) -> Callable[[], object]:
    def raise_it() -> None:
        raise error

    return raise_it


def test_a_request_that_the_provider_refuses_is_refused_and_done(payments: FakePayments) -> None:
    payments.ask(request(), requested(request()))

    send(payments, AskedProvider(meanwhile=refuse(RequestRefused())))

    assert payments.requests["request-1"].state is RequestState.REFUSED


@pytest.mark.parametrize("error", [PartnerUnavailable("away"), PartnerRefused("mobile-money", 401, "credential")])
def test_a_request_whose_provider_is_away_or_broken_stays_to_be_asked(payments: FakePayments, error: Exception) -> None:
    payments.ask(request(), requested(request()))

    with pytest.raises(type(error)):
        send(payments, AskedProvider(meanwhile=refuse(error)))

    assert payments.requests["request-1"].state is RequestState.REQUESTED


def test_an_event_about_no_request_is_an_error(payments: FakePayments) -> None:
    with pytest.raises(UnknownPaymentRequest):
        send(payments, AskedProvider(), "no-such-request")


def test_a_paid_request_is_the_end() -> None:
    assert MOVES[RequestState.PAID] == frozenset()
    assert set(sources(RequestState.PAID)) == set(RequestState) - {RequestState.PAID}
    assert sources(RequestState.REQUESTED) == []
    assert MOVES.keys() == set(RequestState)
