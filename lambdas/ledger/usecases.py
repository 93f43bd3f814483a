"""What the ledger does: opens devices' accounts, books payments, tells credit and statements."""

from datetime import datetime
from typing import Protocol

from ledger.model import (
    AccountNotOpen,
    Balance,
    Booking,
    Contended,
    Credit,
    Line,
    Payment,
    Statement,
    book,
)
from ledger.plans import CURRENCY, price_per_day
from paygo.events import CreditChanged, Event
from paygo.security import Household, owned

ATTEMPTS = 5
"""A household seldom has more payments under way at once; beyond that the queue repeats."""


class Accounts(Protocol):
    """Where the ledger is kept."""

    def open(self, credit: Credit) -> None:
        """Keep a device's first credit; do nothing when its account is open."""

    def credit(self, device_id: str) -> Credit | None:
        """Return the device's credit."""

    def balance(self, household_id: str) -> Balance | None:
        """Return the household's balance, if anything was ever booked."""

    def lines(self, household_id: str, *, cursor: str | None, limit: int) -> tuple[tuple[Line, ...], str | None]:
        """Return a page of the household's lines, the newest first, and the cursor of the next one."""

    def is_booked(self, payment_id: str) -> bool:
        """Tell whether the payment was booked, however long ago."""

    def keep(self, booking: Booking, event: Event[CreditChanged]) -> None:
        """Keep everything that a booking changes, and the event.

        Raises
        ------
        Contended
            When the payment was booked or the balance or credit changed since they were read.
        """


def open_account(device_id: str, household_id: str, model: str, accounts: Accounts) -> None:
    """Open the account of an activated device at its model's price."""
    accounts.open(
        Credit(device_id=device_id, household_id=household_id, model=model, price_per_day=price_per_day(model))
    )


def book_payment(payment: Payment, accounts: Accounts, *, source: str, correlation_id: str, now: datetime) -> None:
    """Book a payment exactly once.

    Raises
    ------
    AccountNotOpen
        When the device's activation has not arrived yet; it comes by another queue.
    Contended
        When other payments of the household kept being booked meanwhile.
    """
    for _ in range(ATTEMPTS):
        if accounts.is_booked(payment.payment_id):
            return
        credit = accounts.credit(payment.device_id)
        if credit is None or credit.household_id != payment.household_id:
            message = f"The household of payment {payment.payment_id} has no account for its device yet."
            raise AccountNotOpen(message)
        balance = accounts.balance(payment.household_id) or Balance.empty(
            payment.household_id, credit.price_per_day.currency
        )
        booking = book(payment, balance, credit, now)
        try:
            accounts.keep(booking, _changed(payment, booking, source, correlation_id))
        except Contended:
            continue
        return
    message = f"Other payments kept being booked before payment {payment.payment_id}: book it again."
    raise Contended(message)


def credit_of(device_id: str, household: Household, accounts: Accounts) -> Credit:
    """Return the credit of the household's own device; raise as `owned` does."""
    return owned(household, accounts.credit(device_id), "device")


def statement(household: Household, accounts: Accounts, *, cursor: str | None, limit: int) -> Statement:
    """Return a page of the household's statement."""
    household_id = household.household_id
    balance = accounts.balance(household_id) or Balance.empty(household_id, CURRENCY)
    lines, next_cursor = accounts.lines(household_id, cursor=cursor, limit=limit)
    return Statement(balance=balance.amount, lines=lines, next_cursor=next_cursor)


def _changed(payment: Payment, booking: Booking, source: str, correlation_id: str) -> Event[CreditChanged]:
    credit = booking.credit
    data = CreditChanged.model_validate(
        {
            "device_id": credit.device_id,
            "household_id": credit.household_id,
            "payment_id": payment.payment_id,
            "amount": payment.amount,
            "credit_until": credit.credit_until,
            "credit_version": credit.version,
        }
    )
    return Event[CreditChanged].about(
        credit.device_id,
        data,
        source=source,
        time=booking.transaction.booked_at,
        correlation_id=correlation_id,
    )
