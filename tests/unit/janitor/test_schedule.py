"""What goes next: dependencies within a stack, limits across stacks."""

from dataclasses import replace

import pytest

from janitor.buckets import LocalBuckets
from janitor.found import Found
from janitor.kinds import KINDS, NAMED, layers
from janitor.schedule import ATTEMPTS, Refused, Removed, Schedule, Task, Throttled, weights


def task(words: str, stack: str = "paygo-a", name: str = "") -> Task:
    return Task(stack, NAMED[words], Found(name or f"{stack}-{words}", name or f"{stack}-{words}"))


def started(schedule: Schedule, now: float, buckets: LocalBuckets) -> list[Task]:
    """Start all that may go now."""
    found = []
    while isinstance(chosen := schedule.next(now, buckets), Task):
        found.append(chosen)
    return found


def words(tasks: list[Task]) -> list[str]:
    return sorted(str(one.kind.words) for one in tasks)


def test_what_calls_a_function_goes_before_it_and_what_it_writes_to_after() -> None:
    tasks = [task("role"), task("queue"), task("function"), task("schedule")]
    schedule, buckets = Schedule(tasks), LocalBuckets()

    order = []
    while schedule.unfinished:
        now_ready = started(schedule, 0, buckets)
        order.append(words(now_ready))
        for one in now_ready:
            schedule.done(one, Removed(), 0, buckets)

    assert order == [["schedule"], ["function"], ["queue", "role"]]


def test_nothing_of_a_stack_waits_for_its_api() -> None:
    waiting = {kind.words for kind in KINDS if "REST API" in kind.after}

    assert waiting == {"execution log group"}


def test_what_leads_to_the_slowest_limit_goes_first() -> None:
    weighed = weights(KINDS)

    assert weighed["usage plan"] == weighed["REST API"] == max(weighed.values())
    assert weighed["function"] == 0


def test_stacks_are_interleaved_so_that_the_slow_call_is_always_busy() -> None:
    stacks = ["paygo-a", "paygo-b", "paygo-c"]
    schedule = Schedule([task(words, stack) for stack in stacks for words in ("REST API", "table")])
    buckets = LocalBuckets()

    first = started(schedule, 0, buckets)
    wait = schedule.next(0, buckets)
    second = started(schedule, 31, buckets)

    assert words(first) == ["REST API", "table", "table", "table"]
    assert wait == pytest.approx(30.2)
    assert [one.stack for one in second] == ["paygo-b"]


def test_a_kept_hand_goes_to_limits_alone() -> None:
    schedule = Schedule([task("table"), task("REST API")])
    buckets = LocalBuckets()

    first = schedule.next(0, buckets, limited_only=True)
    assert isinstance(first, Task)
    assert first.kind.words == "REST API"
    assert schedule.next(0, buckets, limited_only=True) is None


def test_a_throttled_call_is_counted_and_made_again_soon_and_the_next_after_its_rate() -> None:
    schedule, buckets = Schedule([task("REST API", "paygo-a"), task("REST API", "paygo-b")]), LocalBuckets()
    [api] = started(schedule, 0, buckets)

    schedule.done(api, Throttled(), 0.5, buckets)

    assert schedule.throttled == 1
    assert schedule.failures == []
    assert schedule.next(1, buckets) == 1.5
    assert started(schedule, 1.5, buckets) == [api]
    assert schedule.next(2, buckets) == pytest.approx(31.7)


def test_a_call_that_is_refused_again_and_again_waits_twice_as_long_each_time_until_one_is_answered() -> None:
    schedule, buckets = Schedule([task("role", name=f"role {number}") for number in range(2)]), LocalBuckets()
    now, waits = 0.0, []
    for _ in range(7):
        refused = schedule.next(now, buckets)
        assert isinstance(refused, Task)
        schedule.done(refused, Throttled(), now, buckets)
        at = schedule.next(now, buckets)
        assert isinstance(at, float)
        waits.append(at - now)
        now = at

    assert waits == [1, 2, 4, 8, 16, 32, 32]
    answered, other = started(schedule, now, buckets)
    schedule.done(answered, Removed(), now, buckets)
    schedule.done(other, Throttled(), now, buckets)
    assert schedule.next(now, buckets) == now + 1


def test_what_aws_refuses_is_tried_again_and_then_given_up_with_its_reason() -> None:
    schedule, buckets = Schedule([task("function"), task("role")]), LocalBuckets()
    now = 0.0
    for _ in range(ATTEMPTS):
        [function] = started(schedule, now, buckets)
        schedule.done(function, Refused("it is in use"), now, buckets)
        now += 60

    assert schedule.failures == [(function, "it is in use")]
    assert words(started(schedule, now, buckets)) == ["role"]  # the rest goes all the same


def test_what_is_left_says_how_long_it_takes_and_why() -> None:
    schedule, buckets = Schedule([task("REST API", f"paygo-{number}") for number in range(10)]), LocalBuckets()

    assert schedule.seconds_left() == pytest.approx(302)
    assert schedule.limiting() == ("apigateway", "DeleteRestApi")
    [first] = started(schedule, 0, buckets)
    schedule.done(first, Removed(), 1, buckets)
    assert schedule.seconds_left() == pytest.approx(271.8)


def test_nothing_to_do_takes_no_time() -> None:
    schedule = Schedule([])

    assert (schedule.unfinished, schedule.seconds_left(), schedule.limiting()) == (0, 0, None)
    assert schedule.next(0, LocalBuckets()) is None


def test_every_kind_waits_for_kinds_that_there_are_and_none_for_itself() -> None:
    ordered = [kind.words for layer in layers(KINDS) for kind in layer]

    assert sorted(ordered) == sorted(NAMED)
    for kind in KINDS:
        assert all(ordered.index(before) < ordered.index(kind.words) for before in kind.after)


def test_two_resources_of_one_name_are_two_tasks() -> None:
    one = task("REST API")
    other = replace(one, found=replace(one.found, id="another"))

    assert Schedule([one, other]).unfinished == 2
