import doctest
from pathlib import Path

import pytest

from deploy import capacity, needs
from deploy.capacity import (
    PAGE,
    Row,
    alive,
    binding,
    computed,
    seen,
    table,
    to_raise,
    with_computed,
    write_page,
    written,
)
from deploy.needs import LIMITED
from deploy.preflight import OTHERS, STRAYS, Stock

ROLES, RULES = LIMITED[0], LIMITED[1]
NEEDED = {"aws_iam_role": 46, "aws_cloudwatch_event_rule": 6}


def test_the_examples_are_right() -> None:
    assert doctest.testmod(capacity).failed == 0


def test_the_page_says_what_the_numbers_come_to() -> None:
    page = PAGE.read_text()

    assert with_computed(page, computed(needs.recorded())) == page, "run `make needs` and commit what changed"


def test_the_page_is_computed_anew_around_what_people_wrote(tmp_path: Path) -> None:
    path = tmp_path / "limits.md"
    path.write_text("before\n\n<!-- computed: make needs -->\noutdated\n<!-- end -->\nafter\n")

    write_page(path)

    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "outdated" not in text
    assert "| IAM roles | 1,000 |" in text


def test_the_tightest_quota_comes_first() -> None:
    assert [(row.quota.words, row.fit) for row in written(NEEDED)] == [
        ("IAM roles", 21),
        ("EventBridge rules per bus", 50),
    ]


def test_what_no_stack_holds_leaves_less_room_for_stacks() -> None:
    row = Row(ROLES.quota, limit=100, need=10, held=55, besides=25)

    assert (row.fit, row.more) == (7, 4)


def test_more_is_held_than_allowed_leaves_room_for_none() -> None:
    assert Row(ROLES.quota, limit=100, need=10, held=120, besides=120).more == 0


def test_what_could_not_be_counted_is_not_guessed() -> None:
    rows = seen([Stock(ROLES, 1000, None, {})], NEEDED)

    assert rows[0].more is None
    assert table(rows)[1].split()[-1] == "?"


def test_an_accounts_table_names_what_is_taken_and_what_decides() -> None:
    by = {"paygo-a": 46, STRAYS: 1, OTHERS: 53}
    rows = seen([Stock(RULES, 300, 6, {"paygo-a": 6}), Stock(ROLES, 1000, 100, by)], NEEDED)

    assert binding(rows) == "IAM roles decide: 20 stacks, 19 more than now."
    assert table(rows) == [
        "quota                      limit  held  a stack's  fit  more now",
        "IAM roles                  1,000   100         46   20        19",
        "EventBridge rules per bus    300     6          6   50        49",
    ]


@pytest.mark.parametrize(("per_day", "days", "stacks"), [(30, 7, 210), (60, 1, 60), (60, 8 / 24, 20)])
def test_as_many_stacks_are_there_as_are_made_while_one_lives(per_day: int, days: float, stacks: int) -> None:
    assert alive(per_day, days) == stacks


def test_what_is_too_small_is_to_be_raised_to_what_is_needed() -> None:
    assert [(quota.words, count) for quota, count in to_raise(30, NEEDED)] == [("IAM roles", 1380)]
    assert to_raise(21, NEEDED) == []


def test_what_aws_does_not_raise_so_far_is_said() -> None:
    assert "IAM roles to 9,660, and AWS goes to 5,000" in computed(needs.recorded())
