"""The ledger in DynamoDB.

    TRANSACTION#<id>  TRANSACTION                          all entries of a transaction; makes a payment count once
    DEVICE#<id>       CREDIT                               a device's credit
    HOUSEHOLD#<id>    BALANCE                              a household's balance
    HOUSEHOLD#<id>    ENTRY#<booked at>#<transaction>#<n>  the household's own entries, for its statement

The house's accounts have no balance items, which every payment would have to write: they are summed from transactions.
"""

from boto3.dynamodb.conditions import Attr

from ledger.model import Balance, Booking, Contended, Credit, Line, household
from paygo.events import CreditChanged, Event
from paygo.outbox import outbox_write
from paygo.storage import ABSENT, ConditionFailed, Table, TransactionRefused, Write, sortable


class AccountTable:
    """The ledger of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def open(self, credit: Credit) -> None:
        """Keep a device's first credit; do nothing when its account is open."""
        try:
            self._table.put({**_credit_key(credit.device_id), **credit.model_dump(mode="json")}, ABSENT)
        except ConditionFailed:
            return

    def credit(self, device_id: str) -> Credit | None:
        """Return the device's credit."""
        item = self._table.get(**_credit_key(device_id))
        return Credit.model_validate(item) if item else None

    def balance(self, household_id: str) -> Balance | None:
        """Return the household's balance, if anything was ever booked."""
        item = self._table.get(**_balance_key(household_id))
        return Balance.model_validate(item) if item else None

    def lines(self, household_id: str, *, cursor: str | None, limit: int) -> tuple[tuple[Line, ...], str | None]:
        """Return a page of the household's lines, the newest first, and the cursor of the next one."""
        page = self._table.query(
            _household(household_id), prefix="ENTRY#", limit=limit, cursor=cursor, order="descending"
        )
        return tuple(Line.model_validate(item) for item in page.items), page.next_cursor

    def is_booked(self, payment_id: str) -> bool:
        """Tell whether the payment was booked, however long ago."""
        return self._table.get(**_transaction_key(payment_id)) is not None

    def keep(self, booking: Booking, event: Event[CreditChanged]) -> None:
        """Keep everything that a booking changes, and the event; raise `Contended` when it was overtaken."""
        transaction, balance, credit = booking.transaction, booking.balance, booking.credit
        try:
            self._table.transact(
                [
                    self._table.putting(
                        {**_transaction_key(transaction.transaction_id), **transaction.model_dump(mode="json")},
                        ABSENT,
                    ),
                    self._table.putting(
                        {**_balance_key(balance.household_id), **balance.model_dump(mode="json")},
                        ABSENT if balance.version == 1 else Attr("version").eq(balance.version - 1),
                    ),
                    self._table.putting(
                        {**_credit_key(credit.device_id), **credit.model_dump(mode="json")},
                        Attr("version").eq(credit.version - 1),
                    ),
                    *self._entries(booking),
                    outbox_write(self._table, event),
                ]
            )
        except TransactionRefused as error:
            raise Contended from error

    def _entries(self, booking: Booking) -> list[Write]:
        transaction, household_id = booking.transaction, booking.balance.household_id
        prefix = f"ENTRY#{sortable(transaction.booked_at)}#{transaction.transaction_id}"
        return [
            self._table.putting(
                {
                    "pk": _household(household_id),
                    "sk": f"{prefix}#{place}",
                    **Line(
                        transaction_id=transaction.transaction_id,
                        booked_at=transaction.booked_at,
                        amount=entry.amount,
                        kind=entry.kind,
                        device_id=transaction.device_id,
                    ).model_dump(mode="json"),
                },
                ABSENT,
            )
            for place, entry in enumerate(transaction.of(household(household_id)))
        ]


def _household(household_id: str) -> str:
    return f"HOUSEHOLD#{household_id}"


def _balance_key(household_id: str) -> dict[str, str]:
    return {"pk": _household(household_id), "sk": "BALANCE"}


def _credit_key(device_id: str) -> dict[str, str]:
    return {"pk": f"DEVICE#{device_id}", "sk": "CREDIT"}


def _transaction_key(transaction_id: str) -> dict[str, str]:
    return {"pk": f"TRANSACTION#{transaction_id}", "sk": "TRANSACTION"}
