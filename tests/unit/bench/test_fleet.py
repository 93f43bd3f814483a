from typing import Any

import pytest

from bench.figures import NotMeasured
from bench.fleet import slowest, strange
from bench.throttle import Seen
from janitor.storage import State


def state(stack: str, *names: str, kind: str = "aws_sqs_queue", owner: str | None = None) -> State:
    """A stack's queues, or what else it has."""
    instances: list[dict[str, Any]] = [
        {"attributes": {"arn": f"arn:aws:sqs:::{name}", "tags_all": {"Stack": owner or stack}}} for name in names
    ]
    return State({"resources": [{"mode": "managed", "type": kind, "instances": instances}]})


def test_stacks_that_are_alike_and_apart_are_not_strange() -> None:
    assert strange({"a": state("a", "a-1", "a-2"), "b": state("b", "b-1", "b-2")}) == 0


@pytest.mark.parametrize(
    "other",
    [
        state("b", "b-1", "a-1"),
        state("b", "b-1", "b-2", "b-3"),
        state("b", "b-1"),
    ],
    ids=["shared", "more", "fewer"],
)
def test_what_two_stacks_have_and_what_one_lacks_is_strange(other: State) -> None:
    assert strange({"a": state("a", "a-1", "a-2"), "b": other}) == 1


def test_what_says_it_is_anothers_is_strange() -> None:
    assert strange({"a": state("a", "a-1"), "b": state("b", "b-1", owner="a")}) == 1


def test_another_kind_is_one_too_few_and_one_too_many() -> None:
    assert strange({"a": state("a", "a-1"), "b": state("b", "b-1", kind="aws_sns_topic")}) == 2


def seen(times: int) -> Seen:
    return Seen(times, 0, [30.0 * number for number in range(times)], [], {})


def test_the_slowest_call_is_the_one_that_takes_longest_in_all() -> None:
    assert slowest({"apigateway.DeleteRestApi": seen(10), "apigateway.UpdateUsagePlan": seen(10)}) == 270
    assert slowest({"apigateway.DeleteRestApi": seen(2), "apigateway.UpdateUsagePlan": seen(10)}) == 180


@pytest.mark.parametrize("calls", [{}, {"apigateway.DeleteRestApi": seen(1)}, {"apigateway.DeleteApiKey": seen(9)}])
def test_a_teardown_that_met_no_limit_measures_nothing(calls: dict[str, Seen]) -> None:
    with pytest.raises(NotMeasured, match="no call that AWS limits"):
        slowest(calls)
