"""Double entry and credit, in integers only.

An account's amount is what the house owes its holder. A payment is a household's plus and a provider's minus, since the
provider holds the money for the house; credit that is bought is the household's minus and revenue's plus.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from paygo.money import Money
from paygo.outcomes import NotReady

SECONDS_PER_DAY = 24 * 60 * 60
CREDIT_REACH = timedelta(days=3650)
"""How far ahead credit can be bought; what a larger payment leaves over stays on the household's account."""

REVENUE = "house:revenue"


class AccountNotOpen(NotReady):
    """A payment came for a device that the ledger was not told of yet."""


class UnexpectedCurrency(ValueError):
    """A payment came in another currency than the device's price."""


class Contended(Exception):
    """What was read changed before it could be written: read again."""


class Value(BaseModel):
    """Something that never changes."""

    model_config = ConfigDict(frozen=True)


class Kind(StrEnum):
    """What an entry is for."""

    PAYMENT = "payment"
    CREDIT = "credit"


class Entry(Value):
    """One account's part of a transaction."""

    account: str
    amount: Money
    kind: Kind


def _balanced(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.amount.currency] = sums.get(entry.amount.currency, 0) + entry.amount.amount
    if any(sums.values()):
        message = f"The entries of a transaction sum to zero in every currency; these sum to {sums}."
        raise ValueError(message)
    return entries


class Transaction(Value):
    """Entries that belong together and sum to zero; corrections are transactions of their own."""

    transaction_id: str
    booked_at: AwareDatetime
    device_id: str
    entries: Annotated[tuple[Entry, ...], AfterValidator(_balanced)]

    def of(self, account: str) -> tuple[Entry, ...]:
        """Return the account's entries."""
        return tuple(entry for entry in self.entries if entry.account == account)


class Payment(Value):
    """A confirmed payment, as the ledger is told of it."""

    payment_id: str
    provider: str
    household_id: str
    device_id: str
    amount: Money


class Balance(Value):
    """What a household's account holds; `version` 0 is an account that nothing was booked on."""

    household_id: str
    amount: Money
    version: int

    @classmethod
    def empty(cls, household_id: str, currency: str) -> Self:
        """Return the balance of a household that never paid."""
        return cls(household_id=household_id, amount=Money(amount=0, currency=currency), version=0)


class Credit(Value):
    """How long a device works, and what a day more costs."""

    device_id: str
    household_id: str
    model: str
    price_per_day: Money
    credit_until: AwareDatetime | None = None
    carry: int = 0
    """What was paid towards the next second, in minor units times seconds per day."""
    version: int = 0

    def bought(self, seconds: int, carry: int, now: datetime) -> Self:
        """Return the credit with these seconds more."""
        until = self.starts(now) + timedelta(seconds=seconds)
        return self.model_copy(update={"credit_until": until, "carry": carry, "version": self.version + 1})

    def starts(self, now: datetime) -> datetime:
        """Return when bought seconds begin to run: behind those bought before, and never in the past."""
        return max(_next_whole_second(now), self.credit_until or now)


class Booking(Value):
    """What a payment changes."""

    transaction: Transaction
    balance: Balance
    credit: Credit


class Purchase(Value):
    """Seconds of credit, what they cost in minor units, and what is carried towards the next second."""

    seconds: int
    cost: int
    carry: int


class Line(Value):
    """A line of a household's statement."""

    transaction_id: str
    booked_at: AwareDatetime
    amount: Money
    kind: Kind
    device_id: str


class Statement(Value):
    """A household's balance and a page of its lines, the newest first."""

    balance: Money
    lines: tuple[Line, ...]
    next_cursor: str | None


def household(household_id: str) -> str:
    """Return the name of a household's account."""
    return f"household:{household_id}"


def held_by(provider: str) -> str:
    """Return the name of the account of money that a provider holds for the house."""
    return f"house:provider:{provider}"


def buy(balance: int, price_per_day: int, *, carry: int = 0, most: int) -> Purchase:
    """Buy as many whole seconds as the balance pays for.

    Nothing is lost in rounding: what does not make a second stays on the balance in minor units, and the fraction of a
    minor unit is carried. So the order and the size of payments make no difference.

    Parameters
    ----------
    balance
        Minor units.
    carry
        What the purchase before left towards the next second.
    most
        The largest number of seconds.
    """
    if balance <= 0:
        return Purchase(seconds=0, cost=0, carry=carry)
    worth = balance * SECONDS_PER_DAY + carry
    seconds = min(worth // price_per_day, most)
    left, carry = divmod(worth - seconds * price_per_day, SECONDS_PER_DAY)
    return Purchase(seconds=seconds, cost=balance - left, carry=carry)


def book(payment: Payment, balance: Balance, credit: Credit, now: datetime) -> Booking:
    """Put the payment on the household's account and buy credit with all that the account then holds.

    Credit runs from `now`, the time of booking, and not from the time of payment: what reaches the ledger late, or
    waited for its device, would otherwise have been used up in part before the device could work.

    Raises
    ------
    UnexpectedCurrency
        When the payment's currency is not the price's.
    """
    price = credit.price_per_day
    if payment.amount.currency != price.currency:
        message = (
            f"A day of {credit.model} costs {price.currency}, but {payment.amount.currency} was paid: pay it back."
        )
        raise UnexpectedCurrency(message)
    held = balance.amount + payment.amount
    reach = now + CREDIT_REACH - credit.starts(now)
    purchase = buy(held.amount, price.amount, carry=credit.carry, most=max(0, reach // timedelta(seconds=1)))
    cost = Money(amount=purchase.cost, currency=price.currency)
    account = household(payment.household_id)
    entries = [
        Entry(account=account, amount=payment.amount, kind=Kind.PAYMENT),
        Entry(account=held_by(payment.provider), amount=-payment.amount, kind=Kind.PAYMENT),
    ]
    if cost.amount:
        entries += [
            Entry(account=account, amount=-cost, kind=Kind.CREDIT),
            Entry(account=REVENUE, amount=cost, kind=Kind.CREDIT),
        ]
    return Booking(
        # A payment is one transaction for good, so it lends the transaction its id.
        transaction=Transaction(
            transaction_id=payment.payment_id, booked_at=now, device_id=payment.device_id, entries=tuple(entries)
        ),
        balance=balance.model_copy(update={"amount": held - cost, "version": balance.version + 1}),
        credit=credit.bought(purchase.seconds, purchase.carry, now),
    )


def _next_whole_second(time: datetime) -> datetime:
    # Devices are told whole seconds; rounding up gives the customer the rest of the one that has begun.
    return time.replace(microsecond=0) + timedelta(seconds=1 if time.microsecond else 0)
