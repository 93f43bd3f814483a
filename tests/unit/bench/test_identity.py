"""What the load test works out of its journeys and of the recorded calls."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bench import identity
from bench.figures import NotMeasured
from bench.households import Journey, Step, lost

if TYPE_CHECKING:
    from faults.kill_points import KillPoints


def journey(household_id: str, seconds: float = 0.1, problem: str = "") -> Journey:
    return Journey(seconds=dict.fromkeys(Step, seconds), session={"household_id": household_id}, problem=problem)


def test_a_journey_is_lost_when_it_ends_elsewhere_or_in_anothers_household() -> None:
    assert lost([journey("h-1"), journey("h-2")]) == []
    assert lost([journey("h-1"), journey("h-1"), journey("h-3", problem="no answer")]) == [
        "no answer",
        "1 sessions share a household with another.",
    ]


def test_each_step_is_told_by_its_median_and_its_99th_percentile() -> None:
    told = identity.steps([journey("h-1", 0.1), journey("h-2", 0.2), journey("h-3", 9.0, problem="lost")])

    assert told.startswith("open 150 ms, p99 ")
    assert [step for step in Step if f"{step} 150 ms" in told] == list(Step)
    assert identity.steps([journey("h-1")]) == ""


def test_what_is_lost_beside_the_measurement_ends_it() -> None:
    identity.complain([journey("h-1")])

    with pytest.raises(NotMeasured, match="1 of 2 registrations were lost beside the measurement: no answer"):
        identity.complain([journey("h-1"), journey("h-2", problem="no answer")])


def call(operation: str) -> Any:
    return SimpleNamespace(operation=operation)


def test_calls_to_aws_are_counted_and_those_to_third_parties_are_not() -> None:
    calls = identity.counted(
        [call("dynamodb.GetItem"), call("dynamodb.GetItem"), call("lambda POST /functions/*"), call("POST /checks")]
    )

    assert calls == {"dynamodb.GetItem": 2, "lambda POST /functions/*": 1}
    assert identity.by_service(calls) == "dynamodb 0.2, lambda 0.1"


class Recorder:
    """Records another call until it has made so many."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.made = 0

    def calls(self) -> list[Any]:
        self.made = min(self.made + 1, self.until)
        return [call("dynamodb.GetItem")] * self.made


def test_calls_are_counted_when_no_more_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "QUIET_SECONDS", 0.0)

    assert len(identity.quiet(cast("KillPoints", Recorder(3)))) == 3


def test_functions_that_never_rest_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(identity, "PATIENCE_SECONDS", 0.01)

    with pytest.raises(NotMeasured, match="still call AWS"):
        identity.quiet(cast("KillPoints", Recorder(10**9)))


class Events:
    def list_rules(self, NamePrefix: str) -> Any:  # noqa: N803 (AWS's name)
        return {"Rules": [{"Name": f"{NamePrefix}-sweep"}, {"Name": f"{NamePrefix}-bus"}]}

    def list_targets_by_rule(self, Rule: str) -> Any:  # noqa: N803 (AWS's name)
        arns = {
            "paygo-x-sweep": "arn:aws:lambda:us-east-1:123456789012:function:paygo-x-identity-sweep-sessions:live",
            "paygo-x-bus": "arn:aws:sns:us-east-1:123456789012:paygo-x-alarms",
        }
        return {"Targets": [{"Arn": arns[Rule]}]}


def test_functions_that_a_schedule_calls_are_known_by_its_targets() -> None:
    assert list(identity.scheduled(Events(), "paygo-x")) == ["paygo-x-identity-sweep-sessions"]
