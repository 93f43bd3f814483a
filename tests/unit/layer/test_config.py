import pytest

from paygo.config import MissingSetting, setting


def test_a_setting_is_the_environment_variable_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "green")

    assert setting("COLOUR") == "green"


@pytest.mark.parametrize("value", [None, ""])
def test_an_absent_setting_says_where_to_add_it(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("COLOUR", raising=False)
    if value is not None:
        monkeypatch.setenv("COLOUR", value)

    with pytest.raises(MissingSetting, match=r"COLOUR is missing: list it in the function's entry"):
        setting("COLOUR")
