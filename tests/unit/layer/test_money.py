import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from paygo.money import (
    MINOR_DIGITS,
    CurrencyMismatch,
    InexactAmount,
    Money,
    decimal_text,
    minor_digits,
    minor_units,
)

amounts = st.integers(min_value=-(10**12), max_value=10**12)


def kes(amount: int) -> Money:
    return Money(amount=amount, currency="KES")


@given(amounts, amounts)
def test_sums_and_differences_are_those_of_the_minor_units(first: int, second: int) -> None:
    assert kes(first) + kes(second) == kes(first + second)
    assert kes(first) - kes(second) == kes(first - second)
    assert -kes(first) == kes(-first)


def test_amounts_of_two_currencies_are_never_put_together() -> None:
    with pytest.raises(CurrencyMismatch, match="USD cannot be put together with KES"):
        kes(1) + Money(amount=1, currency="USD")
    with pytest.raises(CurrencyMismatch):
        kes(1) - Money(amount=1, currency="USD")


@pytest.mark.parametrize("amount", [1.0, "1", True, None])
def test_only_an_integer_is_an_amount(amount: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount, "currency": "KES"})


@pytest.mark.parametrize("currency", ["kes", "KE", "KESX", ""])
def test_a_currency_is_an_iso_4217_code(currency: str) -> None:
    with pytest.raises(ValidationError):
        Money(amount=1, currency=currency)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("250.00", "KES", 25000),
        ("250", "KES", 25000),
        ("0.05", "KES", 5),
        ("250.5", "KES", 25050),
        ("250.00", "UGX", 250),
        ("250.00", "TND", 250000),
        ("250.125", "TND", 250125),
        ("1.230000", "KES", 123),
        ("90071992547409.93", "KES", 9007199254740993),
    ],
)
def test_decimal_text_becomes_exactly_the_minor_units_of_its_currency(text: str, currency: str, amount: int) -> None:
    assert minor_units(text, currency) == amount


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("250.005", "KES"),
        ("250.50", "UGX"),
        ("0.0001", "TND"),
        ("-1.00", "KES"),
        ("1e3", "KES"),
        ("1,000.00", "KES"),
        (".5", "KES"),
        ("5.", "KES"),
        ("", "KES"),
        (" 5.00", "KES"),
        ("5.00\n", "KES"),
        ("\u0665.00", "KES"),
        ("NaN", "KES"),
    ],
)
def test_text_that_is_no_exact_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(InexactAmount):
        minor_units(text, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "places", "text"),
    [
        (25000, "KES", 2, "250.00"),
        (5, "KES", 2, "0.05"),
        (250, "UGX", 2, "250.00"),
        (250, "UGX", 0, "250"),
        (250120, "TND", 2, "250.12"),
    ],
)
def test_minor_units_are_written_with_the_places_that_are_asked_for(
    amount: int, currency: str, places: int, text: str
) -> None:
    assert decimal_text(amount, currency, places) == text


def test_minor_units_that_need_more_places_are_not_written() -> None:
    with pytest.raises(InexactAmount, match="250125 minor units of TND"):
        decimal_text(250125, "TND", 2)


@given(st.integers(min_value=0, max_value=10**14), st.sampled_from([*MINOR_DIGITS, "KES", "USD"]))
def test_an_amount_written_and_read_is_the_same(amount: int, currency: str) -> None:
    assert minor_units(decimal_text(amount, currency, minor_digits(currency)), currency) == amount
