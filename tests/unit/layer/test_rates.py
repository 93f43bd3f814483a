import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from moto.dynamodb.models import DynamoDBBackend

from paygo.composition import dynamodb
from paygo.rates import Bucket, NoSlot, microseconds
from paygo.storage import Table

SECOND = 1_000_000


class Clock:
    """A worker's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_795_255_500 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bucket(partner_calls: Table, clock: Clock) -> Callable[[float], Bucket]:
    """Make a worker's view of the one bucket."""
    return lambda per_second: Bucket(dynamodb(), partner_calls.name, "BUCKET#crm", per_second, clock)


@pytest.fixture
def atomic(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB judges a condition and writes in one step; the copy in memory needs a lock for it."""
    lock, update_item = threading.Lock(), DynamoDBBackend.update_item

    def locked(*arguments: Any, **named: Any) -> Any:
        with lock:
            return update_item(*arguments, **named)

    monkeypatch.setattr(DynamoDBBackend, "update_item", locked)


def milliseconds(wait: timedelta) -> int:
    return wait // timedelta(milliseconds=1)


def test_the_first_call_has_its_slot_at_once(bucket: Callable[[float], Bucket]) -> None:
    assert bucket(10).reserve(timedelta(seconds=1)) == timedelta()


def test_slots_are_evenly_spaced(bucket: Callable[[float], Bucket]) -> None:
    slots = [bucket(10).reserve(timedelta(seconds=1)) for _ in range(5)]

    assert [milliseconds(slot) for slot in slots] == [0, 100, 200, 300, 400]


def test_a_slot_that_is_too_far_is_not_taken(bucket: Callable[[float], Bucket], clock: Clock) -> None:
    worker = bucket(2)
    for _ in range(3):
        worker.reserve(timedelta(seconds=1))

    for _ in range(2):
        with pytest.raises(NoSlot) as refused:
            worker.reserve(timedelta(seconds=1))
        assert refused.value.free_in == timedelta(seconds=1.5)
    clock.now += SECOND

    assert worker.reserve(timedelta(seconds=1)) == timedelta(seconds=0.5)


def test_a_pause_saves_up_no_calls(bucket: Callable[[float], Bucket], clock: Clock) -> None:
    bucket(2).reserve(timedelta(seconds=1))
    clock.now += 3600 * SECOND

    assert [milliseconds(bucket(2).reserve(timedelta(seconds=1))) for _ in range(2)] == [0, 500]


def test_a_rate_that_does_not_divide_a_second_is_rounded_so_that_it_is_kept(
    bucket: Callable[[float], Bucket],
) -> None:
    slots = [bucket(3).reserve(timedelta(seconds=10)) for _ in range(4)]

    assert slots[3] >= timedelta(seconds=1)


def test_a_rate_below_one_a_second_is_kept(bucket: Callable[[float], Bucket]) -> None:
    assert [bucket(0.5).reserve(timedelta(seconds=5)).total_seconds() for _ in range(2)] == [0, 2]


def test_a_worker_that_another_overtakes_when_starting_anew_follows_it(
    partner_calls: Table, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (Bucket(dynamodb(), partner_calls.name, "BUCKET#crm", 10, clock) for _ in range(2))
    start_anew = first._start_anew

    def overtaken(now: int) -> bool:
        assert second.reserve(timedelta(seconds=1)) == timedelta()
        return start_anew(now)

    monkeypatch.setattr(first, "_start_anew", overtaken)

    assert first.reserve(timedelta(seconds=1)) == timedelta(milliseconds=100)


@pytest.mark.usefixtures("atomic")
def test_workers_at_once_never_exceed_the_rate(partner_calls: Table) -> None:

    def work(_: int) -> list[int]:
        read: list[int] = []

        def clock() -> int:
            read.append(microseconds())
            return read[-1]

        worker = Bucket(dynamodb(), partner_calls.name, "BUCKET#crm", 200, clock)
        return [
            wait // timedelta(microseconds=1) + read[-1]
            for wait in (worker.reserve(timedelta(seconds=30)) for _ in range(10))
        ]

    with ThreadPoolExecutor(8) as workers:
        slots = sorted(slot for taken in workers.map(work, range(8)) for slot in taken)

    assert len(slots) == 80
    assert min(later - earlier for earlier, later in pairwise(slots)) >= 5_000


def test_an_error_that_is_no_lost_race_is_raised(clock: Clock) -> None:
    with pytest.raises(dynamodb().exceptions.ResourceNotFoundException):
        Bucket(dynamodb(), "no-such-table", "BUCKET#crm", 10, clock).reserve(timedelta(seconds=1))
