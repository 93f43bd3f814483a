from datetime import timedelta

import boto3
import pytest

from paygo.config import CLIENT_CONFIG, MissingSetting, scaled, setting


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


def test_calls_carry_a_user_agent_that_the_sdk_need_not_work_out_each_time() -> None:
    client = boto3.client("dynamodb", config=CLIENT_CONFIG)
    sent: list[bytes] = []
    client.meta.events.register(
        "before-send.dynamodb.*", lambda request, **_: sent.append(request.headers["User-Agent"])
    )

    client.list_tables()

    (user_agent,) = sent
    assert user_agent.split()[0] == b"paygo"
    assert b"lang/" not in user_agent


@pytest.mark.parametrize(
    ("scale", "seconds"), [(None, 60), ("", 60), ("1", 60), ("0.5", 30), ("0.01", 0.6)], ids=["unset", "empty", *"ABC"]
)
def test_a_stack_waits_in_its_own_scale(monkeypatch: pytest.MonkeyPatch, scale: str | None, seconds: float) -> None:
    monkeypatch.delenv("DELAY_SCALE", raising=False)
    if scale is not None:
        monkeypatch.setenv("DELAY_SCALE", scale)

    assert scaled(timedelta(minutes=1)) == timedelta(seconds=seconds)
