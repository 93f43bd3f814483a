from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.model import Contact, CreditedPayment
from notifications.texts import payment_mail, written_money, written_time
from paygo.money import MINOR_DIGITS, Money

TEXT = """\
Hello Amina,

we received your payment of KES 250.00. Your device works until 26 November 2026, 10:05 UTC.

Payment: payment-1

Thank you,
Paygo
"""


def test_a_household_is_told_what_it_paid_and_until_when_its_device_works() -> None:
    contact = Contact(household_id="household-1", given_name="Amina", email="amina@example.org")
    payment = CreditedPayment(
        payment_id="payment-1",
        household_id="household-1",
        amount=Money(amount=25000, currency="KES"),
        credit_until=datetime(2026, 11, 26, 10, 5, tzinfo=UTC),
    )

    mail = payment_mail("event-1", contact, payment)

    assert (mail.message_id, mail.recipient) == ("event-1", "amina@example.org")
    assert mail.subject == "We received your payment of KES 250.00"
    assert mail.text == TEXT


def test_a_name_with_braces_is_only_a_name() -> None:
    contact = Contact(household_id="household-1", given_name="{payment_id}", email="a@example.org")
    payment = CreditedPayment(
        payment_id="payment-1",
        household_id="household-1",
        amount=Money(amount=1, currency="KES"),
        credit_until=datetime(2026, 11, 26, tzinfo=UTC),
    )

    assert payment_mail("event-1", contact, payment).text.startswith("Hello {payment_id},\n")


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (25000, "KES", "KES 250.00"),
        (5, "KES", "KES 0.05"),
        (0, "KES", "KES 0.00"),
        (-5, "KES", "KES -0.05"),
        (123456789, "USD", "USD 1,234,567.89"),
        (25000, "UGX", "UGX 25,000"),
        (25000, "TND", "TND 25.000"),
    ],
)
def test_money_is_written_with_its_currencys_digits(amount: int, currency: str, written: str) -> None:
    assert written_money(Money(amount=amount, currency=currency)) == written


@given(st.integers(), st.sampled_from([*MINOR_DIGITS, "KES", "USD"]))
def test_written_money_has_every_digit_of_the_amount(amount: int, currency: str) -> None:
    written = written_money(Money(amount=amount, currency=currency))

    assert int(written.removeprefix(currency).replace(",", "").replace(".", "")) == amount


@pytest.mark.parametrize(
    ("time", "written"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2 January 2026, 03:04 UTC"),
        (datetime(2026, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-3))), "1 January 2027, 02:59 UTC"),
    ],
)
def test_times_are_written_in_utc(time: datetime, written: str) -> None:
    assert written_time(time) == written
