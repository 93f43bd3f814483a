"""What a release moves, and which one a rollback goes back to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from deploy import releases
from deploy.errors import DeployError
from deploy.releases import Kind, Plan, Release, Stamp, Step, destination, plan, rolled_back

STACK = "paygo-demo"
STAMP = Stamp("2026-11-30T18:00:00Z", "ada@example.org", "abc123")


def versions(**numbers: int) -> dict[str, dict[str, str]]:
    """Two functions of payments and one of the ledger."""
    return {
        "payments": {"notify": str(numbers["notify"]), "track": str(numbers["track"])},
        "ledger": {"book": str(numbers["book"])},
    }


FIRST = versions(notify=1, track=1, book=1)
SECOND = versions(notify=2, track=2, book=1)
THIRD = versions(notify=2, track=2, book=2)


def made(history: Sequence[Release], planned: Plan) -> list[Release]:
    """The history after a release was made."""
    assert planned.release is not None
    done = replace(planned.release, is_done=True)
    return [*(release for release in history if release.number != done.number), done]


def killed(history: Sequence[Release], planned: Plan) -> list[Release]:
    """The history after a release was killed on the way."""
    assert planned.release is not None
    return [*history, planned.release]


def deployed(*wanted: Mapping[str, Mapping[str, str]]) -> list[Release]:
    history: list[Release] = []
    for each in wanted:
        history = made(history, plan(history, each, STAMP))
    return history


def undo(history: Sequence[Release], service: str | None = None, to: int | None = None) -> Plan:
    goal = destination(history, STACK, service, to)
    return plan(history, rolled_back(history[-1], goal, service), STAMP, target=goal.number)


def test_the_first_release_moves_nothing_that_terraform_made_where_it_belongs() -> None:
    planned = plan([], FIRST, STAMP, made_at={"notify": "1", "track": "1", "book": "1"})

    assert planned.moves == {}
    assert planned.release == Release(
        1,
        Kind.DEPLOY,
        STAMP,
        {"payments": {"notify": Step(None, "1"), "track": Step(None, "1")}, "ledger": {"book": Step(None, "1")}},
    )


def test_the_first_release_of_a_stack_that_was_deployed_before_there_were_any_moves_what_is_behind() -> None:
    assert plan([], SECOND, STAMP, made_at={"notify": "1", "track": "2", "book": "1"}).moves == {"notify": "2"}


def test_a_deploy_moves_what_was_published_anew_and_nothing_else() -> None:
    planned = plan(deployed(FIRST), SECOND, STAMP)

    assert planned.moves == {"notify": "2", "track": "2"}
    assert planned.release is not None
    assert planned.release.number == 2
    assert planned.release.services["payments"]["notify"] == Step("1", "2")
    assert planned.release.services["ledger"]["book"] == Step("1", "1")


def test_a_deploy_that_published_nothing_makes_no_release() -> None:
    assert plan(deployed(FIRST, SECOND), SECOND, STAMP) == Plan(None)


def test_a_new_function_is_live_where_it_was_made_and_is_written_down() -> None:
    with_more = SECOND | {"ledger": {"book": "1", "open": "1"}}

    planned = plan(deployed(SECOND), with_more, STAMP, made_at={"open": "1"})

    assert planned.moves == {}
    assert planned.release is not None
    assert planned.release.services["ledger"]["open"] == Step(None, "1")


def test_a_function_that_is_gone_is_no_longer_written_down() -> None:
    without = {"ledger": {"book": "1"}}

    (*_, latest) = deployed(FIRST, without)

    assert latest.versions == without


def test_a_killed_deploy_is_finished_by_the_next_whichever_aliases_it_had_moved() -> None:
    history = killed(deployed(FIRST), plan(deployed(FIRST), SECOND, STAMP))

    planned = plan(history, SECOND, Stamp("later", "bob", "abc123"))

    assert planned == Plan(history[-1], {"notify": "2", "track": "2"})


def test_a_killed_deploy_is_replaced_by_one_of_something_else() -> None:
    history = killed(deployed(FIRST), plan(deployed(FIRST), SECOND, STAMP))

    planned = plan(history, THIRD, STAMP)

    assert planned.moves == {"notify": "2", "track": "2", "book": "2"}
    assert planned.release is not None
    assert planned.release.number == 2
    assert planned.release.services["payments"]["notify"] == Step("1", "2")


def test_after_a_killed_deploy_a_rollback_goes_back_to_what_was_live_before_it() -> None:
    history = killed(deployed(FIRST), plan(deployed(FIRST), SECOND, STAMP))

    assert undo(history).moves == {"notify": "1", "track": "1"}


def test_a_killed_rollback_is_finished_by_the_next_rollback_instead_of_taken_back() -> None:
    history = deployed(FIRST, SECOND)
    history = killed(history, undo(history))

    assert undo(history) == Plan(history[-1], {"notify": "1", "track": "1"})


def test_after_a_killed_rollback_a_deploy_moves_everything_on_again() -> None:
    history = deployed(FIRST, SECOND)
    history = killed(history, undo(history))

    planned = plan(history, SECOND, STAMP)

    assert planned.moves == {"notify": "2", "track": "2"}
    assert planned.release is not None
    assert planned.release.kind is Kind.DEPLOY


def test_a_rollback_goes_back_to_the_release_before() -> None:
    planned = undo(deployed(FIRST, SECOND, THIRD))

    assert planned.moves == {"book": "1"}
    assert planned.release is not None
    assert (planned.release.number, planned.release.kind, planned.release.target) == (4, Kind.ROLLBACK, 2)
    assert planned.release.versions == SECOND


def test_a_rollback_of_a_service_undoes_the_last_release_that_moved_it_and_leaves_the_others() -> None:
    history = deployed(FIRST, SECOND, THIRD)

    planned = undo(history, "payments")

    assert planned.moves == {"notify": "1", "track": "1"}
    assert planned.release is not None
    assert planned.release.target == 1
    assert planned.release.versions == versions(notify=1, track=1, book=2)


def test_a_second_rollback_takes_the_first_one_back() -> None:
    history = deployed(FIRST, SECOND)
    history = made(history, undo(history))

    assert undo(history).moves == {"notify": "2", "track": "2"}


def test_further_back_the_release_is_named() -> None:
    history = deployed(FIRST, SECOND, THIRD)

    assert undo(history, to=1).moves == {"notify": "1", "track": "1", "book": "1"}
    assert undo(history, "ledger", to=1).moves == {"book": "1"}


def test_a_rollback_to_what_is_live_makes_no_release() -> None:
    assert undo(deployed(FIRST, SECOND), to=2) == Plan(None)


def test_a_rollback_leaves_functions_that_the_earlier_release_did_not_have() -> None:
    history = deployed(FIRST, SECOND | {"ledger": {"book": "2", "open": "1"}})

    assert undo(history).moves == {"notify": "1", "track": "1", "book": "1"}


def test_a_deploy_after_a_rollback_takes_it_back_even_with_nothing_changed() -> None:
    history = deployed(FIRST, SECOND)
    history = made(history, undo(history))

    planned = plan(history, SECOND, STAMP)

    assert planned.moves == {"notify": "2", "track": "2"}


@pytest.mark.parametrize(
    ("history", "service", "to", "told"),
    [
        ([], None, None, "paygo-demo has no release yet"),
        (deployed(FIRST), None, None, "no earlier release of paygo-demo"),
        (deployed(FIRST, SECOND), "ledger", None, "no earlier release of ledger"),
        (deployed(FIRST, SECOND), "paiments", None, "no service 'paiments': SERVICE is one of ledger, payments"),
        (deployed(FIRST, SECOND), None, 7, "no release 7: TO is one of 1 to 2"),
        (deployed(FIRST, SECOND)[1:], None, None, "no earlier release of paygo-demo"),
    ],
)
def test_what_cannot_be_gone_back_to_is_told_in_a_sentence(
    history: list[Release], service: str | None, to: int | None, told: str
) -> None:
    with pytest.raises(DeployError, match=told):
        destination(history, STACK, service, to)


def test_the_releases_that_can_still_be_taken_are_those_whose_versions_are_there() -> None:
    history = deployed(FIRST, SECOND, THIRD)
    there = {"notify": {"1", "2"}, "track": {"2"}, "book": {"1", "2"}}

    assert releases.possible_releases(history, None, there) == [2]
    assert releases.possible_releases(history, "ledger", {"book": {"1", "2"}}) == [1, 2]


def test_a_release_is_read_as_it_was_written_and_what_later_versions_add_is_passed_over() -> None:
    history = deployed(FIRST, SECOND)
    (*_, release) = made(history, undo(history))

    assert Release.from_json(release.as_json() | {"canary": {"weight": 0.1}}) == release


def test_a_release_is_told_in_words() -> None:
    first, second = deployed(FIRST, SECOND | {"ledger": {"book": "1", "open": "1"}})
    back = undo([first, second]).release
    assert back is not None

    assert releases.in_words(first) == "3 new functions"
    assert releases.in_words(second) == "payments 2 functions, 1 new function"
    assert releases.summary(second) == (
        "2 2026-11-30T18:00:00Z deploy of abc123 by ada@example.org: payments 2 functions, 1 new function"
    )
    assert releases.summary(back) == (
        "3 2026-11-30T18:00:00Z rollback to release 1, of abc123 by ada@example.org: payments 2 functions; "
        "it was killed on the way"
    )
    assert releases.moves_in_words(back, first, STACK) == [
        "payments: from release 2 to release 1, notify 2 -> 1, track 2 -> 1"
    ]
    assert releases.in_words(replace(second, services={"ledger": {"book": Step("1", "1")}})) == "no function moved"
