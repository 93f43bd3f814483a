"""A consumer that forgets what it has handled, or an event that nobody handles, does not pass."""

from collections import Counter
from typing import Any, override

import pytest

from faults.consumers import BookPayments, Case, Household, open_account
from faults.played import Played, counted
from faults.stage import DeployedStack
from faults.verdicts import Row, Verdict
from paygo.storage import Table


class OneTable(DeployedStack):
    """A stack whose services share a table, without a cloud."""

    def __init__(self, table: Table) -> None:
        self.name = "paygo-unit"
        self._only = table
        self.told: list[str] = []
        self.dead: dict[str, str] = {}

    @override
    def table(self, name: str) -> Table:  # type: ignore[override]
        return self._only

    @override
    def outbox(self, service: str) -> list[dict[str, Any]]:
        return [
            {"event_id": str(place), "event": {"data": {"payment_id": payment}}}
            for place, payment in enumerate(self.told)
        ]

    @override
    def letters(self, consumer: str) -> Any:
        return iter(self.dead.items())


@pytest.fixture
def stack(table: Table) -> OneTable:
    return OneTable(table)


def book_again_and_again(stack: OneTable, case: Case) -> None:
    """Book a payment as a consumer does that asks nowhere whether it did so before."""
    table, home = stack.table("ledger"), case.home
    credit = table.get(pk=f"DEVICE#{home.device_id}", sk="CREDIT") or {}
    version = credit["version"] + 1
    table.put({**credit, "version": version})
    table.put({"pk": f"TRANSACTION#{case.about}", "sk": "TRANSACTION"})
    for place in range(2):
        table.put({"pk": f"HOUSEHOLD#{home.household_id}", "sk": f"ENTRY#{version}#{place}"})
    stack.told.append(case.about)


def row_of(stack: OneTable, fault: Played) -> Row:
    [row] = counted(stack, [fault])
    return row


def played(stack: OneTable, deliveries: int) -> Row:
    home = Household()
    open_account(stack, home)
    case = BookPayments().payment(stack, home)
    for _ in range(deliveries):
        book_again_and_again(stack, case)
    return row_of(stack, Played(BookPayments(), "doubled", [case]))


def test_an_event_that_is_handled_once_passes(stack: OneTable) -> None:
    row = played(stack, deliveries=1)

    assert row.is_clean
    assert row.counts == Counter({Verdict.DONE: 1})


def test_a_consumer_without_idempotency_is_caught(stack: OneTable) -> None:
    row = played(stack, deliveries=2)

    assert not row.is_clean
    assert row.counts == Counter({Verdict.DOUBLED: 1})


def test_an_event_that_nobody_handles_is_lost(stack: OneTable) -> None:
    row = played(stack, deliveries=0)

    assert not row.is_clean
    assert row.counts == Counter({Verdict.LOST: 1})


def test_half_an_effect_is_none(stack: OneTable) -> None:
    home = Household()
    open_account(stack, home)
    case = BookPayments().payment(stack, home)
    book_again_and_again(stack, case)
    stack.told.clear()

    assert row_of(stack, Played(BookPayments(), "killed", [case])).counts == Counter({Verdict.LOST: 1})


def test_an_event_without_effect_is_accounted_for_by_its_dead_letter(stack: OneTable) -> None:
    case = BookPayments().payment(stack, Household())
    stack.dead = {case.body: "UnexpectedCurrency: ..."}

    assert row_of(stack, Played(BookPayments(), "poison", [case])).counts == Counter({Verdict.DEAD: 1})
