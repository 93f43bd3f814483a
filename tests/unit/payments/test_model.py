import pytest
from pydantic import ValidationError

from paygo.money import Money
from payments.model import State
from tests.unit.payments.makers import device, notification, payment


def test_a_payment_whose_device_is_known_is_confirmed() -> None:
    taken = payment(device())

    assert (taken.state, taken.answered, taken.device) == (State.CONFIRMED, State.CONFIRMED, device())


def test_a_payment_whose_device_is_not_known_is_unmatched() -> None:
    taken = payment()

    assert (taken.state, taken.answered, taken.device) == (State.UNMATCHED, State.UNMATCHED, None)


def test_a_payment_matched_later_is_confirmed_and_keeps_what_the_provider_was_told() -> None:
    matched = payment().matched(device())

    assert (matched.state, matched.answered, matched.device) == (State.CONFIRMED, State.UNMATCHED, device())


def test_a_payment_keeps_what_was_notified() -> None:
    told = notification()

    assert {name: getattr(payment(), name) for name in type(told).model_fields} == dict(told)


def test_a_payment_knows_its_own_notification() -> None:
    assert payment().answers(notification())


@pytest.mark.parametrize(
    "change",
    [
        {"account": "SHS-000002"},
        {"amount": Money(amount=25001, currency="KES")},
        {"amount": Money(amount=25000, currency="USD")},
    ],
)
def test_a_notification_of_another_amount_or_account_is_not_the_payments_own(change: dict[str, object]) -> None:
    assert not payment().answers(notification(**change))


def test_a_payment_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        payment().state = State.CONFIRMED  # type: ignore[misc]
