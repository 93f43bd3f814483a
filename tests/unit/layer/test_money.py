import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from paygo.money import CurrencyMismatch, Money

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
