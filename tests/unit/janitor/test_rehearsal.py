"""Two hundred stacks in virtual time, made from what one was recorded to have."""

from collections import Counter
from pathlib import Path

import pytest

from janitor.buckets import LocalBuckets
from janitor.found import Found
from janitor.kinds import NAMED
from janitor.rehearsal import (
    Rehearsed,
    Throttle,
    VirtualCrew,
    anonymous,
    least,
    recorded,
    rehearse,
    tasks_of,
    teardown,
)
from janitor.schedule import Schedule
from janitor.work import work

INVENTORY = recorded(Path(__file__).parent / "inventory.json")
DELETE_API = ("apigateway", "DeleteRestApi")


@pytest.fixture(scope="module")
def two_hundred() -> Rehearsed:
    return teardown(INVENTORY, 200)


def test_the_recorded_stack_is_a_whole_one() -> None:
    counts = {words: len(names) for words, names in INVENTORY.items()}

    assert (counts["REST API"], counts["usage plan"]) == (1, 1)
    assert counts["function"] > 30
    assert counts.keys() <= NAMED.keys()
    assert not any(NAMED[words].by_devices for words in counts)
    assert all("bystander" not in name for names in INVENTORY.values() for name in names)


def test_two_hundred_stacks_take_what_the_slowest_limit_takes(two_hundred: Rehearsed) -> None:
    assert two_hundred.call == DELETE_API
    assert two_hundred.limit == 199 * 30
    assert two_hundred.times_the_limit <= 1.05


def test_aws_is_never_called_too_often(two_hundred: Rehearsed) -> None:
    assert two_hundred.throttled == 0


def test_everything_else_is_gone_long_before_the_last_api(two_hundred: Rehearsed) -> None:
    assert two_hundred.others_gone < 0.75 * two_hundred.seconds


def test_ten_stacks_keep_to_the_limit_too() -> None:
    assert teardown(INVENTORY, 10).times_the_limit <= 1.05


def test_an_api_a_service_would_take_seven_times_as_long() -> None:
    one, seven = teardown(INVENTORY, 20), teardown(INVENTORY, 20, apis=7)

    assert seven.seconds > 6.5 * one.seconds
    assert seven.throttled == 0


def test_one_stack_waits_for_nothing() -> None:
    one = teardown(INVENTORY, 1)

    assert one.seconds < 30
    assert one.stacks == 1
    assert one.resources == sum(map(len, INVENTORY.values()))


def test_nothing_takes_no_time() -> None:
    assert rehearse([]) == Rehearsed(0, 0, 0.0, 0.0, None, 0.0, 0)
    assert rehearse([]).times_the_limit == 1.0


def test_who_does_not_plan_is_throttled() -> None:
    """The throttle that a rehearsal plays refuses what comes too early, or a green figure would say nothing."""

    class NoBuckets(LocalBuckets):
        def take(self, calls: object, now: float) -> float:
            return now

    throttle = Throttle()
    tasks = [task for number in range(5) for task in tasks_of({"REST API": ["{stack}"]}, f"paygo-{number}")]
    schedule = Schedule(tasks)
    work(schedule, NoBuckets(), VirtualCrew(throttle))

    assert schedule.unfinished == 0
    assert schedule.throttled == throttle.refused[DELETE_API] > 0


def test_a_throttle_lets_a_burst_through_and_refuses_the_next() -> None:
    throttle = Throttle()
    call = ("apigateway", "GetUsagePlan")

    allowed = [throttle.allows([call], 0.0) for _ in range(41)]

    assert allowed == [True] * 40 + [False]
    assert throttle.refused == Counter({("apigateway", "*"): 1})
    assert throttle.allows([call], 0.1)


def test_a_deadline_ends_a_rehearsal_with_what_is_left() -> None:
    tasks = [task for number in range(3) for task in tasks_of({"REST API": ["{stack}"]}, f"paygo-{number}")]
    schedule, crew = Schedule(tasks), VirtualCrew(Throttle())

    work(schedule, LocalBuckets(), crew, deadline=40)

    assert schedule.unfinished == 1
    assert crew.now() < 40


def test_two_hands_are_enough() -> None:
    assert rehearse(tasks_of(INVENTORY, "paygo-a"), hands=1).resources == sum(map(len, INVENTORY.values()))


@pytest.mark.parametrize(("number", "seconds"), [(0, 0), (1, 0), (2, 30), (200, 5970)])
def test_the_least_that_aws_allows_counts_the_pauses_between_calls(number: int, seconds: float) -> None:
    assert least(DELETE_API, number) == seconds
    assert least(("sqs", "DeleteQueue"), number) == 0


def test_names_are_recorded_without_their_stack() -> None:
    assert anonymous(Found("1", "paygo_demo_credit"), "paygo-demo").name == "{stack}_credit"
    assert anonymous(Found("1", "/aws/lambda/paygo-demo-a-b"), "paygo-demo").name == "/aws/lambda/{stack}-a-b"
