import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.iotdata.models import iotdata_backends

from devices.gateways import IotThings
from devices.handlers import answer_credit, apply_credit, manifests, publish_outbox, verify_provisioning
from devices.handlers import devices as devices_handler
from devices.model import State
from devices.repository import DeviceTable
from paygo.events import CreditChanged, Event
from paygo.money import Money
from paygo.security import session_key
from paygo.signatures import signature
from paygo.storage import Table
from tests.unit.devices.makers import CERTIFICATE_ID, SECRET_KEY, activated, claim, credit, proof, registered, row
from tests.unit.queues import OwnQueue, batch

MANIFESTS = "/partners/supplier/manifests"
HEADER = "serial_number,model,label_code,starting_code,secret_key"
GOOD = f"SHS-000001,solar-home-50,K7QM-2X9D,012345678,{SECRET_KEY}"
THING = "paygo-test-SHS-000001"
LABEL = {"serial_number": "SHS-000001", "label_code": "K7QM-2X9D"}

type Send = Callable[..., dict[str, Any]]


def answered(answer: dict[str, Any]) -> dict[str, Any]:
    headers = {name: values[-1] for name, values in answer["multiValueHeaders"].items()}
    return {"status": answer["statusCode"], "body": json.loads(answer["body"]), "headers": headers}


@pytest.fixture
def devices(table: Table) -> DeviceTable:
    return DeviceTable(table)


@pytest.fixture
def certificate_id() -> str:
    """A device's own certificate, inactive, and its thing."""
    iot = boto3.client("iot")
    iot.create_thing(thingName=THING)
    return iot.create_keys_and_certificate(setAsActive=False)["certificateId"]


@pytest.fixture
def provisioned(devices: DeviceTable, certificate_id: str) -> DeviceTable:
    devices.add([row()])
    devices.claim("SHS-000001", claim(certificate_id=certificate_id))
    return devices


@pytest.fixture
def supplier(idempotency: Table, api_event: Any, context: Any) -> Send:
    """Send a manifest as the supplier does."""
    secret = {"api_key": "api-key", "keys": {"current": "signing-key", "previous": ""}}
    boto3.client("secretsmanager").create_secret(Name="paygo-test/partners/partner", SecretString=json.dumps(secret))

    def send(body: str, *, key: str = "signing-key", as_base64: bool = False) -> dict[str, Any]:
        timestamp, nonce = str(int(datetime.now(UTC).timestamp())), uuid4().hex
        headers = {
            "Content-Type": "text/csv",
            "X-Api-Key": "api-key",
            "X-Paygo-Timestamp": timestamp,
            "X-Paygo-Nonce": nonce,
            "X-Paygo-Signature": signature(
                key, method="POST", path=MANIFESTS, query=[], timestamp=timestamp, nonce=nonce, body=body.encode()
            ),
        }
        event = api_event("POST", MANIFESTS, body=body, headers=headers, as_base64=as_base64)
        return answered(manifests.handler(event, context))

    return send


@pytest.fixture
def app(sessions: Table, idempotency: Table, api_event: Any, context: Any) -> Send:
    """Call the API as a household's app does."""
    for household in ("household-1", "household-2"):
        sessions.put(
            {
                **session_key(f"identity-of-{household}"),
                "identity_id": f"identity-of-{household}",
                "session_id": f"session-of-{household}",
                "state": "authenticated",
                "opened_at": datetime.now(UTC).isoformat(),
                "ends_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
                "household_id": household,
            }
        )

    def send(method: str, path: str, *, household: str = "household-1", **request: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": request.pop("key", uuid4().hex)}
        event = api_event(
            method,
            path,
            headers=headers,
            identity_id=f"identity-of-{household}",
            authentication_type="authenticated",
            **request,
        )
        return answered(devices_handler.handler(event, context))

    return send


def test_a_manifest_is_imported_once_and_its_bad_rows_are_reported(supplier: Send, devices: DeviceTable) -> None:
    body = f"{HEADER}\n{GOOD}\nSHS-000002\n"

    first, second = supplier(body), supplier(body, as_base64=True)

    rejected = [{"line": 3, "reason": "has 1 columns instead of 5"}]
    assert (first["status"], first["body"]) == (200, {"imported": 1, "known": 0, "rejected": rejected})
    assert (second["status"], second["body"]) == (200, {"imported": 0, "known": 1, "rejected": rejected})
    assert devices.find("SHS-000001")


def test_a_forged_manifest_is_refused(supplier: Send, devices: DeviceTable) -> None:
    assert supplier(f"{HEADER}\n{GOOD}\n", key="another-key")["status"] == 401
    assert devices.find("SHS-000001") is None


def test_a_file_that_is_no_manifest_is_refused(supplier: Send, table: Table) -> None:
    refused = supplier(GOOD)

    assert refused["status"] == 400
    assert refused["body"]["errors"] == [{"pointer": "/", "detail": f"must begin with the line {HEADER}"}]


def test_a_manifest_of_too_many_rows_is_refused(supplier: Send, table: Table) -> None:
    refused = supplier(HEADER + "\nbad" * 5001)

    assert refused["status"] == 413
    assert refused["body"]["type"] == "urn:paygo:problem:manifest-too-large"
    assert refused["body"]["detail"] == "Send at most 5000 rows in one call."


def test_an_import_neither_logs_nor_returns_key_material(supplier: Send, table: Table, log: StringIO) -> None:
    answer = supplier(f"{HEADER}\n{GOOD}\n{SECRET_KEY},,,,{SECRET_KEY}\n")

    assert log.getvalue()
    for text in (log.getvalue(), json.dumps(answer)):
        assert SECRET_KEY not in text
        assert "012345678" not in text
        assert "2X9D" not in text


def hook_request(**parameters: Any) -> dict[str, Any]:
    return {
        "claimCertificateId": "b" * 64,
        "certificateId": CERTIFICATE_ID,
        "certificatePem": "-----BEGIN CERTIFICATE-----",
        "templateArn": "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/paygo-test",
        "clientId": "paygo-test-claim-SHS-000001",
        "parameters": {"SerialNumber": "SHS-000001", "Proof": proof()} | parameters,
    }


def test_a_device_that_proves_itself_is_provisioned(devices: DeviceTable, context: Any) -> None:
    devices.add([row()])

    answer = verify_provisioning.handler(hook_request(), context)

    assert answer == {"allowProvisioning": True, "parameterOverrides": {"ThingName": THING}}
    device = devices.find("SHS-000001")
    assert device
    assert (device.state, device.claim) == (State.PROVISIONED, claim())


@pytest.mark.parametrize(
    "event",
    [
        hook_request(SerialNumber="SHS-000009"),
        hook_request(SerialNumber="#"),
        hook_request(SerialNumber=None),
        hook_request(Proof="0" * 64),
        hook_request(Proof=5),
        hook_request() | {"parameters": None},
        hook_request() | {"certificateId": ""},
        {},
    ],
)
def test_any_other_device_is_refused_with_one_line_that_says_why(
    devices: DeviceTable, context: Any, log: StringIO, event: dict[str, Any]
) -> None:
    devices.add([row()])

    assert verify_provisioning.handler(event, context) == {"allowProvisioning": False}

    (line,) = map(json.loads, log.getvalue().splitlines())
    assert line["message"] == "Provisioning refused"
    assert line["reason"]
    device = devices.find("SHS-000001")
    assert device
    assert device.state is State.MANUFACTURED


def test_a_registered_device_may_connect(app: Send, provisioned: DeviceTable, certificate_id: str) -> None:
    answer = app("POST", "/v1/devices", body=LABEL)

    device_id = answer["body"]["device_id"]
    assert answer["status"] == 201
    assert answer["headers"]["Location"] == f"/v1/devices/{device_id}"
    assert answer["body"].keys() == {"device_id", "serial_number", "model", "state", "registered_at"}
    assert (answer["body"]["serial_number"], answer["body"]["state"]) == ("SHS-000001", "active")
    described = boto3.client("iot").describe_certificate(certificateId=certificate_id)
    assert described["certificateDescription"]["status"] == "ACTIVE"
    shadow = IotThings(boto3.client("iot-data"), "paygo-test").shadow(THING)
    assert shadow
    assert shadow.state.desired == credit(0, device_id)


def test_a_registration_is_answered_the_same_again(app: Send, provisioned: DeviceTable) -> None:
    first = app("POST", "/v1/devices", body=LABEL, key="key-of-this-intent")

    assert app("POST", "/v1/devices", body=LABEL, key="key-of-this-intent") == first
    assert app("POST", "/v1/devices", body=LABEL, key="key-of-another-try") == first


def test_a_label_code_typed_wrongly_can_be_put_right_with_the_same_key(app: Send, provisioned: DeviceTable) -> None:
    wrong = app("POST", "/v1/devices", body=LABEL | {"label_code": "K7QM-2X9E"}, key="key-of-this-intent")
    right = app("POST", "/v1/devices", body=LABEL, key="key-of-this-intent")

    assert (wrong["status"], right["status"]) == (404, 201)


def test_a_key_is_the_households_own(app: Send, provisioned: DeviceTable) -> None:
    mine = app("POST", "/v1/devices", body=LABEL, key="key-of-this-intent")
    anothers = app("POST", "/v1/devices", body=LABEL, key="key-of-this-intent", household="household-2")

    assert (mine["status"], anothers["status"]) == (201, 404)


def test_strangers_are_all_answered_alike(app: Send, provisioned: DeviceTable) -> None:
    app("POST", "/v1/devices", body=LABEL)

    answers = [
        app("POST", "/v1/devices", body=LABEL, household="household-2"),
        app("POST", "/v1/devices", body=LABEL | {"label_code": "K7QM-2X9E"}),
        app("POST", "/v1/devices", body=LABEL | {"serial_number": "SHS-000009"}),
    ]

    assert answers[0]["status"] == 404
    assert answers[0]["body"]["type"] == "urn:paygo:problem:not-found"
    assert answers[0] == answers[1] == answers[2]


def test_a_device_that_never_connected_is_a_conflict(app: Send, devices: DeviceTable) -> None:
    devices.add([row()])

    answer = app("POST", "/v1/devices", body=LABEL)

    assert answer["status"] == 409
    assert answer["body"]["type"] == "urn:paygo:problem:device-not-provisioned"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"serial_number": "shs-1"}, "/serial_number"),
        ({"label_code": "K7Q"}, "/label_code"),
        ({"label_code": "K" * 33}, "/label_code"),
        ({"household_id": "household-2"}, "/household_id"),
    ],
)
def test_a_registration_that_is_not_what_the_contract_says_is_refused(
    app: Send, table: Table, change: dict[str, str], pointer: str
) -> None:
    answer = app("POST", "/v1/devices", body=LABEL | change)

    assert answer["status"] == 400
    assert [wrong["pointer"] for wrong in answer["body"]["errors"]] == [pointer]


def test_label_codes_are_not_logged(app: Send, provisioned: DeviceTable, log: StringIO) -> None:
    app("POST", "/v1/devices", body=LABEL)
    app("POST", "/v1/devices", body=LABEL | {"label_code": "K7QM-2X9E"})

    assert log.getvalue()
    assert "2X9" not in log.getvalue()


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/devices"), ("GET", "/v1/devices"), ("GET", "/v1/devices/9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d")],
)
def test_a_caller_without_a_household_is_refused(app: Send, table: Table, method: str, path: str) -> None:
    assert app(method, path, body=LABEL, household="nobody")["status"] == 403


def test_a_household_lists_its_own_devices_by_page(app: Send, devices: DeviceTable) -> None:
    for number, household in enumerate(["household-1", "household-1", "household-2"]):
        serial_number = f"SHS-00000{number}"
        device = registered(household, device_id=str(uuid4()), serial_number=serial_number)
        devices.add([row(serial_number)])
        devices.claim(serial_number, claim(serial_number))
        devices.activate(device, activated(device))

    first = app("GET", "/v1/devices", query={"limit": "1"})
    second = app("GET", "/v1/devices", query={"limit": "1", "cursor": first["body"]["next_cursor"]})

    assert first["status"] == second["status"] == 200
    listed = [*first["body"]["items"], *second["body"]["items"]]
    assert {device["serial_number"] for device in listed} == {"SHS-000000", "SHS-000001"}
    assert listed[0].keys() == {"device_id", "serial_number", "model", "state", "registered_at"}
    assert app("GET", "/v1/devices", query={"cursor": "no-such"})["status"] == 400


def test_a_household_follows_what_its_device_was_told(app: Send, provisioned: DeviceTable) -> None:
    device_id = app("POST", "/v1/devices", body=LABEL)["body"]["device_id"]

    before = app("GET", f"/v1/devices/{device_id}")
    things, told = IotThings(boto3.client("iot-data"), "paygo-test"), credit(1, device_id)
    things.tell(THING, told, None)
    report = {"state": {"reported": told.model_dump(mode="json")}}
    boto3.client("iot-data").update_thing_shadow(thingName=THING, payload=json.dumps(report))
    after = app("GET", f"/v1/devices/{device_id}")

    caught_up = {"credit_until": "2026-11-22T10:05:00Z", "credit_version": 1}
    assert before["status"] == after["status"] == 200
    assert (before["body"]["desired"], before["body"]["reported"]) == (
        {"credit_until": None, "credit_version": 0},
        None,
    )
    assert (after["body"]["desired"], after["body"]["reported"]) == (caught_up, caught_up)
    assert (after["body"]["device_id"], after["body"]["state"]) == (device_id, "active")


def test_anothers_device_and_none_are_answered_alike(app: Send, provisioned: DeviceTable) -> None:
    device_id = app("POST", "/v1/devices", body=LABEL)["body"]["device_id"]

    answers = [
        app("GET", f"/v1/devices/{device_id}", household="household-2"),
        app("GET", "/v1/devices/9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d"),
    ]

    assert answers[0]["status"] == 404
    assert answers[0]["body"] == answers[1]["body"]


@pytest.mark.parametrize("device_id", ["a" * 3000, "SHS-000001"])
def test_the_table_is_not_asked_for_what_is_no_id(app: Send, monkeypatch: pytest.MonkeyPatch, device_id: str) -> None:
    monkeypatch.setattr(devices_handler, "DEVICES", None)

    assert app("GET", f"/v1/devices/{device_id}")["status"] == 404


def published() -> list[tuple[str, Any]]:
    backend = iotdata_backends["123456789012"]["us-east-1"]
    return [(topic, json.loads(payload)) for topic, payload in backend.published_payloads]


def test_a_device_that_asks_is_answered_on_its_own_topic(devices: DeviceTable, context: Any) -> None:
    device = registered()
    devices.add([row()])
    devices.claim("SHS-000001", claim())
    devices.activate(device, activated(device))
    devices.keep_credit(device, credit(1))

    answer_credit.handler({"device_id": device.device_id, "thing": THING, "client_id": THING, "more": 1}, context)

    topic = f"paygo/paygo-test/{THING}/credit/get/accepted"
    message = {"device_id": device.device_id, "credit_until": "2026-11-22T10:05:00Z", "credit_version": 1}
    assert published() == [(topic, message)]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"device_id": str(uuid4()), "thing": THING, "client_id": THING}, "unknown-device"),
        ({"thing": THING, "client_id": THING}, "unknown-device"),
        ({"device_id": str(uuid4()), "thing": THING, "client_id": "paygo-test-SHS-000002"}, "not-yours"),
    ],
)
def test_a_device_that_asks_wrongly_is_told_so(table: Table, context: Any, question: dict[str, Any], code: str) -> None:
    answer_credit.handler(question, context)

    ((topic, message),) = published()
    assert topic == f"paygo/paygo-test/{THING}/credit/get/rejected"
    assert message.keys() == {"code", "message"}
    assert message["code"] == code


def credit_changed(version: int, device_id: str) -> Event[CreditChanged]:
    until = credit(version).credit_until
    assert until
    data = CreditChanged(
        device_id=device_id,
        household_id="household-1",
        payment_id=f"payment-{version}",
        amount=Money(amount=25000, currency="KES"),
        credit_until=until,
        credit_version=version,
    )
    return Event[CreditChanged].about(device_id, data, source="/paygo-test/ledger", time=until, correlation_id="c-1")


def test_a_changed_credit_reaches_the_device_whatever_order_events_come_in(
    provisioned: DeviceTable, certificate_id: str, context: Any
) -> None:
    device = registered(certificate_id=certificate_id)
    provisioned.activate(device, activated(device))
    changes = [credit_changed(version, device.device_id) for version in (2, 1, 2)]

    answer = apply_credit.handler(batch(*changes), context)

    assert answer == {"batchItemFailures": []}
    assert provisioned.credit(device) == credit(2)
    shadow = IotThings(boto3.client("iot-data"), "paygo-test").shadow(THING)
    assert shadow
    assert shadow.state.desired == credit(2)


def test_a_credit_for_an_unknown_device_waits_in_the_queue(table: Table, context: Any) -> None:
    queue = OwnQueue()

    answer = apply_credit.handler(batch(credit_changed(1, "no-such-device")), context)

    assert answer == {"batchItemFailures": []}
    assert queue.waiting() == 1


def test_the_outbox_is_published_to_the_services_topic(table: Table, context: Any) -> None:
    boto3.client("sns").create_topic(Name="paygo-test")
    item = {"event_id": "e-1", "type": "devices.device-activated.v1", "correlation_id": "c-1", "event": "{}"}
    table.put({"pk": "OUTBOX#e-1", "sk": "OUTBOX", **item})
    image = {name: {"S": value} for name, value in item.items()}
    record = {"eventID": "1", "eventName": "INSERT", "dynamodb": {"NewImage": image, "SequenceNumber": "1"}}

    answer = publish_outbox.handler({"Records": [record]}, context)

    assert answer == {"batchItemFailures": []}
    marked = table.get(pk="OUTBOX#e-1", sk="OUTBOX")
    assert marked is not None
    assert "published_at" in marked
