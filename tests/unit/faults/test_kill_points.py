import json
from pathlib import Path

from faults.kill_points import Call, Kill, KillPoints, Point, gaps, handling, points


def call(operation: str, *, request: str = "r1", message: str | None = "m1", subject: str = "e1", n: int = 1) -> Call:
    return Call(function="f", request_id=request, message_id=message, subjects=(subject,), n=n, operation=operation)


def test_every_call_is_a_place_to_crash_before_and_after_counted_by_its_kind() -> None:
    made = [call("dynamodb.GetItem"), call("dynamodb.PutItem"), call("dynamodb.GetItem"), call("a", message=None)]

    assert points(made) == [
        Point("before", "dynamodb.GetItem", 1, "message"),
        Point("after", "dynamodb.GetItem", 1, "message"),
        Point("before", "dynamodb.PutItem", 1, "message"),
        Point("after", "dynamodb.PutItem", 1, "message"),
        Point("before", "dynamodb.GetItem", 2, "message"),
        Point("after", "dynamodb.GetItem", 2, "message"),
        Point("before", "a", 1, "batch"),
        Point("after", "a", 1, "batch"),
    ]


def test_between_any_two_calls_is_one_place_and_one_before_them_all_and_one_after() -> None:
    made = [call("a"), call("b"), call("a")]

    assert gaps(made) == [
        Point("before", "a", 1, "message"),
        Point("after", "a", 1, "message"),
        Point("after", "b", 1, "message"),
        Point("after", "a", 2, "message"),
    ]
    assert gaps([]) == []


def test_only_the_first_invocation_with_the_event_counts_and_not_its_neighbours() -> None:
    wanted = [call("one"), call("two")]
    others = [call("three", subject="e2"), call("one", request="r2"), call("x").model_copy(update={"function": "g"})]

    assert handling([others[0], *wanted, *others[1:]], "f", "e1") == wanted
    assert handling(others[:1], "f", "e1") == []


def test_a_plan_is_a_file_and_what_came_of_it_is_read_back(tmp_path: Path) -> None:
    kept = KillPoints(tmp_path)
    assert kept.calls() == []
    assert kept.killed() == set()
    kill = Kill.at(Point("after", "sqs.SendMessage", 2, "message"), "f", "e1")
    kept.lay([kill], record=["f"], subjects=["e1"])
    folder = tmp_path / "kill-points"
    assert json.loads((folder / "plan.json").read_text()) == {
        "record": ["f"],
        "subjects": ["e1"],
        "kills": [
            {
                "name": kill.name,
                "function": "f",
                "event": "e1",
                "when": "after",
                "operation": "sqs.SendMessage",
                "n": 2,
                "scope": "message",
                "fresh": True,
            }
        ],
    }
    assert [each.name for each in folder.iterdir()] == ["plan.json"]
    (folder / "killed").mkdir()
    (folder / "killed" / kill.name).touch()
    (folder / "calls.jsonl").write_text(call("one").model_dump_json() + "\n")

    assert kept.killed() == {kill.name}
    assert kept.calls() == [call("one")]
    kept.clear()
    assert not folder.exists()
