"""Which stack an event deploys, uses or takes away."""

import pytest

from ci.changes import Kind
from ci.errors import PipelineError
from ci.stacks import Head, head_of, merged_branches, step_for


def test_code_gets_a_stack_of_its_own() -> None:
    step = step_for("feature/meters", "main", Kind.CODE)

    assert (step.verb, step.branch) == ("deploy", "feature/meters")


@pytest.mark.parametrize("kind", [Kind.DOCS, Kind.FRONT_END])
def test_docs_and_front_end_use_the_stack_of_the_target(kind: Kind) -> None:
    step = step_for("feature/meters", "develop", kind)

    assert (step.verb, step.branch) == ("status", "develop")


@pytest.mark.parametrize("head", [Head.SUPERSEDED, Head.GONE])
def test_a_commit_that_is_no_longer_its_branchs_newest_deploys_nothing(head: Head) -> None:
    assert step_for("feature/meters", "main", Kind.CODE, head).verb is None


@pytest.mark.parametrize("branch", ["staging", "production"])
def test_what_is_promoted_to_is_deployed_no_other_way(branch: str) -> None:
    with pytest.raises(PipelineError, match=f"{branch}/<version>"):
        step_for(branch, "main", Kind.CODE)


def test_a_commit_is_compared_with_the_newest() -> None:
    assert [head_of("a", newest) for newest in ("a", "b", None)] == [Head.NEWEST, Head.SUPERSEDED, Head.GONE]


@pytest.mark.parametrize(
    ("subject", "branches"),
    [
        ("Merge pull request #7 from solar/feature/meters", ("feature/meters",)),
        ("Merge pull request #7 from Solar/fix-7", ("fix-7",)),
        ("Merge branch 'feature/meters'", ("feature/meters",)),
        ("Merge branch 'feature/meters' into main", ("feature/meters",)),
        ("Merge remote-tracking branch 'origin/feature/meters'", ("feature/meters",)),
        ("Merge pull request #8 from guest/feature/meters", ()),
        ("Merge branch 'main' into feature/meters", ()),
        ("Merge branch 'main' of example.org:solar/paygo", ()),
        ("Merge branch 'staging'", ()),
        ("Merge pull request #9 from solar/production", ()),
        ("Merge the faults that take three minutes", ()),
        ("Revert \"Merge branch 'feature/meters'\"", ()),
        ("Let meters report (#12)", ()),
    ],
)
def test_a_merge_names_the_branch_that_went_in(subject: str, branches: tuple[str, ...]) -> None:
    assert merged_branches([subject], "main", "solar") == branches


def test_a_branch_that_went_in_twice_is_named_once() -> None:
    subjects = ["Merge branch 'b'", "Merge branch 'a'", "Merge branch 'b'"]

    assert merged_branches(subjects, "main", "solar") == ("b", "a")
