"""What every keeper of shadows and certificates does: the fakes of the other tests and AWS IoT."""

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.iotdata.models import iotdata_backends

from devices.gateways import IotCertificates, IotThings
from devices.messages import CreditRefusal
from devices.model import ShadowChanged
from tests.unit.devices.fakes import FakeThings
from tests.unit.devices.makers import DEVICE_ID, credit

if TYPE_CHECKING:
    from devices.usecases import Things

THING = "paygo-test-SHS-000001"


@pytest.fixture
def iot_things() -> IotThings:
    boto3.client("iot").create_thing(thingName=THING)
    return IotThings(boto3.client("iot-data"), "paygo-test")


@pytest.fixture(params=["fake", "iot"])
def things(request: pytest.FixtureRequest, iot_things: IotThings) -> "Things":
    return FakeThings() if request.param == "fake" else iot_things


def test_a_thing_has_no_shadow_before_it_is_told_anything(things: "Things") -> None:
    assert things.shadow(THING) is None


@pytest.mark.parametrize("version", [0, 1])
def test_what_a_thing_is_told_is_its_desired_state(things: "Things", version: int) -> None:
    things.tell(THING, credit(version), None)

    shadow = things.shadow(THING)
    assert shadow
    assert (shadow.state.desired, shadow.state.reported) == (credit(version), None)


def test_a_shadow_is_changed_in_the_version_that_was_read(things: "Things") -> None:
    things.tell(THING, credit(0), None)
    before = things.shadow(THING)
    assert before

    things.tell(THING, credit(1), before.version)

    after = things.shadow(THING)
    assert after
    assert after.state.desired == credit(1)
    assert after.version > before.version


def test_a_shadow_that_has_changed_is_left_alone(things: "Things") -> None:
    things.tell(THING, credit(0), None)
    read = things.shadow(THING)
    assert read
    things.tell(THING, credit(2), read.version)

    with pytest.raises(ShadowChanged):
        things.tell(THING, credit(1), read.version)

    shadow = things.shadow(THING)
    assert shadow
    assert shadow.state.desired == credit(2)


def test_what_a_device_reports_is_its_acknowledgement(iot_things: IotThings) -> None:
    iot_things.tell(THING, credit(1), None)
    reported = {"state": {"reported": credit(1).model_dump(mode="json")}}
    boto3.client("iot-data").update_thing_shadow(thingName=THING, payload=json.dumps(reported))

    shadow = iot_things.shadow(THING)

    assert shadow
    assert shadow.state.reported == shadow.state.desired == credit(1)


def published() -> list[tuple[str, Any]]:
    backend = iotdata_backends["123456789012"]["us-east-1"]
    return [(topic, json.loads(payload)) for topic, payload in backend.published_payloads]


def test_an_answer_goes_to_the_things_own_topic(iot_things: IotThings) -> None:
    iot_things.accept(THING, credit(0))
    iot_things.reject(THING, CreditRefusal(code="unknown-device", message="Read the shadow."))

    topic = f"paygo/paygo-test/{THING}/credit/get"
    assert published() == [
        (f"{topic}/accepted", {"device_id": DEVICE_ID, "credit_until": None, "credit_version": 0}),
        (f"{topic}/rejected", {"code": "unknown-device", "message": "Read the shadow."}),
    ]


def test_answers_are_delivered_at_least_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data, sent = boto3.client("iot-data"), list[dict[str, Any]]()
    monkeypatch.setattr(data, "publish", lambda **request: sent.append(request))

    IotThings(data, "paygo-test").accept(THING, credit(1))

    assert [request["qos"] for request in sent] == [1]


def test_an_activated_certificate_is_active() -> None:
    iot = boto3.client("iot")
    certificate_id = iot.create_keys_and_certificate(setAsActive=False)["certificateId"]

    for _ in range(2):
        IotCertificates(iot).activate(certificate_id)

        described = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
        assert described["status"] == "ACTIVE"
