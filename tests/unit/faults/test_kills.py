from faults.kill_points import Point
from faults.kills import _note

PLACES = [
    Point("before", "a", 1, "message"),
    Point("after", "a", 1, "message"),
    Point("after", "b", 1, "message"),
    Point("after", "a", 2, "message"),
]


def test_the_calls_are_counted_and_not_the_places_at_them() -> None:
    assert _note(PLACES, [], again=False) == "3 calls"
    assert _note(PLACES, [], again=True) == "3 calls, and deleting what came again"


def test_a_call_made_by_chance_is_told_apart() -> None:
    assert _note(PLACES, PLACES[2:3], again=False) == "2 calls; 1 more made by chance, once"
    assert _note(PLACES, PLACES[:2], again=False) == "2 calls; 1 more made by chance, once"
