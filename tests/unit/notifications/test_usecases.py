from datetime import UTC, datetime

import pytest

from notifications.model import Contact, ContactNotKnown, CreditedPayment
from notifications.texts import payment_mail
from notifications.usecases import keep_contact, tell_payment
from paygo.money import Money
from tests.unit.notifications.fakes import FakeContacts, FakePost

AMINA = Contact(household_id="household-1", given_name="Amina", email="amina@example.org")
PAYMENT = CreditedPayment(
    payment_id="payment-1",
    household_id="household-1",
    amount=Money(amount=25000, currency="KES"),
    credit_until=datetime(2026, 11, 26, 10, 5, tzinfo=UTC),
)


def test_a_household_is_told_about_its_payment() -> None:
    contacts, post = FakeContacts(), FakePost()
    keep_contact(AMINA, contacts)
    keep_contact(AMINA.model_copy(update={"household_id": "household-2", "email": "b@example.org"}), contacts)

    tell_payment("event-1", PAYMENT, contacts, post)

    assert post.sent == [payment_mail("event-1", AMINA, PAYMENT)]


def test_a_household_that_is_not_known_yet_is_an_error_to_repeat() -> None:
    post = FakePost()

    with pytest.raises(ContactNotKnown, match="payment-1"):
        tell_payment("event-1", PAYMENT, FakeContacts(), post)

    assert post.sent == []
