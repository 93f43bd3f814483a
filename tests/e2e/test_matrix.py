"""The authorisation matrix of docs/authorisation.md: each cell is a call to the deployed stack."""

import pytest

from demo.stage import Stage
from tests.e2e.calls import Company, Played, play
from tests.matrix import PAGE, Row, callers_of, read_matrix, rows_of

SIGNING_IN = {Row("POST", "/v1/sign-ins"), Row("POST", "/bearer/v1/sign-ins")}
"""Where an anonymous session becomes the household's."""

CELLS = read_matrix(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def played(company: Company) -> Played:
    done = play(company, CELLS)
    print(f"{len(CELLS)} cells:", ", ".join(f"{part} {seconds:.1f} s" for part, seconds in done.seconds.items()))
    return done


@pytest.mark.parametrize("row", rows_of(CELLS), ids=str)
def test_every_caller_is_answered_as_the_page_says(played: Played, row: Row) -> None:
    assert played.wrong(row) == []


def test_what_is_refused_changes_nothing(played: Played) -> None:
    assert played.changes == []
    assert played.users == []


def test_nobody_is_told_what_is_anothers(played: Played, company: Company) -> None:
    secrets = company.cast.secrets_of_own
    strangers = {"nobody", "partner", "another", "device", "anonymous", "registering", "approved"}
    told = {
        place: answer.text
        for place, answer in played.answers.items()
        if (place[1] in strangers or not CELLS[place].is_good)
        and place[0] not in SIGNING_IN
        and any(secret in answer.text for secret in secrets)
    }

    assert told == {}


def test_every_third_party_of_the_stack_has_a_column(stage: Stage) -> None:
    assert set(stage.access.partners) <= set(callers_of(CELLS))
