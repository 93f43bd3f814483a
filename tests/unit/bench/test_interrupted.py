import random
import signal
import time
from typing import Any

import pytest

from bench import interrupted
from bench.interrupted import PHASES, Moment, Outcome, play, spread


@pytest.mark.parametrize("count", [1, 3, 8, 20])
def test_moments_are_spread_over_the_phases_in_their_order(count: int) -> None:
    numbers = [PHASES.index(moment.phase) for moment in spread(random.Random(1), count)]

    assert len(numbers) == count
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == min(count, len(PHASES))


def test_twenty_moments_leave_no_phase_out() -> None:
    for seed in range(50):
        assert {moment.phase for moment in spread(random.Random(seed), 20)} == set(PHASES)


def test_a_seed_gives_the_same_moments_again() -> None:
    assert spread(random.Random(7), 20) == spread(random.Random(7), 20)
    assert spread(random.Random(7), 20) != spread(random.Random(8), 20)


def test_a_moment_is_within_its_phase() -> None:
    assert all(0 <= moment.after <= moment.phase.seconds for moment in spread(random.Random(3), 200))


def test_a_moment_says_what_it_is() -> None:
    assert str(Moment(PHASES[4], 1.256, with_terraform=True)) == "SIGKILL with its Terraform 1.26 s into plan"
    assert str(Moment(PHASES[0], 0.5, with_terraform=False, by=signal.SIGINT)) == "SIGINT 0.50 s into lock"


class Tool:
    """The deploy tool, played: what was run, and what ends badly."""

    def __init__(self, *bad: str) -> None:
        self.ran: list[str] = []
        self.settings: list[dict[str, str]] = []
        self.bad = bad

    def __call__(self, branch: str, verb: str, **settings: str) -> "Tool":
        self.ran.append(verb)
        self.settings.append(settings)
        return self

    said = "what it said"

    def is_killed(self, *, with_terraform: bool) -> None:
        self.ran[-1] = "killed destroy"

    def is_ended(self, moment: Moment) -> None:
        self.ran[-1] = f"killed in {moment.phase.name}"

    def ends(self) -> int:
        return 1 if self.ran[-1] in self.bad else 0

    def succeeds(self) -> str:
        return self.said


class Always(random.Random):
    """A chance that knows what comes."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.verb = verb

    def choice(self, seq: Any) -> Any:
        return self.verb


def played(tool: Tool, verb: str, *phases: int) -> list[Outcome]:
    moments = [Moment(PHASES[number], 0, with_terraform=False) for number in phases]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(interrupted, "Run", tool)
        patched.setattr(time, "sleep", lambda _: None)
        return list(play("demo", moments, Always(verb), lambda _: None))


GOING = ["killed destroy", "destroy"]


def test_after_each_kill_a_run_goes_on_and_the_last_one_shows_that_nothing_is_left() -> None:
    tool = Tool()

    outcomes = played(tool, "destroy", 0, 5)

    assert tool.ran == ["killed in lock", "destroy", "killed in apply", "up", *GOING]
    assert all(outcome.is_good for outcome in outcomes)


def test_a_stack_that_is_up_is_destroyed_before_a_kill_in_its_apply() -> None:
    tool = Tool()

    played(tool, "up", 4, 5)

    assert tool.ran == ["killed in plan", "up", "destroy", "killed in apply", "up", *GOING]


class Believing(Tool):
    """A tool whose deploys ask Terraform nothing unless they are told to, and what Terraform then says."""

    def __init__(self, found: str) -> None:
        super().__init__()
        self.found = found

    @property
    def said(self) -> str:  # type: ignore[override]
        return self.found if self.settings[-1] else "  plan: nothing to change: compared 3 seconds ago"


@pytest.mark.parametrize(("found", "good"), [("  plan: 0 changes (7.0 s)", True), ("  plan: 1 changes (7.0 s)", False)])
def test_a_deploy_that_believes_that_all_is_there_is_not_believed(found: str, *, good: bool) -> None:
    tool = Believing(found)

    [outcome] = played(tool, "up", 6)

    assert tool.ran == ["killed in smoke test", "up", "up", *GOING]
    assert [bool(settings) for settings in tool.settings] == [True, False, True, False, False]
    assert outcome.is_good is good
    assert outcome.said == found


def test_only_a_kill_from_the_plan_on_needs_a_plan() -> None:
    tool = Tool()

    played(tool, "up", *range(8))

    killed = [
        bool(settings) for ran, settings in zip(tool.ran, tool.settings, strict=True) if ran.startswith("killed in")
    ]
    assert killed == [False] * 4 + [True] * 4


def test_a_run_that_does_not_recover_is_an_outcome_with_its_words() -> None:
    [outcome] = played(Tool("up"), "up", 6)

    assert not outcome.is_good
    assert outcome.said == "what it said"


def test_the_seed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(interrupted, "Run", Tool())
    monkeypatch.setattr(time, "sleep", lambda _: None)

    first = interrupted.killed("demo", 8, told.append, seed=5)

    assert told[0] == "moments of the kills: seed 5"
    assert [outcome.moment for outcome in first] == spread(random.Random(5), 8)
