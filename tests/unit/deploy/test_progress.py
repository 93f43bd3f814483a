import doctest
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy import progress, times
from deploy.progress import Progress
from deploy.times import Times, words

ALL = dict.fromkeys("abcd", "create")
EARLIER = Times({"create a": (5, 10), "create b": (5, 15), "create c": (15, 35), "create d": (35, 45)})


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def planned(address: str, action: str = "create") -> dict[str, Any]:
    return {"type": "planned_change", "change": {"action": action, "resource": {"addr": address}}}


def hook(kind: str, address: str, action: str = "create") -> dict[str, Any]:
    return {"type": kind, "hook": {"action": action, "resource": {"addr": address}}}


def follow(path: Path | None = None) -> tuple[Progress, io.StringIO]:
    said = io.StringIO()
    return Progress("Terraform", Console(file=said, width=200), times=path), said


def test_the_examples_are_right() -> None:
    assert doctest.testmod(times).failed == 0


@pytest.mark.parametrize(
    ("done", "elapsed", "idle", "left"),
    [(0, 0, 0, 40), (0, 3, 3, 37), (1, 5, 0, 35), (3, 30, 0, 10), (3, 34, 4, 6), (4, 99, 0, 0)],
)
def test_a_run_as_fast_as_the_earlier_one_takes_what_that_took(
    done: int, elapsed: float, idle: float, left: float
) -> None:
    assert EARLIER.left(ALL, done, elapsed, idle) == left


def test_time_that_passes_while_nothing_is_done_takes_a_run_no_further_than_the_next_resource() -> None:
    assert EARLIER.left(ALL, 0, 60, 60) == 35  # not even the first, which takes five, is done


def test_a_run_that_is_slower_so_far_is_taken_to_stay_slower() -> None:
    assert EARLIER.left(ALL, 3, 60) == 20


def test_one_stalled_resource_does_not_make_the_guess_absurd() -> None:
    assert EARLIER.left(ALL, 3, 3000) == 30


def test_what_was_made_late_in_a_long_run_is_quick_on_its_own() -> None:
    assert EARLIER.left({"d": "create"}, 0, 0) == 10


def test_another_action_on_a_resource_is_another_thing() -> None:
    assert EARLIER.left({"d": "delete"}, 0, 0) == Times().left({"d": "delete"}, 0, 0)


def test_a_run_of_which_nothing_is_known_is_guessed_and_corrected_by_its_pace() -> None:
    first = Times().left(ALL, 0, 0)

    assert Times().left(ALL, 2, first) == first  # half is done after the time that the whole was guessed to take


def test_a_guess_never_ends_before_the_run_does() -> None:
    assert Times().left({"a": "create"}, 0, 10_000, 10_000) == 1


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"a": 1}', '{"a": [1, "x"]}'])
def test_a_file_that_cannot_be_read_knows_nothing(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    if content is not None:
        path.write_text(content)

    assert Times.load(path) == Times()


def test_a_run_tells_the_next_one_when_it_did_what(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "terraform" / "times.json"
    run, _ = follow(path)
    with run:
        run.take(planned("a"))
        clock.now += 50  # the plan's time is not the apply's
        run.take(hook("apply_start", "a"))
        clock.now += 4
        run.take(hook("apply_start", "b"))
        clock.now += 3
        run.take(hook("apply_complete", "a"))
        run.take(hook("apply_errored", "b"))

    assert Times.load(path).spans == {"create a": (0, 7)}


def test_a_run_that_knows_nothing_does_not_take_its_first_resources_for_the_whole(clock: Clock, tmp_path: Path) -> None:
    run, said = follow(tmp_path / "times.json")
    for number in range(100):
        run.take(planned(str(number)))
    for number in range(50):
        run.take(hook("apply_start", str(number)))
        clock.now += 0.4
        run.take(hook("apply_complete", str(number)))
    run.take({"type": "tick"})

    assert "39 of 100 (16 s, about 25 s left)" in said.getvalue()


def test_a_run_keeps_what_others_took(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    EARLIER.save(path)

    Times({"create a": (0, 1)}).save(path)

    assert Times.load(path).spans == EARLIER.spans | {"create a": (0, 1)}


def test_what_is_replaced_is_remembered_as_that(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    run, _ = follow(path)
    with run:
        run.take(planned("a", "replace"))
        for action in ("delete", "create"):
            run.take(hook("apply_start", "a", action))
            clock.now += 2
            run.take(hook("apply_complete", "a", action))

    assert Times.load(path).spans == {"replace a": (2, 4)}


def test_the_time_left_is_in_the_line_that_is_told_now_and_then(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    EARLIER.save(path)
    run, said = follow(path)
    for address in ALL:
        run.take(planned(address))
    run.take(hook("apply_start", "a"))
    clock.now += 6
    run.take({"type": "tick"})
    clock.now += 1
    run.take({"type": "tick"})

    assert said.getvalue() == "  Terraform: 0 of 4 (6 s, about 35 s left) · making a, 6 s\n"


def test_what_the_apply_took_is_without_the_plan(clock: Clock) -> None:
    run, _ = follow()
    clock.now += 6
    run.take({"type": "change_summary", "changes": {"operation": "plan", "add": 1, "change": 0, "remove": 0}})
    clock.now += 30

    assert run.seconds_applying == 30


def test_nothing_is_said_of_the_time_left_while_it_is_compared(clock: Clock) -> None:
    run, said = follow()
    run.take(planned("a"))
    clock.now += 6
    run.take({"type": "tick"})

    assert "left" not in said.getvalue()


def test_the_end_of_the_plan_is_a_line_of_its_own(clock: Clock) -> None:
    run, said = follow()
    clock.now += 6.1
    run.take({"type": "change_summary", "changes": {"operation": "plan", "add": 583, "change": 1, "remove": 2}})
    run.take({"type": "change_summary", "changes": {"operation": "apply", "add": 583, "change": 1, "remove": 2}})

    assert said.getvalue().splitlines()[0] == "  plan: 586 changes (6.1 s)"
    assert said.getvalue().count("plan") == 1


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "a few seconds left"), (12, "about 10 s left"), (99, "about 100 s left"), (100, "about 2 min left")],
)
def test_no_more_is_told_than_is_known(seconds: float, told: str) -> None:
    assert words(seconds) == told
