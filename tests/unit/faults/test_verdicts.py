import pytest

from faults.verdicts import Row, Seen, Verdict, most_in_a_second, unknown, unsettled


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (Seen(effects=1), Verdict.DONE),
        (Seen(effects=1, outside=3), Verdict.DONE),
        (Seen(outside=2), Verdict.DONE),
        (Seen(effects=0, reason="invalid data"), Verdict.DEAD),
        (Seen(outside=0, reason="PartnerRefused"), Verdict.DEAD),
        (Seen(reason="not JSON"), Verdict.DEAD),
        (Seen(effects=0), Verdict.LOST),
        (Seen(outside=0), Verdict.LOST),
        (Seen(effects=1, outside=0), Verdict.LOST),
        (Seen(effects=0, reason=""), Verdict.LOST),
        (Seen(), Verdict.LOST),
        (Seen(effects=2), Verdict.DOUBLED),
        (Seen(effects=2, reason="a reason"), Verdict.DOUBLED),
    ],
)
def test_an_event_is_done_once_dead_with_a_reason_lost_or_doubled(seen: Seen, verdict: Verdict) -> None:
    assert seen.verdict is verdict


def test_a_row_is_clean_only_when_there_were_events_and_none_was_lost_or_doubled() -> None:
    assert Row.of("a/b", "kill", [Seen(effects=1), Seen(reason="why")]).is_clean
    assert not Row.of("a/b", "kill", []).is_clean
    assert not Row.of("a/b", "kill", [Seen(effects=1), Seen(effects=2)]).is_clean
    assert not Row.of("a/b", "kill", [Seen(effects=1), Seen(effects=0)]).is_clean
    assert not Row.of("a/b", "kill", [Seen(effects=1)], problem="a point was not reached").is_clean


def test_a_consumer_that_the_suite_does_not_know_or_that_is_gone_is_told() -> None:
    assert unknown(["a/b", "c/d"], ["a/b", "c/d"]) == []
    new, gone = unknown(["a/b", "new/one"], ["a/b", "old/one"])
    assert new.startswith("new/one")
    assert gone.startswith("old/one")


def test_events_without_an_end_are_waited_for() -> None:
    assert unsettled({"done": Seen(effects=1), "dead": Seen(reason="why"), "open": Seen(effects=0)}) == ["open"]


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 0.5, 0.999], 3),
        ([0.0, 1.0], 1),
        ([9.9, 0.0, 0.9, 1.1, 1.2], 3),
    ],
)
def test_the_fullest_second_begins_anywhere(times: list[float], most: int) -> None:
    assert most_in_a_second(times) == most
