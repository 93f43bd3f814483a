from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.model import AccountNotOpen, Booking, Contended, Kind, Payment, UnexpectedCurrency
from ledger.plans import DEFAULT_PRICE_PER_DAY, PRICES_PER_DAY
from ledger.usecases import ATTEMPTS, Accounts, book_payment, credit_of, open_account, statement
from paygo.events import CreditChanged, Event
from paygo.problems import Problem
from tests.unit.callers import household
from tests.unit.ledger.fakes import FakeAccounts
from tests.unit.ledger.makers import NOW, credit, kes, payment


def opened(price: int = 5000) -> FakeAccounts:
    accounts = FakeAccounts()
    accounts.open(credit(price_per_day=kes(price)))
    return accounts


def pay(what: Payment, accounts: Accounts) -> None:
    book_payment(what, accounts, source="/paygo-test/ledger", correlation_id="c-1", now=NOW)


class Overtaken(FakeAccounts):
    """Something else happens just before each booking is kept."""

    def __init__(self, meanwhile: Callable[[FakeAccounts], object]) -> None:
        super().__init__()
        self.open(credit())
        self.meanwhile = meanwhile
        self.tries = 0

    def keep(self, booking: Booking, event: Event[CreditChanged]) -> None:
        self.tries += 1
        self.meanwhile(self)
        super().keep(booking, event)


@pytest.mark.parametrize("model", PRICES_PER_DAY)
def test_a_device_is_opened_at_its_models_price_without_credit(model: str) -> None:
    accounts = FakeAccounts()

    open_account("device-1", "household-1", model, accounts)

    assert accounts.credit("device-1") == credit(model=model, price_per_day=PRICES_PER_DAY[model])
    assert credit().credit_until is None
    assert credit().version == 0


def test_a_device_of_a_model_without_a_plan_is_opened_at_the_default_price() -> None:
    accounts = FakeAccounts()

    open_account("device-1", "household-1", "pump-9", accounts)

    assert accounts.credit("device-1") == credit(model="pump-9", price_per_day=DEFAULT_PRICE_PER_DAY)
    assert min(price.amount for price in PRICES_PER_DAY.values()) == DEFAULT_PRICE_PER_DAY.amount


def test_a_payment_gives_credit_and_says_so() -> None:
    accounts = opened()

    pay(payment(), accounts)

    (event,) = accounts.events
    assert (event.subject, event.source, event.time) == ("device-1", "/paygo-test/ledger", NOW)
    assert event.correlationid == "c-1"
    assert event.data == CreditChanged(
        device_id="device-1",
        household_id="household-1",
        payment_id="payment-1",
        amount=kes(25000),
        credit_until=NOW + timedelta(days=5),
        credit_version=1,
    )


def test_a_payment_given_twice_is_booked_once() -> None:
    accounts = opened()

    pay(payment(), accounts)
    pay(payment(), accounts)

    kept = accounts.credit("device-1")
    assert kept is not None
    assert kept.credit_until == NOW + timedelta(days=5)
    assert len(accounts.events) == 1


def test_a_payment_whose_device_is_not_open_yet_is_an_error_to_repeat() -> None:
    accounts = FakeAccounts()

    with pytest.raises(AccountNotOpen, match="payment-1"):
        pay(payment(), accounts)

    assert not accounts.is_booked("payment-1")


def test_a_payment_of_one_household_is_not_booked_on_anothers_device() -> None:
    accounts = opened()

    with pytest.raises(AccountNotOpen):
        pay(payment(household_id="household-2"), accounts)

    assert accounts.transactions == {}


def test_a_payment_in_another_currency_books_nothing() -> None:
    accounts = opened()

    with pytest.raises(UnexpectedCurrency):
        pay(payment(currency="USD"), accounts)

    assert accounts.transactions == {}


def test_a_payment_overtaken_by_another_one_of_the_household_is_booked_after_it() -> None:
    others = iter([payment("the-other")])

    def the_other(accounts: FakeAccounts) -> None:
        for other in others:
            pay(other, accounts)

    accounts = Overtaken(the_other)

    pay(payment(), accounts)

    assert set(accounts.transactions) == {"the-other", "payment-1"}
    assert [event.data.credit_version for event in accounts.events] == [1, 2]
    assert accounts.events[-1].data.credit_until == NOW + timedelta(days=10)


def test_a_payment_overtaken_again_and_again_is_an_error_to_repeat() -> None:
    def one_more(accounts: FakeAccounts) -> None:
        kept = accounts.credits["device-1"]
        accounts.credits["device-1"] = kept.model_copy(update={"version": kept.version + 1})

    accounts = Overtaken(one_more)

    with pytest.raises(Contended, match="payment-1"):
        pay(payment(), accounts)

    assert accounts.tries == ATTEMPTS
    assert not accounts.is_booked("payment-1")


@given(
    st.lists(st.integers(min_value=1, max_value=10**7), min_size=1, max_size=6),
    st.integers(min_value=1, max_value=10**7),
    st.data(),
)
def test_payments_shuffled_and_doubled_end_in_the_same_balance_and_credit(
    amounts: list[int], price: int, data: st.DataObject
) -> None:
    payments = [payment(f"payment-{number}", amount) for number, amount in enumerate(amounts)]
    shuffled = data.draw(st.permutations(payments + data.draw(st.lists(st.sampled_from(payments)))))
    once, again = opened(price), opened(price)

    for each in payments:
        pay(each, once)
    for each in shuffled:
        pay(each, again)

    assert again.balances == once.balances
    assert again.credits == once.credits
    assert len(again.events) == len(payments)
    entries = [entry for transaction in again.transactions.values() for entry in transaction.entries]
    assert sum(entry.amount.amount for entry in entries) == 0
    own = sum(entry.amount.amount for entry in entries if entry.account == "household:household-1")
    assert again.balances["household-1"].amount == kes(own)
    received = sum(entry.amount.amount for entry in entries if entry.account == "house:provider:mobile-money")
    assert received == -sum(amounts)


def test_a_household_sees_its_own_devices_credit() -> None:
    assert credit_of("device-1", household(), opened()) == credit()


@pytest.mark.parametrize(("device_id", "household_id"), [("device-1", "household-2"), ("device-2", "household-1")])
def test_another_households_device_and_no_device_look_the_same(device_id: str, household_id: str) -> None:
    with pytest.raises(Problem, match="not-found"):
        credit_of(device_id, household(household_id), opened())


def test_the_statement_of_a_household_that_never_paid_is_empty() -> None:
    empty = statement(household(), FakeAccounts(), cursor=None, limit=20)

    assert (empty.balance, empty.lines, empty.next_cursor) == (kes(0), (), None)


def test_a_statement_has_the_balance_and_a_page_of_lines() -> None:
    accounts = opened(price=864_000)
    pay(payment(amount=25), accounts)

    first = statement(household(), accounts, cursor=None, limit=1)
    second = statement(household(), accounts, cursor=first.next_cursor, limit=1)

    assert first.balance == kes(5)
    assert [(line.kind, line.amount) for line in first.lines] == [(Kind.CREDIT, kes(-20))]
    assert [(line.kind, line.amount) for line in second.lines] == [(Kind.PAYMENT, kes(25))]
    assert second.next_cursor is None
