"""Money as integers in minor units; a float never holds an amount."""

import re
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 currency code.")]


MINOR_DIGITS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Currencies whose minor unit is not a hundredth, by ISO 4217."""

_DECIMAL = re.compile(r"(?P<whole>[0-9]{1,18})(?:\.(?P<fraction>[0-9]{1,9}))?", re.ASCII)


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were put together."""


class InexactAmount(ValueError):
    """An amount cannot be written in the digits that there are."""


def minor_digits(currency: str) -> int:
    """Return how many decimal digits the currency's minor unit stands for."""
    return MINOR_DIGITS.get(currency, 2)


def minor_units(decimal: str, currency: str) -> int:
    """Return the amount that decimal text in whole units stands for, exactly.

    Raises
    ------
    InexactAmount
        When it is not such text, or names a part that the currency's minor unit does not have.

    Examples
    --------
    >>> minor_units("250.00", "KES"), minor_units("250.00", "UGX")
    (25000, 250)
    """
    found = _DECIMAL.fullmatch(decimal)
    if found is None:
        message = "An amount is digits, with a point before its fraction."
        raise InexactAmount(message)
    digits, fraction = minor_digits(currency), found["fraction"] or ""
    if fraction[digits:].strip("0"):
        message = f"{currency} has {digits} decimal digits."
        raise InexactAmount(message)
    return int(found["whole"] + fraction[:digits].ljust(digits, "0"))


def decimal_text(amount: int, currency: str, places: int) -> str:
    """Return minor units, which are not negative, as decimal text in whole units with that many places.

    Raises
    ------
    InexactAmount
        When the places are too few.

    Examples
    --------
    >>> decimal_text(25000, "KES", 2), decimal_text(250, "UGX", 2)
    ('250.00', '250.00')
    """
    digits = minor_digits(currency)
    shifted, rest = divmod(amount * 10**places, 10**digits)
    if rest:
        message = f"{amount} minor units of {currency} have no {places} places."
        raise InexactAmount(message)
    whole, fraction = divmod(shifted, 10**places)
    return f"{whole}.{fraction:0{places}}" if places else str(whole)


class Money(BaseModel):
    """An amount in minor units (cents, for KES and USD) of an ISO 4217 currency."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    amount: int = Field(description="Minor units of the currency.")
    currency: Currency

    def __add__(self, other: Self) -> Self:
        return self._with(self.amount + self._same(other))

    def __sub__(self, other: Self) -> Self:
        return self._with(self.amount - self._same(other))

    def __neg__(self) -> Self:
        return self._with(-self.amount)

    def _with(self, amount: int) -> Self:
        return type(self)(amount=amount, currency=self.currency)

    def _same(self, other: Self) -> int:
        if other.currency != self.currency:
            message = f"{other.currency} cannot be put together with {self.currency}."
            raise CurrencyMismatch(message)
        return other.amount
