import json

import pytest

from devices.messages import MESSAGES, TOPICS, DesiredState, Shadow, ShadowUpdate, topic
from tests.unit.devices.makers import DEVICE_ID, credit


def test_every_topic_has_a_message() -> None:
    assert TOPICS.keys() == MESSAGES.keys()


def test_a_topic_is_one_devices_own() -> None:
    told = topic("credit_get_accepted", stack="paygo-test", thing="paygo-test-SHS-000001")

    assert told == "paygo/paygo-test/paygo-test-SHS-000001/credit/get/accepted"


def test_a_credit_that_was_never_bought_removes_the_key_from_the_shadow() -> None:
    update = json.loads(ShadowUpdate(state=DesiredState(desired=credit(0))).model_dump_json())

    assert update == {"state": {"desired": {"device_id": DEVICE_ID, "credit_until": None, "credit_version": 0}}}


def test_a_shadow_is_changed_in_the_version_that_was_read() -> None:
    update = json.loads(ShadowUpdate(state=DesiredState(desired=credit(1)), version=7).model_dump_json())

    assert update["version"] == 7
    assert update["state"]["desired"]["credit_until"] == "2026-11-22T10:05:00Z"


def test_a_shadow_without_a_state_tells_nothing() -> None:
    shadow = Shadow.model_validate_json('{"version": 3, "metadata": {}, "timestamp": 1}')

    assert (shadow.state.desired, shadow.state.reported) == (None, None)


@pytest.mark.parametrize(
    "written",
    [{}, [], "on", {"device_id": DEVICE_ID, "credit_version": -1}, {"device_id": 1}, {"credit_version": 1}, None],
)
def test_what_is_no_credit_in_a_shadow_counts_as_nothing(written: object) -> None:
    state = {"desired": {"device_id": DEVICE_ID, "credit_version": 0, "colour": "blue"}, "reported": written}

    shadow = Shadow.model_validate_json(json.dumps({"state": state, "version": 1}))

    assert shadow.state.desired == credit(0)
    assert shadow.state.reported is None
