from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.model import (
    CREDIT_REACH,
    SECONDS_PER_DAY,
    Credit,
    Entry,
    Kind,
    Transaction,
    UnexpectedCurrency,
    book,
    buy,
)
from paygo.money import Money
from tests.unit.ledger.makers import NOW, balance, credit, kes, payment

FOREVER = 10**18

amounts = st.integers(min_value=0, max_value=10**11)
prices = st.integers(min_value=1, max_value=10**8)
carries = st.integers(min_value=0, max_value=SECONDS_PER_DAY - 1)
limits = st.integers(min_value=0, max_value=10**9) | st.just(FOREVER)


def test_a_days_price_buys_a_day() -> None:
    bought = buy(5000, 5000, most=FOREVER)

    assert (bought.seconds, bought.cost, bought.carry) == (86400, 5000, 0)


def test_what_does_not_make_a_second_stays_on_the_balance() -> None:
    ten_a_second = 864_000

    bought = buy(25, ten_a_second, most=FOREVER)

    assert (bought.seconds, bought.cost, bought.carry) == (2, 20, 0)


def test_a_fraction_of_a_minor_unit_is_carried_to_the_next_purchase() -> None:
    one_and_a_half_a_second = 129_600

    first = buy(2, one_and_a_half_a_second, most=FOREVER)
    second = buy(1, one_and_a_half_a_second, carry=first.carry, most=FOREVER)

    assert (first.seconds, first.cost, first.carry) == (1, 2, 43_200)
    assert (second.seconds, second.cost, second.carry) == (1, 1, 0)


@pytest.mark.parametrize("nothing", [0, -1])
def test_an_account_that_holds_nothing_buys_nothing(nothing: int) -> None:
    bought = buy(nothing, 5000, carry=4999, most=FOREVER)

    assert (bought.seconds, bought.cost, bought.carry) == (0, 0, 4999)


@given(amounts, prices, carries, limits)
def test_a_purchase_never_costs_more_than_the_account_holds(held: int, price: int, carry: int, most: int) -> None:
    bought = buy(held, price, carry=carry, most=most)

    assert 0 <= bought.cost <= held
    assert 0 <= bought.seconds <= most
    assert 0 <= bought.carry < SECONDS_PER_DAY


@given(amounts, prices, carries, limits)
def test_a_purchase_loses_nothing(held: int, price: int, carry: int, most: int) -> None:
    bought = buy(held, price, carry=carry, most=most)

    before = held * SECONDS_PER_DAY + carry
    after = (held - bought.cost) * SECONDS_PER_DAY + bought.carry + bought.seconds * price
    assert after == before


@given(amounts, prices, carries)
def test_a_purchase_leaves_less_than_a_second_behind(held: int, price: int, carry: int) -> None:
    bought = buy(held, price, carry=carry, most=FOREVER)

    if held:
        assert (held - bought.cost) * SECONDS_PER_DAY + bought.carry < price


@given(amounts, amounts, prices, carries, limits)
def test_more_money_never_buys_less(one: int, other: int, price: int, carry: int, most: int) -> None:
    less, more = (buy(held, price, carry=carry, most=most) for held in sorted((one, other)))

    assert less.seconds <= more.seconds
    assert less.cost <= more.cost


@given(st.lists(st.integers(min_value=1, max_value=10**9), min_size=1, max_size=8), prices)
def test_many_small_purchases_buy_what_a_large_one_buys(parts: list[int], price: int) -> None:
    held = carry = seconds = 0
    for part in parts:
        bought = buy(held + part, price, carry=carry, most=FOREVER)
        held, carry, seconds = held + part - bought.cost, bought.carry, seconds + bought.seconds

    at_once = buy(sum(parts), price, most=FOREVER)
    assert (seconds, held, carry) == (at_once.seconds, sum(parts) - at_once.cost, at_once.carry)


def test_a_payment_is_booked_for_the_household_and_spent_on_credit() -> None:
    booking = book(payment(), balance(), credit(), NOW)

    assert booking.transaction.transaction_id == "payment-1"
    assert booking.transaction.booked_at == NOW
    assert booking.transaction.device_id == "device-1"
    assert booking.transaction.entries == (
        Entry(account="household:household-1", amount=kes(25000), kind=Kind.PAYMENT),
        Entry(account="house:provider:mobile-money", amount=kes(-25000), kind=Kind.PAYMENT),
        Entry(account="household:household-1", amount=kes(-25000), kind=Kind.CREDIT),
        Entry(account="house:revenue", amount=kes(25000), kind=Kind.CREDIT),
    )
    assert booking.balance == balance(amount=0, version=1)
    assert booking.credit == credit(credit_until=NOW + timedelta(days=5), version=1)


def test_what_is_left_of_earlier_payments_is_spent_too() -> None:
    booking = book(payment(amount=4000), balance(amount=1000, version=3), credit(version=7, carry=0), NOW)

    assert booking.credit.credit_until == NOW + timedelta(days=1)
    assert booking.balance == balance(amount=0, version=4)
    assert booking.credit.version == 8


def test_a_payment_too_small_for_a_second_stays_on_the_account_and_is_no_purchase() -> None:
    booking = book(payment(amount=1), balance(), credit(price_per_day=kes(864_000)), NOW)

    assert [entry.kind for entry in booking.transaction.entries] == [Kind.PAYMENT, Kind.PAYMENT]
    assert booking.balance.amount == kes(1)
    assert booking.credit.credit_until == NOW
    assert booking.credit.version == 1


def test_credit_bought_in_time_is_added_to_what_is_there() -> None:
    later = NOW + timedelta(days=2)

    booking = book(payment(amount=5000), balance(), credit(credit_until=later), NOW)

    assert booking.credit.credit_until == later + timedelta(days=1)


def test_credit_bought_after_it_ran_out_runs_from_the_booking() -> None:
    booking = book(payment(amount=5000), balance(), credit(credit_until=NOW - timedelta(days=2)), NOW)

    assert booking.credit.credit_until == NOW + timedelta(days=1)


def test_credit_ends_on_a_whole_second_and_never_early() -> None:
    booking = book(payment(amount=5000), balance(), credit(), NOW + timedelta(microseconds=1))

    assert booking.credit.credit_until == NOW + timedelta(days=1, seconds=1)


def test_a_payment_of_a_lifetime_reaches_so_far_and_the_rest_stays_on_the_account() -> None:
    booking = book(payment(amount=10**11), balance(), credit(), NOW)

    assert booking.credit.credit_until == NOW + CREDIT_REACH
    assert booking.balance.amount == kes(10**11 - CREDIT_REACH.days * 5000)


def test_a_payment_beyond_the_reach_of_credit_stays_on_the_account() -> None:
    beyond = NOW + CREDIT_REACH + timedelta(days=1)

    booking = book(payment(), balance(), credit(credit_until=beyond), NOW)

    assert booking.credit.credit_until == beyond
    assert booking.balance.amount == kes(25000)


def test_a_payment_in_another_currency_than_the_price_is_refused() -> None:
    with pytest.raises(UnexpectedCurrency, match="costs KES, but USD was paid"):
        book(payment(currency="USD"), balance(), credit(), NOW)


times = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
credits_held = st.builds(credit, price_per_day=prices.map(kes), carry=carries, credit_until=st.none() | times)


@given(st.integers(min_value=1, max_value=10**11), amounts, credits_held, times)
def test_every_booking_sums_to_zero_and_shortens_no_credit(amount: int, held: int, had: Credit, now: datetime) -> None:
    before = balance(amount=held)

    booking = book(payment(amount=amount), before, had, now)

    assert sum(entry.amount.amount for entry in booking.transaction.entries) == 0
    own = booking.transaction.of("household:household-1")
    assert booking.balance.amount == kes(held + sum(entry.amount.amount for entry in own))
    assert booking.balance.amount.amount >= 0
    assert booking.credit.credit_until is not None
    assert booking.credit.credit_until >= max(now, had.credit_until or now)


def test_entries_that_do_not_sum_to_zero_are_no_transaction() -> None:
    entries = (
        Entry(account="household:1", amount=kes(1), kind=Kind.PAYMENT),
        Entry(account="house:revenue", amount=kes(-2), kind=Kind.PAYMENT),
    )

    with pytest.raises(ValidationError, match="sum to zero in every currency"):
        Transaction(transaction_id="t", booked_at=NOW, device_id="d", entries=entries)


def test_entries_of_two_currencies_do_not_balance_each_other() -> None:
    entries = (
        Entry(account="household:1", amount=kes(1), kind=Kind.PAYMENT),
        Entry(account="house:revenue", amount=Money(amount=-1, currency="USD"), kind=Kind.PAYMENT),
    )

    with pytest.raises(ValidationError, match="sum to zero in every currency"):
        Transaction(transaction_id="t", booked_at=NOW, device_id="d", entries=entries)


def test_a_transaction_cannot_be_changed() -> None:
    booked = book(payment(), balance(), credit(), NOW).transaction

    with pytest.raises(ValidationError, match="frozen"):
        booked.entries = ()  # type: ignore[misc]
