from ledger.model import Balance, Booking, Contended, Credit, Line, Transaction, household
from paygo.events import CreditChanged, Event


class FakeAccounts:
    """The ledger in memory; a cursor is the number of lines before the page."""

    def __init__(self) -> None:
        self.credits: dict[str, Credit] = {}
        self.balances: dict[str, Balance] = {}
        self.transactions: dict[str, Transaction] = {}
        self.events: list[Event[CreditChanged]] = []

    def open(self, credit: Credit) -> None:
        self.credits.setdefault(credit.device_id, credit)

    def credit(self, device_id: str) -> Credit | None:
        return self.credits.get(device_id)

    def balance(self, household_id: str) -> Balance | None:
        return self.balances.get(household_id)

    def lines(self, household_id: str, *, cursor: str | None, limit: int) -> tuple[tuple[Line, ...], str | None]:
        transactions = sorted(self.transactions.values(), key=lambda each: (each.booked_at, each.transaction_id))
        lines = [
            Line(
                transaction_id=transaction.transaction_id,
                booked_at=transaction.booked_at,
                amount=entry.amount,
                kind=entry.kind,
                device_id=transaction.device_id,
            )
            for transaction in transactions
            for entry in transaction.of(household(household_id))
        ][::-1]
        start = int(cursor or 0)
        return tuple(lines[start : start + limit]), str(start + limit) if len(lines) > start + limit else None

    def is_booked(self, payment_id: str) -> bool:
        return payment_id in self.transactions

    def keep(self, booking: Booking, event: Event[CreditChanged]) -> None:
        transaction, balance, credit = booking.transaction, booking.balance, booking.credit
        known = self.balances.get(balance.household_id)
        if (
            self.is_booked(transaction.transaction_id)
            or (known.version if known else 0) != balance.version - 1
            or self.credits[credit.device_id].version != credit.version - 1
        ):
            raise Contended
        self.transactions[transaction.transaction_id] = transaction
        self.balances[balance.household_id] = balance
        self.credits[credit.device_id] = credit
        self.events.append(event)
