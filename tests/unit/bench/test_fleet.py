import doctest
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bench import apart, fleet, interrupted
from bench.apart import changes, strange
from bench.figures import DEPLOYS_LEFT, NotMeasured
from bench.fleet import killed_deploys, others_gone, slowest
from bench.throttle import Seen
from bench.workshop import Workshop
from deploy.stack import stack_name
from janitor import look, storage
from janitor.clients import Clients, Here
from janitor.found import Found
from janitor.storage import State


def state(stack: str, *names: str, kind: str = "aws_sqs_queue", owner: str | None = None) -> State:
    """A stack's queues, or what else it has."""
    instances: list[dict[str, Any]] = [
        {"attributes": {"arn": f"arn:aws:sqs:::{name}", "tags_all": {"Stack": owner or stack}}} for name in names
    ]
    return State({"resources": [{"mode": "managed", "type": kind, "instances": instances}]})


def test_the_examples_are_right() -> None:
    assert doctest.testmod(apart).failed == 0


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


def test_everything_else_is_in_time_when_it_is_gone_before_the_end_and_too_late_when_nobody_saw_it_go() -> None:
    assert others_gone(10.0, 40.0).value == 0.25
    assert others_gone(10.0, 40.0).is_reached
    assert not others_gone(None, 40.0).is_reached


@pytest.mark.parametrize(
    ("after", "count"),
    [(["a", "b", "c"], 0), (["a", "c"], 1), (["a", "b", "c", "d", "e"], 2), (["a", "x", "c"], 1), (["c", "b", "a"], 1)],
)
def test_lines_that_came_went_or_changed_are_counted_whatever_the_length(after: list[str], count: int) -> None:
    assert changes(["a", "b", "c"], after) == count


def test_what_a_fresh_look_finds_of_killed_deploys_in_the_end_is_a_figure_that_can_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clients = Clients(Here("us-east-1", "123456789012"))
    monkeypatch.setattr(fleet, "embedded_cloud", lambda _: nullcontext())
    monkeypatch.setattr(fleet, "choose", lambda *_: SimpleNamespace(clients=lambda: clients))
    monkeypatch.setattr(interrupted, "killed", lambda *_: [])
    monkeypatch.setattr(storage, "stacks", lambda _: set())
    queues = [Found(name, name) for name in (f"{stack_name(fleet.BRANCH_KILLED)}-orphan", "paygo-demo-identity")]
    monkeypatch.setattr(look, "tagged", lambda _, strangers: strangers)
    monkeypatch.setattr(look, "held", lambda *_: {"queue": queues})

    left = {measured.figure: measured for measured in killed_deploys(Workshop(tmp_path, Console()))}

    assert left[DEPLOYS_LEFT].value == 1
    assert not left[DEPLOYS_LEFT].is_reached
