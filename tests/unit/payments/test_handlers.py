import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest

from paygo.events import DeviceActivated, Event
from paygo.signatures import signature
from paygo.storage import Table
from payments.handlers import mobile_money, publish_outbox, track_devices
from payments.repository import PaymentTable
from tests.unit.payments.makers import device, payment

PATH = "/partners/mobile-money/notifications"
NOTIFICATION = {
    "reference": "MM-7F3K2Q",
    "account": "SHS-000001",
    "amount": {"amount": 25000, "currency": "KES"},
    "paid_at": "2026-11-21T10:05:00Z",
}

type Notify = Callable[..., dict[str, Any]]


@pytest.fixture
def notify(table: Table, idempotency: Table, api_event: Any, context: Any) -> Notify:
    """Send a notification as the provider does."""
    secret = {"api_key": "api-key", "keys": {"current": "signing-key", "previous": ""}}
    boto3.client("secretsmanager").create_secret(Name="paygo-test/partners/partner", SecretString=json.dumps(secret))

    def send(body: object = NOTIFICATION, *, key: str = "signing-key") -> dict[str, Any]:
        text, timestamp, nonce = json.dumps(body), str(int(datetime.now(UTC).timestamp())), uuid4().hex
        signed = signature(
            key, method="POST", path=PATH, query=[], timestamp=timestamp, nonce=nonce, body=text.encode()
        )
        headers = {
            "X-Api-Key": "api-key",
            "X-Paygo-Timestamp": timestamp,
            "X-Paygo-Nonce": nonce,
            "X-Paygo-Signature": signed,
        }
        answered = mobile_money.handler(api_event("POST", PATH, body=text, headers=headers), context)
        return {"status": answered["statusCode"], "body": json.loads(answered["body"])}

    return send


def published(table: Table) -> list[dict[str, Any]]:
    items = boto3.client("dynamodb").scan(TableName=table.name)["Items"]
    return [json.loads(item["event"]["S"]) for item in items if "event" in item]


def test_a_notification_for_an_active_device_is_confirmed(notify: Notify, table: Table) -> None:
    PaymentTable(table).follow(device())

    answered = notify()

    assert answered["status"] == 200
    assert answered["body"].keys() == {"payment_id", "reference", "state"}
    assert (answered["body"]["reference"], answered["body"]["state"]) == ("MM-7F3K2Q", "confirmed")
    (event,) = published(table)
    assert event["data"]["payment_id"] == answered["body"]["payment_id"]
    assert event["data"]["amount"] == {"amount": 25000, "currency": "KES"}
    assert (event["source"], event["correlationid"]) == ("/paygo-test/unit", "request-1")


def test_a_repeated_notification_is_answered_as_the_first_time(notify: Notify, table: Table) -> None:
    first = notify()
    PaymentTable(table).follow(device())

    assert first["body"]["state"] == "unmatched"
    assert notify() == first
    assert published(table) == []


def test_a_reference_reused_for_another_amount_is_a_conflict(notify: Notify) -> None:
    notify()

    answered = notify(NOTIFICATION | {"amount": {"amount": 1, "currency": "KES"}})

    assert answered["status"] == 409
    assert answered["body"]["type"] == "urn:paygo:problem:reference-reused"


def test_a_forged_notification_is_refused_and_not_kept(notify: Notify, table: Table) -> None:
    answered = notify(key="another-key")

    assert answered["status"] == 401
    assert PaymentTable(table).find("mobile-money", "MM-7F3K2Q") is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"reference": ""}, "/reference"),
        ({"reference": "a#b"}, "/reference"),
        ({"reference": "r" * 65}, "/reference"),
        ({"account": "shs-000001"}, "/account"),
        ({"account": "SHS-000001\n"}, "/account"),
        ({"amount": {"amount": 0, "currency": "KES"}}, "/amount/amount"),
        ({"amount": {"amount": 10**11 + 1, "currency": "KES"}}, "/amount/amount"),
        ({"amount": {"amount": 250.0, "currency": "KES"}}, "/amount/amount"),
        ({"amount": {"amount": 1, "currency": "kes"}}, "/amount/currency"),
        ({"paid_at": "2026-11-21T10:05:00"}, "/paid_at"),
        ({"paid_at": 1795255500}, "/paid_at"),
        ({"tip": 1}, "/tip"),
    ],
)
def test_a_notification_that_is_not_what_the_contract_says_is_refused(
    notify: Notify, change: dict[str, Any], pointer: str
) -> None:
    answered = notify(NOTIFICATION | change)

    assert answered["status"] == 400
    assert [wrong["pointer"] for wrong in answered["body"]["errors"]] == [pointer]


def activation() -> str:
    data = DeviceActivated(
        device_id="device-of-household-1",
        serial_number="SHS-000001",
        model="solar-home-50",
        household_id="household-1",
        activated_at=device().activated_at,
    )
    return (
        Event[DeviceActivated]
        .about(data.device_id, data, source="/paygo-test/devices", time=data.activated_at, correlation_id="c-1")
        .model_dump_json()
    )


def test_an_activated_device_confirms_the_payment_that_waits_for_it(table: Table, context: Any) -> None:
    payments = PaymentTable(table)
    payments.take(payment(), None)
    record = {"messageId": "m-1", "body": activation(), "eventSource": "aws:sqs"}

    answered = track_devices.handler({"Records": [record, record | {"messageId": "m-2"}]}, context)

    assert answered == {"batchItemFailures": []}
    assert payments.device("SHS-000001") == device()
    assert payments.find("mobile-money", "MM-1") == payment().matched(device())
    (event,) = published(table)
    assert (event["subject"], event["source"], event["correlationid"]) == (
        "payment-of-MM-1",
        "/paygo-test/unit",
        "c-1",
    )


def test_the_outbox_is_published_to_the_services_topic(table: Table, context: Any) -> None:
    topic = boto3.client("sns").create_topic(Name="paygo-test")["TopicArn"]
    item = {"event_id": "e-1", "type": "payments.payment-confirmed.v1", "correlation_id": "c-1", "event": "{}"}
    image = {name: {"S": value} for name, value in item.items()}
    record = {"eventID": "1", "eventName": "INSERT", "dynamodb": {"NewImage": image, "SequenceNumber": "1"}}

    answered = publish_outbox.handler({"Records": [record]}, context)

    assert topic == "arn:aws:sns:us-east-1:123456789012:paygo-test"
    assert answered == {"batchItemFailures": []}
    marked = table.get(pk="OUTBOX#e-1", sk="OUTBOX")
    assert marked is not None
    assert "published_at" in marked
