import json
from typing import Any

import pytest
from pydantic import ValidationError

from partners.model.overrides import Override, chosen, overrides


def statuses(text: Any, requests: int) -> list[int | None]:
    (override,) = overrides(json.dumps(text))
    return [override.at(position).status for position in range(requests)]


def test_one_answer_stays() -> None:
    assert statuses({"status": 503}, 3) == [503, 503, 503]


def test_a_sequence_ends_with_its_last_answer() -> None:
    assert statuses({"answers": [{"status": 503, "times": 2}, {"status": 429}, {}]}, 5) == [503, 503, 429, None, None]


def test_a_sequence_can_start_again() -> None:
    answers = [{"status": 503, "times": 2}, {}]

    assert statuses({"answers": answers, "repeat": True}, 7) == [503, 503, None, 503, 503, None, 503]


def test_one_answer_without_a_sequence_may_say_whom_it_is_for() -> None:
    (override,) = overrides('{"id": "one", "when": {"/a": 1}, "status": 422, "body": null}')

    assert (override.id, override.when, override.is_sequence) == ("one", {"/a": 1}, False)
    assert (override.at(0).status, override.at(0).has_body) == (422, True)


def test_an_answer_that_says_nothing_has_no_body() -> None:
    (override,) = overrides("{}")

    assert not override.at(0).has_body


def test_the_first_that_agrees_with_the_request_counts() -> None:
    found = overrides('[{"when": {"/a": 1}, "status": 500}, {"when": {"/a": 2}, "status": 501}, {"status": 502}]')

    assert [chosen(found, {"a": a}) for a in (1, 2, 3)] == [(place, found[place]) for place in range(3)]


def test_none_may_agree() -> None:
    assert chosen(overrides('[{"when": {"/a": 1}, "status": 500}]'), {"a": 2}) is None
    assert chosen(overrides("[]"), {}) is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '"text"',
        '{"status": 99}',
        '{"status": 100}',
        '{"status": 600}',
        '{"state": 200}',
        '{"answers": []}',
        '{"times": 0}',
        '{"delay_seconds": -1}',
        '{"callbacks": [{"delay_seconds": 601}]}',
    ],
)
def test_what_cannot_be_played_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        overrides(text)


def test_a_sequence_is_a_sequence() -> None:
    assert Override.model_validate({"answers": [{}, {}]}).is_sequence
