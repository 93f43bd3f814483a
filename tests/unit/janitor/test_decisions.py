"""Which stack goes, and why."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from janitor.decisions import Standing, Wish, decide

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
STACK = Standing("paygo-demo", branch="demo", expires_at="2026-12-05T00:00:00Z", created_at="2026-11-28T00:00:00Z")
NOTHING = Wish()
NAMED = Wish(named=frozenset({"paygo-demo"}))


@pytest.mark.parametrize(
    ("standing", "wish", "why"),
    [
        (replace(STACK, expires_at="2026-11-30T11:59:59Z"), NOTHING, "expired 2026-11-30T11:59:59Z"),
        (STACK, NAMED, "named"),
        (STACK, Wish(living=frozenset({"paygo-other"})), "branch demo is gone"),
        (replace(STACK, begun="expired yesterday"), NOTHING, "expired yesterday"),
        (replace(STACK, has_state=False), NOTHING, "no state knows it"),
        (replace(STACK, has_state=False, created_at=""), NOTHING, "no state knows it"),
        (replace(STACK, expires_at="2026-11-30"), NOTHING, "expired 2026-11-30"),
    ],
)
def test_a_stack_goes_for_a_reason(standing: Standing, wish: Wish, why: str) -> None:
    verdict = decide(standing, wish, NOW)

    assert (verdict.goes, verdict.why) == (True, why)


@pytest.mark.parametrize(
    ("standing", "wish", "why"),
    [
        (STACK, NOTHING, "until 2026-12-05T00:00:00Z"),
        (replace(STACK, expires_at="never"), NOTHING, "it never expires"),
        (replace(STACK, expires_at=""), NOTHING, "it never expires"),
        (replace(STACK, expires_at="soon"), NOTHING, "its ExpiresAt is no time: soon"),
        (STACK, Wish(living=frozenset({"paygo-demo"})), "until 2026-12-05T00:00:00Z"),
        (replace(STACK, has_state=False, created_at="2026-11-30T11:00:00Z"), NOTHING, "until 2026-12-05T00:00:00Z"),
        (replace(STACK, has_state=False, has_folder=True, created_at=""), NOTHING, "until 2026-12-05T00:00:00Z"),
        (replace(STACK, expires_at="2026-11-01T00:00:00Z"), Wish(named=frozenset({"paygo-other"})), "not named"),
        (replace(STACK, holder="a deploy by me"), NAMED, "in use: a deploy by me"),
    ],
)
def test_a_stack_stays_for_a_reason(standing: Standing, wish: Wish, why: str) -> None:
    verdict = decide(standing, wish, NOW)

    assert (verdict.goes, verdict.why) == (False, why)


@pytest.mark.parametrize("stage", ["staging", "production"])
@pytest.mark.parametrize("wish", [NOTHING, NAMED, Wish(living=frozenset())])
def test_a_protected_stage_never_goes(stage: str, wish: Wish) -> None:
    standing = replace(STACK, stage=stage, expires_at="2020-01-01T00:00:00Z", begun="named", has_state=False)

    assert decide(standing, wish, NOW).why == f"protected: {stage}"
    assert not decide(standing, wish, NOW).goes


def test_what_may_not_be_deleted_protects_its_stack_whatever_its_stage() -> None:
    assert not decide(replace(STACK, protected=True), NAMED, NOW).goes
