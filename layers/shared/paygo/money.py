"""Money as integers in minor units; a float never holds an amount."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 currency code.")]


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were put together."""


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
