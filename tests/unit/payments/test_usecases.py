from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygo.events import Event, PaymentConfirmed
from paygo.money import Money
from payments.model import (
    Contended,
    Device,
    Notification,
    Payment,
    PaymentRequest,
    ReferenceReused,
    RequestState,
    State,
)
from payments.usecases.payments import ATTEMPTS, Payments, follow_device, take_notification
from tests.unit.payments.fakes import FakePayments
from tests.unit.payments.makers import NOW, device, notification, request, requested


def take(told: Notification, payments: Payments) -> Payment:
    return take_notification(told, payments, source="/paygo-test/payments", correlation_id="request-1", now=NOW)


def follow(what: Device, payments: Payments) -> None:
    follow_device(what, payments, source="/paygo-test/payments", correlation_id="activation-1", now=NOW)


class Overtaken(FakePayments):
    """Something else happens just before each payment is taken."""

    def __init__(self, meanwhile: Callable[[FakePayments], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile
        self.tries = 0

    def take(self, payment: Payment, event: Event[PaymentConfirmed] | None, paid: PaymentRequest | None) -> None:
        self.tries += 1
        self.meanwhile(self)
        super().take(payment, event, paid)


def test_a_payment_for_an_active_device_is_confirmed_and_says_so() -> None:
    payments = FakePayments()
    payments.follow(device())

    taken = take(notification(), payments)

    assert taken.state is State.CONFIRMED
    (event,) = payments.events
    assert (event.subject, event.source, event.time) == (taken.payment_id, "/paygo-test/payments", NOW)
    assert event.correlationid == "request-1"
    assert event.data == PaymentConfirmed(
        payment_id=taken.payment_id,
        provider="mobile-money",
        provider_reference="MM-1",
        household_id="household-1",
        device_id="device-of-household-1",
        amount=Money(amount=25000, currency="KES"),
        paid_at=NOW,
    )


def test_a_payment_for_a_serial_number_nobody_registered_is_kept_and_not_confirmed() -> None:
    payments = FakePayments()

    taken = take(notification(), payments)

    assert taken.state is State.UNMATCHED
    assert payments.find("mobile-money", "MM-1") == taken
    assert payments.events == []


def test_every_payment_has_an_id_of_its_own() -> None:
    payments = FakePayments()

    first, second = (take(notification(reference=reference), payments) for reference in ("MM-1", "MM-2"))

    assert first.payment_id != second.payment_id


def test_a_notification_repeated_is_the_first_payment() -> None:
    payments = FakePayments()
    payments.follow(device())

    first = take(notification(), payments)

    assert take(notification(), payments) == first
    assert len(payments.events) == 1


def test_a_repeated_notification_is_answered_as_the_first_time_although_it_was_confirmed_since() -> None:
    payments = FakePayments()
    first = take(notification(), payments)
    follow(device(), payments)

    again = take(notification(), payments)

    assert (again.payment_id, again.answered) == (first.payment_id, State.UNMATCHED)


def test_a_reference_reused_for_another_payment_is_refused_and_changes_nothing() -> None:
    payments = FakePayments()
    first = take(notification(), payments)

    with pytest.raises(ReferenceReused):
        take(notification(amount=Money(amount=1, currency="KES")), payments)

    assert payments.find("mobile-money", "MM-1") == first


def test_a_payment_is_confirmed_when_its_device_is_activated_at_the_same_moment() -> None:
    payments = Overtaken(lambda kept: follow(device(), kept))

    assert take(notification(), payments).state is State.CONFIRMED
    assert len(payments.events) == 1


def test_two_equal_notifications_at_the_same_moment_are_one_payment() -> None:
    first: list[Payment] = []

    def the_other(kept: FakePayments) -> None:
        if not first:
            first.append(Payment.taken(notification(), "the-other", None))
            FakePayments.take(kept, first[0], None, None)

    assert take(notification(), Overtaken(the_other)) == first[0]


def test_a_notification_in_endless_contention_is_an_error_to_repeat() -> None:
    households = iter(range(99))
    payments = Overtaken(lambda kept: kept.follow(device(f"household-{(day := next(households))}", days_later=day)))

    with pytest.raises(Contended, match="MM-1"):
        take(notification(), payments)

    assert payments.tries == ATTEMPTS
    assert payments.kept == {}


def test_payments_that_came_before_the_device_are_confirmed_when_it_is_activated() -> None:
    payments = FakePayments()
    early = [take(notification(reference=reference), payments) for reference in ("MM-1", "MM-2")]
    take(notification(reference="MM-3", account="SHS-000002"), payments)

    follow(device(), payments)

    assert [event.subject for event in payments.events] == [payment.payment_id for payment in early]
    assert {event.data.household_id for event in payments.events} == {"household-1"}
    assert {event.correlationid for event in payments.events} == {"activation-1"}
    assert [kept.state for kept in payments.kept.values()] == [State.CONFIRMED, State.CONFIRMED, State.UNMATCHED]


def test_a_late_activation_of_a_former_owner_gives_payments_to_the_present_one() -> None:
    payments = FakePayments()
    take(notification(), payments)
    payments.devices["SHS-000001"] = device("household-2", days_later=1)

    follow(device(), payments)

    assert [event.data.household_id for event in payments.events] == ["household-2"]


happenings = st.lists(st.sampled_from(["MM-1", "MM-2", "MM-3", "activation"]), max_size=12)


@given(happenings)
def test_whatever_comes_in_whatever_order_each_payment_is_confirmed_exactly_once(order: list[str]) -> None:
    payments = FakePayments()

    for happening in [*order, "activation"]:
        if happening == "activation":
            follow(device(), payments)
        else:
            take(notification(reference=happening), payments)

    notified = set(order) - {"activation"}
    assert sorted(event.data.provider_reference for event in payments.events) == sorted(notified)


def with_request(**changes: object) -> FakePayments:
    payments = FakePayments()
    payments.ask(request(**changes), requested(request()))
    return payments


def test_a_payment_that_names_our_request_pays_it() -> None:
    payments = with_request()

    take(notification(payment_request_id="request-1"), payments)

    assert payments.requests["request-1"].state is RequestState.PAID


@pytest.mark.parametrize(
    "changes",
    [
        {"provider": "another"},
        {"account": "SHS-000002"},
        {"amount": Money(amount=24999, currency="KES")},
        {"payment_request_id": "request-2"},
        {"payment_request_id": None},
    ],
)
def test_a_payment_of_something_else_is_taken_and_pays_no_request(changes: dict[str, object]) -> None:
    payments = with_request()

    taken = take(notification(**{"payment_request_id": "request-1"} | changes), payments)

    assert payments.find(taken.provider, taken.reference) == taken
    assert payments.requests["request-1"].state is RequestState.REQUESTED


def test_a_second_payment_of_a_request_is_taken_as_money_and_changes_no_request() -> None:
    payments = with_request()

    for reference in ("MM-1", "MM-2"):
        take(notification(reference=reference, payment_request_id="request-1"), payments)

    assert len(payments.kept) == 2
    assert payments.requests["request-1"].state is RequestState.PAID


def test_two_payments_of_a_request_at_the_same_moment_are_both_taken() -> None:
    def the_other(kept: FakePayments) -> None:
        if kept.requests["request-1"].state is not RequestState.PAID:
            other = notification(reference="MM-2", payment_request_id="request-1")
            FakePayments.take(kept, Payment.taken(other, "the-other", None), None, request())

    payments = Overtaken(the_other)
    payments.ask(request(), requested(request()))

    take(notification(payment_request_id="request-1"), payments)

    assert {reference for _, reference in payments.kept} == {"MM-1", "MM-2"}
