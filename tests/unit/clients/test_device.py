import hashlib
import hmac
import json
import stat
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import MQTTv5

import paygo_device
from paygo_device import (
    ConnectionLost,
    ConnectionRefused,
    CredentialFolder,
    Credit,
    CreditRefused,
    Device,
    DeviceCredentials,
    Endpoint,
    KeyPair,
    NotAllowed,
    ProvisioningRefused,
    ShadowRefused,
    TimedOut,
    UnexpectedMessage,
)
from paygo_device.connection import MAX_WAITING_MESSAGES, Connection, paho_client
from tests.unit.clients.fake_mqtt import NOT_AUTHORIZED, FakeStack, key_pair

THING = "paygo-demo-SHS-000001"
SECRET = "000102030405060708090a0b0c0d0e0f"
CREATE = "$aws/certificates/create/json"
PROVISION = "$aws/provisioning-templates/paygo-demo/provision/json"
SHADOW = f"$aws/things/{THING}/shadow"
CREDIT_GET = f"paygo/paygo-demo/{THING}/credit/get"
ENDPOINT = Endpoint(stack="paygo-demo", host="mqtt.example.org")


def claim() -> KeyPair:
    certificate, key = key_pair()
    return KeyPair(certificate_pem=certificate, private_key=key)


def credentials() -> DeviceCredentials:
    return DeviceCredentials(thing_name=THING, certificate_id="c0ffee", **claim().model_dump())


def told(version: int, until: str | None = None) -> dict[str, Any]:
    credit = {"device_id": "d-1", "credit_version": version}
    return credit if until is None else credit | {"credit_until": until}


def shadow_of(desired: dict[str, Any], version: int = 1) -> Callable[[dict[str, Any]], list[tuple[str, Any]]]:
    def answer(request: dict[str, Any]) -> list[tuple[str, Any]]:
        document = {"state": {"desired": desired}, "version": version, "clientToken": request["clientToken"]}
        return [(f"{SHADOW}/get/accepted", document)]

    return answer


@pytest.fixture
def stack() -> FakeStack:
    return FakeStack(answers={f"{SHADOW}/get": shadow_of(told(0))})


def connected(stack: FakeStack, timeout: float = 0.05) -> Device:
    return Device.connect(ENDPOINT, credentials(), timeout=timeout, make_client=stack.make_client)


def provisioned(stack: FakeStack, folder: CredentialFolder | None = None) -> DeviceCredentials:
    return paygo_device.provision(
        ENDPOINT,
        claim(),
        template="paygo-demo",
        serial_number="SHS-000001",
        secret_key=SECRET,
        folder=folder,
        timeout=0.05,
        make_client=stack.make_client,
    )


def provisioning(answer: Any, suffix: str = "accepted", certificate_id: str = "c0ffee") -> FakeStack:
    certificate = {
        "certificateId": certificate_id,
        "certificatePem": "PEM",
        "privateKey": "KEY",
        "certificateOwnershipToken": "owner",
    }
    return FakeStack(
        answers={
            CREATE: lambda _: [(f"{CREATE}/accepted", certificate)],
            PROVISION: lambda _: [(f"{PROVISION}/{suffix}", answer)],
        }
    )


def test_topics_are_those_of_the_contract() -> None:
    contract = Path(__file__).parents[3] / "contracts/mqtt.json"

    assert (files("paygo_device") / "mqtt.json").read_text() == contract.read_text(encoding="utf-8")


def test_a_device_provisions_with_its_claim_and_a_proof_of_its_secret() -> None:
    stack = provisioning({"thingName": THING, "deviceConfiguration": {}})

    made = provisioned(stack)

    expected = hmac.new(bytes(range(16)), b"SHS-000001:c0ffee", hashlib.sha256).hexdigest()
    assert (made.thing_name, made.certificate_id, made.private_key) == (THING, "c0ffee", "KEY")
    assert stack.client.published == [
        (CREATE, {}),
        (
            PROVISION,
            {
                "certificateOwnershipToken": "owner",
                "parameters": {"SerialNumber": "SHS-000001", "Proof": expected},
            },
        ),
    ]
    assert stack.client.client_id == "paygo-demo-claim-SHS-000001"
    assert stack.client.calls[-2:] == ["disconnect", "loop_stop"]
    assert "KEY" not in repr(made)


def test_a_refused_provisioning_says_why_and_disconnects() -> None:
    rejection = {"statusCode": 403, "errorCode": "AccessDenied", "errorMessage": "Access Denied"}
    stack = provisioning(rejection, "rejected")

    with pytest.raises(ProvisioningRefused, match="AccessDenied: Access Denied") as refused:
        provisioned(stack)

    assert (refused.value.code, refused.value.message) == ("AccessDenied", "Access Denied")
    assert stack.client.calls[-1] == "loop_stop"


def test_an_answer_to_provisioning_without_a_thing_is_unexpected() -> None:
    with pytest.raises(UnexpectedMessage, match="provision/json/accepted"):
        provisioned(provisioning({}))


def claimed_by(stack: FakeStack) -> list[str]:
    """The proofs' certificates, as far as a test knows them by what was proved."""
    proofs = {
        hmac.new(bytes(range(16)), f"SHS-000001:{certificate}".encode(), hashlib.sha256).hexdigest(): certificate
        for certificate in ("c0ffee", "decaf")
    }
    return [proofs[message["parameters"]["Proof"]] for topic, message in stack.client.published if topic == PROVISION]


def test_a_device_whose_claim_was_not_answered_claims_again_with_the_same_certificate(tmp_path: Path) -> None:
    folder = CredentialFolder(tmp_path / "device")
    lost = provisioning({})
    del lost.answers[PROVISION]
    with pytest.raises(TimedOut):
        provisioned(lost, folder)
    assert not folder.exists()
    assert stat.S_IMODE((folder.path / "claimed.json").stat().st_mode) == 0o600

    again = provisioning({"thingName": THING}, certificate_id="decaf")
    made = provisioned(again, CredentialFolder(tmp_path / "device"))

    assert (claimed_by(lost), claimed_by(again)) == (["c0ffee"], ["c0ffee"])
    assert (made.certificate_id, made.private_key) == ("c0ffee", "KEY")
    assert folder.load() == made
    assert folder.certificate() is None


def test_a_certificate_that_may_not_claim_any_more_is_replaced(tmp_path: Path) -> None:
    folder = CredentialFolder(tmp_path / "device")
    lost = provisioning({})
    del lost.answers[PROVISION]
    with pytest.raises(TimedOut):
        provisioned(lost, folder)
    stack = provisioning({"thingName": THING}, certificate_id="decaf")
    refused = (f"{PROVISION}/rejected", {"errorCode": "InvalidCertificateOwnershipToken"})
    answers = iter([[refused], [(f"{PROVISION}/accepted", {"thingName": THING})]])
    stack.answers[PROVISION] = lambda _: next(answers)

    made = provisioned(stack, folder)

    assert claimed_by(stack) == ["c0ffee", "decaf"]
    assert folder.load() == made
    assert made.certificate_id == "decaf"


def test_a_certificate_that_may_have_claimed_is_kept_while_no_other_may(tmp_path: Path) -> None:
    folder = CredentialFolder(tmp_path / "device")
    lost = provisioning({})
    del lost.answers[PROVISION]
    with pytest.raises(TimedOut):
        provisioned(lost, folder)

    with pytest.raises(ProvisioningRefused):
        provisioned(provisioning({"errorCode": "AccessDenied"}, "rejected", "decaf"), folder)

    kept = folder.certificate()
    assert kept
    assert kept.certificate_id == "c0ffee"
    assert "KEY" not in repr(kept)
    assert "owner" not in repr(kept)


def test_a_device_connects_under_its_things_name_and_listens_to_its_own_topics(stack: FakeStack) -> None:
    with connected(stack) as device:
        assert device.thing_name == THING

    assert stack.client.client_id == THING
    assert stack.client.address == ("mqtt.example.org", 8883)
    assert stack.client.connect_timeout == 0.05
    assert stack.client.subscribed == [
        [
            f"{SHADOW}/get/accepted",
            f"{SHADOW}/get/rejected",
            f"{SHADOW}/update/accepted",
            f"{SHADOW}/update/rejected",
            f"{SHADOW}/update/delta",
            f"{CREDIT_GET}/accepted",
            f"{CREDIT_GET}/rejected",
        ]
    ]
    assert stack.client.calls == ["loop_start", "disconnect", "loop_stop"]


def test_the_real_client_speaks_mqtt_5_and_does_not_reconnect_by_itself() -> None:
    client = paho_client("one")

    assert client.protocol == MQTTv5


@pytest.mark.parametrize(("connack", "why"), [(NOT_AUTHORIZED, NOT_AUTHORIZED), ("closed", "unknown or inactive")])
def test_a_certificate_that_is_not_active_is_refused(stack: FakeStack, connack: str, why: str) -> None:
    stack.connack = connack

    with pytest.raises(ConnectionRefused, match=why):
        connected(stack)

    assert stack.client.calls[-1] == "loop_stop"


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ConnectionRefusedError("refused"), ConnectionRefused), (TimeoutError(), TimedOut)],
)
def test_an_endpoint_that_cannot_be_reached_is_named(
    stack: FakeStack, error: OSError, expected: type[Exception]
) -> None:
    stack.connect_error = error

    with pytest.raises(expected, match=r"mqtt\.example\.org:8883"):
        connected(stack)


def test_a_stack_that_never_answers_the_connection_request_times_out(stack: FakeStack) -> None:
    stack.connack = None

    with pytest.raises(TimedOut):
        connected(stack)

    assert stack.client.calls == ["loop_start", "loop_stop"]


def test_a_subscription_that_is_not_allowed_ends_connecting(stack: FakeStack) -> None:
    stack.suback = {f"{CREDIT_GET}/accepted": NOT_AUTHORIZED}

    with pytest.raises(NotAllowed, match="credit/get/accepted"):
        connected(stack)

    assert stack.client.calls[-1] == "loop_stop"


def test_a_device_learns_its_id_from_the_shadow_and_asks_for_its_credit(stack: FakeStack) -> None:
    stack.answers[CREDIT_GET] = lambda request: [
        (f"{CREDIT_GET}/accepted", told(1, "2026-11-26T10:05:00Z") | {"device_id": request["device_id"]})
    ]

    with connected(stack) as device:
        first = device.ask_credit()
        second = device.ask_credit()

    assert first == second
    assert (first.device_id, first.credit_version) == ("d-1", 1)
    assert first.credit_until == datetime(2026, 11, 26, 10, 5, tzinfo=UTC)
    assert [topic for topic, _ in stack.client.published] == [f"{SHADOW}/get", CREDIT_GET, CREDIT_GET]


def test_an_old_answer_is_not_taken_for_a_new_one(stack: FakeStack) -> None:
    with connected(stack) as device:
        device.desired()
        stack.send(f"{CREDIT_GET}/accepted", told(1))
        stack.answers[CREDIT_GET] = lambda _: [(f"{CREDIT_GET}/accepted", told(2))]

        assert device.ask_credit().credit_version == 2


def test_a_question_about_credit_may_be_refused(stack: FakeStack) -> None:
    stack.answers[CREDIT_GET] = lambda _: [(f"{CREDIT_GET}/rejected", {"code": "unknown-device", "message": "no"})]

    with connected(stack) as device, pytest.raises(CreditRefused, match="unknown-device: no"):
        device.ask_credit()


def test_a_device_that_nobody_registered_has_no_shadow(stack: FakeStack) -> None:
    stack.answers[f"{SHADOW}/get"] = lambda request: [
        (f"{SHADOW}/get/rejected", {"code": 404, "message": "No shadow", "clientToken": request["clientToken"]})
    ]

    with connected(stack) as device, pytest.raises(ShadowRefused) as refused:
        device.desired()

    assert refused.value.code == "404"


def test_a_shadow_without_credit_is_unexpected(stack: FakeStack) -> None:
    stack.answers[f"{SHADOW}/get"] = shadow_of({"colour": "red"})

    with connected(stack) as device, pytest.raises(UnexpectedMessage, match=THING):
        device.desired()


def test_an_answer_to_somebody_elses_shadow_request_is_passed_over(stack: FakeStack) -> None:
    real = stack.answers[f"{SHADOW}/get"]
    other = {"state": {"desired": told(9)}, "version": 9, "clientToken": "somebody-elses"}
    stack.answers[f"{SHADOW}/get"] = lambda request: [(f"{SHADOW}/get/accepted", other), *real(request)]

    with connected(stack) as device:
        assert device.desired().credit_version == 0


def test_credit_arrives_while_the_device_waits(stack: FakeStack) -> None:
    with connected(stack) as device:
        device.desired()
        delta = {"version": 2, "state": {"credit_version": 1, "credit_until": "2026-11-26T10:05:00Z"}}
        later = threading.Timer(0.05, stack.send, (f"{SHADOW}/update/delta", delta))
        later.start()
        credit = device.next_credit(timeout=5)
        later.join()

    assert credit == Credit.model_validate(told(1, "2026-11-26T10:05:00Z"))


def test_a_delta_that_is_late_or_tells_nothing_new_is_passed_over(stack: FakeStack) -> None:
    with connected(stack) as device:
        stack.answers[f"{SHADOW}/get"] = shadow_of(told(5), version=7)
        device.desired()
        for version, credit_version in ((6, 4), (7, 5), (8, 5), (9, 6)):
            stack.send(f"{SHADOW}/update/delta", {"version": version, "state": {"credit_version": credit_version}})

        assert device.next_credit(timeout=1).credit_version == 6
        with pytest.raises(TimedOut):
            device.next_credit(timeout=0.01)


def test_a_shadow_that_is_older_than_what_was_told_since_changes_nothing(stack: FakeStack) -> None:
    with connected(stack) as device:
        stack.send(f"{SHADOW}/update/delta", {"version": 8, "state": told(3)})
        device.next_credit(timeout=1)

        assert device.desired().credit_version == 3


def test_a_delta_that_holds_only_a_part_is_completed_from_the_shadow(stack: FakeStack) -> None:
    stack.answers[f"{SHADOW}/get"] = shadow_of(told(4), version=9)

    with connected(stack) as device:
        stack.send(f"{SHADOW}/update/delta", {"version": 9, "state": {"credit_version": 4}})

        assert device.next_credit(timeout=1) == Credit.model_validate(told(4))


def test_acknowledging_reports_what_was_told(stack: FakeStack) -> None:
    stack.answers[f"{SHADOW}/update"] = lambda request: [(f"{SHADOW}/update/accepted", request | {"version": 3})]

    with connected(stack) as device:
        device.acknowledge(Credit.model_validate(told(1, "2026-11-26T10:05:00Z")))

    topic, document = stack.client.published[-1]
    assert topic == f"{SHADOW}/update"
    assert document["state"] == {"reported": told(1, "2026-11-26T10:05:00Z")}


def test_a_connection_that_the_stack_ends_says_so(stack: FakeStack) -> None:
    device = connected(stack)
    assert not device.wait_until_disconnected(0.01)

    stack.client.end()

    assert device.wait_until_disconnected(0)
    with pytest.raises(ConnectionLost, match=NOT_AUTHORIZED):
        device.desired()
    with pytest.raises(ConnectionLost, match=NOT_AUTHORIZED):
        device.next_credit(timeout=1)
    device.close()
    assert stack.client.calls == ["loop_start", "loop_stop"]


def test_a_connection_that_ends_while_publishing_is_lost(stack: FakeStack) -> None:
    stack.ends_on_publish = True

    with connected(stack) as device, pytest.raises(ConnectionLost, match="publishing to"):
        device.desired()


def test_a_publication_that_is_not_allowed_or_not_acknowledged_is_told_apart(stack: FakeStack) -> None:
    with connected(stack) as device:
        stack.puback = NOT_AUTHORIZED
        with pytest.raises(NotAllowed, match="shadow/get"):
            device.desired()
        stack.puback = None
        with pytest.raises(TimedOut, match="shadow/get"):
            device.desired()


def test_a_closed_connection_is_lost(stack: FakeStack) -> None:
    device = connected(stack)
    device.close()

    with pytest.raises(ConnectionLost, match="was closed"):
        device.desired()


def test_a_message_that_cannot_be_read_is_unexpected(stack: FakeStack) -> None:
    with connected(stack) as device:
        stack.send(f"{SHADOW}/update/delta", b"\xff{")
        with pytest.raises(UnexpectedMessage, match="update/delta"):
            device.next_credit(timeout=1)


def test_the_oldest_messages_go_when_nobody_takes_them(stack: FakeStack) -> None:
    with Connection.open(ENDPOINT, claim(), "one", timeout=1, make_client=stack.make_client) as connection:
        for number in range(MAX_WAITING_MESSAGES + 1):
            stack.send("topic", {"number": number})

        assert json.loads(connection.take(["topic"], timeout=0).payload) == {"number": 1}


def test_a_connection_that_has_ended_takes_no_subscription(stack: FakeStack) -> None:
    with Connection.open(ENDPOINT, claim(), "one", timeout=1, make_client=stack.make_client) as connection:
        stack.client.end()

        with pytest.raises(ConnectionLost, match=NOT_AUTHORIZED):
            connection.subscribe(["topic"], timeout=1)


def test_more_topics_than_one_request_may_carry_are_split(stack: FakeStack) -> None:
    with Connection.open(ENDPOINT, claim(), "one", timeout=1, make_client=stack.make_client) as connection:
        connection.subscribe([f"topic/{number}" for number in range(9)], timeout=1)

    assert [len(topics) for topics in stack.client.subscribed] == [8, 1]


def test_waiting_costs_no_processor_time(stack: FakeStack) -> None:
    with connected(stack) as device:
        before = time.process_time()
        with pytest.raises(TimedOut):
            device.next_credit(timeout=0.3)

    assert time.process_time() - before < 0.1


def test_credentials_are_kept_where_only_their_owner_can_read_them(tmp_path: Path) -> None:
    folder = CredentialFolder(tmp_path / "device")
    assert not folder.exists()

    folder.save(credentials())
    folder.save(credentials())

    assert folder.exists()
    assert folder.load() == credentials()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()} == {
        "certificate.pem": 0o600,
        "credentials.json": 0o600,
        "private-key.pem": 0o600,
    }
