import random
import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deploy.stack import LONGEST, expiry, stack_name, tag_value

branches = st.one_of(
    st.text(min_size=1, max_size=80),
    st.from_regex(r"[a-zA-Z0-9/_.\-]{1,60}", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,12}-[0-9a-f]{8}", fullmatch=True),
).filter(lambda branch: branch.strip())


def alike(seed: int) -> set[str]:
    """Branches as people name them, many of which look alike once simplified."""
    chance = random.Random(seed)
    words = ["feature", "Feature", "fix", "pay", "PAY", "paÿ", "meter", "1", "2", "x" * 20, "deadbeef", "日本", ""]
    return {
        "".join(
            chance.choice(words) + chance.choice(["/", "-", "_", ".", "--", ""]) for _ in range(chance.randint(1, 6))
        )
        for _ in range(20_000)
    } - {""}


@given(branches)
@example("feature/Ünïcode and a very long name …")
def test_a_stack_is_named_within_what_every_resource_allows(branch: str) -> None:
    name = stack_name(branch)

    assert len(name) <= LONGEST
    assert re.fullmatch(r"paygo(-[a-z0-9]+)+", name)


def test_two_branches_never_share_a_name() -> None:
    branches = [branch for branch in alike(seed=1) if branch.strip()]

    assert len({stack_name(branch) for branch in branches}) == len(branches)


@given(branches)
def test_a_stacks_name_taken_for_a_branch_gives_another_stack(branch: str) -> None:
    imitation = stack_name(branch).removeprefix("paygo-")

    assert imitation == branch or stack_name(imitation) != stack_name(branch)


@pytest.mark.parametrize(
    ("branch", "name"),
    [("demo", "paygo-demo"), ("issue3", "paygo-issue3"), ("eighteenlettername", "paygo-eighteenlettername")],
)
def test_a_branch_that_is_one_short_word_names_its_stack_as_it_is(branch: str, name: str) -> None:
    assert stack_name(branch) == name


@pytest.mark.parametrize(
    "branch",
    [
        "feature/Foo_bar",
        "Demo",
        "demo-",
        "a--b",
        "demo-ledger",  # it reads like resources of demo
        "nineteenlettersname",
        "v1.2",
        "20261121",  # it looks like a hash
    ],
)
def test_a_branch_that_could_be_taken_for_another_ends_in_a_hash(branch: str) -> None:
    assert re.search(r"-[0-9a-f]{8}$", stack_name(branch))
    assert stack_name(branch) != f"paygo-{branch}"


def test_a_stack_without_a_branch_is_refused() -> None:
    with pytest.raises(ValueError, match="BRANCH="):
        stack_name(" ")


def test_a_tag_holds_only_what_aws_takes() -> None:
    assert tag_value("feature/Ünïcode … #1") == "feature/Ünïcode _ _1"


def test_a_tag_is_never_empty_or_too_long() -> None:
    assert tag_value("") == "unknown"
    assert len(tag_value("x" * 300)) == 256


@pytest.mark.parametrize(
    ("lifetime", "end"),
    [
        ("30m", "2026-11-21T10:30:00Z"),
        ("8h", "2026-11-21T18:00:00Z"),
        ("7d", "2026-11-28T10:00:00Z"),
        ("2w", "2026-12-05T10:00:00Z"),
        ("never", "never"),
    ],
)
def test_a_stack_expires_after_its_lifetime(lifetime: str, end: str) -> None:
    assert expiry(datetime(2026, 11, 21, 10, tzinfo=UTC), lifetime) == end


def test_a_lifetime_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="not 'soon'"):
        expiry(datetime(2026, 11, 21, 10, tzinfo=UTC), "soon")
