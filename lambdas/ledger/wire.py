"""The contract's bodies."""

from pydantic import AwareDatetime

from ledger.model import Kind
from paygo.http import WireModel
from paygo.money import Money


class Credit(WireModel):
    """A device's credit."""

    device_id: str
    credit_until: AwareDatetime | None
    credit_version: int
    price_per_day: Money


class StatementEntry(WireModel):
    """An entry on the household's account."""

    transaction_id: str
    booked_at: AwareDatetime
    amount: Money
    description: Kind
    device_id: str


class Statement(WireModel):
    """The household's balance and a page of its entries."""

    balance: Money
    items: tuple[StatementEntry, ...]
    next_cursor: str | None
