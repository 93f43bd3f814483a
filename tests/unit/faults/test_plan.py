import json
from pathlib import Path
from typing import Any

import pytest

from faults.kill_points import Kill, KillPoints, Point
from faults.plan import Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(KillPoints(tmp_path))


def laid(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "kill-points" / "plan.json").read_text())
    return read


def kill(event: str) -> Kill:
    return Kill.at(Point("before", "sqs.SendMessage", 1, "message"), "f", event)


def test_consumers_share_one_plan_and_what_came_about_is_forgotten(plan: Plan, tmp_path: Path) -> None:
    first, second = kill("e1"), kill("e2")
    plan.add(first)
    (tmp_path / "kill-points" / "killed").mkdir()
    (tmp_path / "kill-points" / "killed" / first.name).touch()
    plan.add(second)

    assert [each["name"] for each in laid(tmp_path)["kills"]] == [second.name]
    assert plan.killed() == {first.name}
    plan.forget(second)
    assert laid(tmp_path)["kills"] == []
    plan.clear()
    assert plan.killed() == set()


def test_a_trace_wants_a_fresh_worker_crashes_none_and_ends(plan: Plan, tmp_path: Path) -> None:
    plan.trace("f", "e1", fresh=True)
    plan.trace("g", "e2", fresh=False)
    traced = laid(tmp_path)
    plan.untrace("f", "e1")

    assert sorted(traced["record"]) == ["f", "g"]
    assert traced["subjects"] == ["e1", "e2"]
    [harmless] = traced["kills"]
    assert (harmless["function"], harmless["event"], harmless["n"], harmless["fresh"]) == ("f", "e1", 0, True)
    assert laid(tmp_path) == {"record": ["g"], "subjects": ["e2"], "kills": []}


def test_calls_are_those_of_the_first_handling_and_counted_over_all(plan: Plan, tmp_path: Path) -> None:
    plan.trace("f", "e1", fresh=False)
    lines = [
        {
            "function": function,
            "request_id": request,
            "message_id": "m",
            "subjects": ["e1"],
            "n": 1,
            "operation": "send",
        }
        for function, request in (("f", "r1"), ("f", "r2"), ("g", "r3"))
    ]
    (tmp_path / "kill-points" / "calls.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    assert [call.request_id for call in plan.calls("f", "e1")] == ["r1"]
    assert plan.count("f", "e1", "send") == 2
    assert plan.count("f", "e1", "other") == 0


def test_an_event_that_came_again_had_more_than_one_invocation(plan: Plan, tmp_path: Path) -> None:
    plan.trace("f", "e1", fresh=True)
    call = {"function": "f", "message_id": "m", "subjects": ["e1"], "n": 1, "operation": "sqs.SendMessage"}
    lines = [json.dumps({**call, "request_id": request_id}) for request_id in ("r1", "r1", "r2")]
    (tmp_path / "kill-points" / "calls.jsonl").write_text("\n".join(lines))

    assert plan.times("f", "e1") == 2
    assert plan.times("f", "e2") == 0
