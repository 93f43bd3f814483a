"""What a day costs, by the device's model."""

from paygo.money import Money

CURRENCY = "KES"


def _per_day(amount: int) -> Money:
    return Money(amount=amount, currency=CURRENCY)


PRICES_PER_DAY = {
    "solar-home-50": _per_day(5_000),
    "solar-home-200": _per_day(12_000),
    "cooker-1": _per_day(8_000),
}
DEFAULT_PRICE_PER_DAY = _per_day(5_000)
"""What a model costs that has no plan yet: the lowest price, so that the gap is ours to pay and not a customer's."""


def price_per_day(model: str) -> Money:
    """Return what a day of the model costs."""
    return PRICES_PER_DAY.get(model, DEFAULT_PRICE_PER_DAY)
