from typing import Any

import pytest

from partners.model.pointers import agrees, find, replaced

BODY = {"name": {"given": "Amina"}, "phones": ["+254700000001", "+254700000002"], "a/b": {"~": 7}, "none": None}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", BODY),
        ("/name/given", "Amina"),
        ("/phones/1", "+254700000002"),
        ("/a~1b/~0", 7),
        ("/nowhere", None),
        ("/name/given/deeper", None),
        ("/phones/2", None),
        ("/phones/-1", None),
        ("/phones/01", None),
        ("/phones/first", None),
    ],
)
def test_a_pointer_finds_its_place_or_nothing(pointer: str, value: Any) -> None:
    assert find(BODY, pointer) == value


def test_a_place_is_replaced_in_a_copy() -> None:
    before = {"name": {"given": "Amina", "family": "Odhiambo"}, "phone": "1"}

    after = replaced(before, "/name/given", "Wanjiru")

    assert after == {"name": {"given": "Wanjiru", "family": "Odhiambo"}, "phone": "1"}
    assert before["name"] == {"given": "Amina", "family": "Odhiambo"}


@pytest.mark.parametrize(
    ("wanted", "does"),
    [
        ({}, True),
        ({"/name/given": "Amina"}, True),
        ({"/name/given": "Amina", "/a~1b/~0": 8}, False),
        ({"/x": 1}, False),
    ],
)
def test_a_value_agrees_when_all_that_is_wanted_stands_there(wanted: dict[str, Any], does: bool) -> None:
    assert agrees(BODY, wanted) is does
