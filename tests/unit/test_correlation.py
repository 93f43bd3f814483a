"""One id, from the request or the device's message that began it all through every event and every line of the logs."""

import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import responses
from aws_lambda_powertools import Logger

from devices.handlers import answer_credit, apply_credit, verify_provisioning
from devices.handlers import devices as devices_api
from devices.repository import DeviceTable
from ledger.handlers import book_payments, open_accounts
from notifications.handlers import mail_payments
from notifications.model import Contact
from notifications.repository import ContactTable
from partners.gateways.callbacks import QueueOfCallbacks
from partners.model.callbacks import Callback
from paygo.composition import dynamodb
from paygo.config import setting
from paygo.consumer import message_consumer
from paygo.correlation import HEADER
from paygo.messages import Message
from paygo.partners import PartnerClient, PartnerSettings, bearer
from paygo.publisher import publisher
from paygo.security import session_key
from paygo.storage import Table, from_attributes, to_attributes
from payments.handlers import track_devices
from payments.repository import PaymentTable
from tests.unit.devices.makers import claim, row
from tests.unit.payments.makers import payment

REQUEST = "request-1"
IDENTITY = "us-east-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e"
INVOCATION = "00000000-0000-4000-8000-000000000001"

logger = Logger()

type Handler = Callable[..., Any]

CONSUMERS: Mapping[str, tuple[Handler, ...]] = {
    "devices.device-activated.v1": (open_accounts.handler, track_devices.handler),
    "payments.payment-confirmed.v1": (book_payments.handler,),
    "ledger.credit-changed.v1": (apply_credit.handler, mail_payments.handler),
}


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.fixture
def payments(monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table of its own for payments: both it and devices keep rows by serial number."""
    keys: dict[str, Any] = {"pk": "HASH", "sk": "RANGE"}
    boto3.client("dynamodb").create_table(
        TableName="paygo-test-payments",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
    )
    table = Table("paygo-test-payments", boto3.client("dynamodb"))
    monkeypatch.setattr(track_devices, "PAYMENTS", PaymentTable(table))
    return table


@pytest.fixture
def label(table: Table, payments: Table, sessions: Table, idempotency: Table) -> dict[str, str]:
    """A device that household-1 has in its hands and has paid for, not registered yet."""
    sessions.put(
        {
            **session_key(IDENTITY),
            "identity_id": IDENTITY,
            "session_id": "session-1",
            "state": "authenticated",
            "opened_at": datetime.now(UTC).isoformat(),
            "ends_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            "household_id": "household-1",
        }
    )
    ContactTable(table).keep(Contact(household_id="household-1", given_name="Amina", email="amina@example.org"))
    boto3.client("sesv2").create_email_identity(EmailIdentity="no-reply@paygo.example.org")
    boto3.client("sns").create_topic(Name="paygo-test")
    iot = boto3.client("iot")
    iot.create_thing(thingName="paygo-test-SHS-000001")
    certificate_id = iot.create_keys_and_certificate(setAsActive=False)["certificateId"]
    devices = DeviceTable(table)
    devices.add([row()])
    devices.claim("SHS-000001", claim(certificate_id=certificate_id))
    PaymentTable(payments).take(payment(), None, None)
    return {"serial_number": "SHS-000001", "label_code": "K7QM-2X9D"}


def unpublished(table: Table) -> list[dict[str, Any]]:
    items = [from_attributes(item) for item in boto3.client("dynamodb").scan(TableName=table.name)["Items"]]
    return [item for item in items if "event" in item and "published_at" not in item]


def publish(item: Mapping[str, Any], table: Table, context: Any) -> None:
    publish_outbox = publisher(table, setting("TOPIC_ARN"), boto3.client("sns"))
    record = {"eventID": "1", "eventSource": "aws:dynamodb", "dynamodb": {"NewImage": to_attributes(item)}}
    assert publish_outbox({"Records": [record]}, context) == {"batchItemFailures": []}


def deliver(
    item: Mapping[str, Any], handler: Handler, context: Any, attributes: Mapping[str, Any] | None = None
) -> None:
    record = {
        "messageId": "m-1",
        "receiptHandle": "r-1",
        "body": item["event"],
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795255500000"},
        "messageAttributes": attributes or {},
        "eventSource": "aws:sqs",
    }
    assert handler({"Records": [record]}, context) == {"batchItemFailures": []}


def test_a_request_is_followed_through_every_event_and_log_line_of_five_services(
    label: dict[str, str], table: Table, payments: Table, *, api_event: Any, context: Any, log: io.StringIO
) -> None:
    request = api_event(
        "POST",
        "/v1/devices",
        body=label,
        headers={"Idempotency-Key": "key-of-this-intent"},
        identity_id=IDENTITY,
        authentication_type="authenticated",
    )
    assert devices_api.handler(request, context)["statusCode"] == 201

    events: list[Mapping[str, Any]] = []
    while waiting := [(item, source) for source in (table, payments) for item in unpublished(source)]:
        for item, source in waiting:
            publish(item, source, context)
            for handler in CONSUMERS[item["type"]]:
                deliver(item, handler, context)
            events.append(item)

    assert [event["type"] for event in events] == list(CONSUMERS)
    assert {json.loads(event["event"])["correlationid"] for event in events} == {REQUEST}
    logged = lines(log)
    assert {line["message"] for line in logged} >= {"Answered", "Published", "Handled"}
    assert {(line["correlation_id"], line["function_request_id"]) for line in logged} == {(REQUEST, INVOCATION)}


def test_a_devices_message_is_followed_by_the_id_that_the_rule_gives_it(
    table: Table, context: Any, log: io.StringIO
) -> None:
    question = {"thing": "paygo-test-SHS-000001", "client_id": "paygo-test-SHS-000001", "correlation_id": "trace-1"}

    answer_credit.handler(question, context)

    assert [line["correlation_id"] for line in lines(log)] == ["trace-1"]


def test_what_brings_no_id_is_followed_by_the_invocations_own_and_not_by_the_last_ones(
    table: Table, context: Any, log: io.StringIO
) -> None:
    answer_credit.handler({"thing": "paygo-test-SHS-1", "client_id": None, "correlation_id": "trace-1"}, context)

    verify_provisioning.handler({}, context)
    answer_credit.handler({"thing": "paygo-test-SHS-1", "client_id": None}, context)

    assert [line["correlation_id"] for line in lines(log)] == ["trace-1", INVOCATION, INVOCATION]


class DeadQueue:
    """A function's queue, of which only the dead-letter queue behind it matters."""

    def bury(self, message: Message, reason: str) -> None:
        """Take it."""


@pytest.mark.parametrize(
    ("body", "correlation_id"),
    [
        ('{"correlationid": "request-7", "type": "ledger.credit-changed.v1"}', "request-7"),
        ('{"correlationid": 7}', INVOCATION),
        ("[]", INVOCATION),
        ("no JSON", INVOCATION),
    ],
)
def test_an_event_that_can_never_be_handled_is_followed_as_far_as_it_says(
    monkeypatch: pytest.MonkeyPatch, context: Any, log: io.StringIO, body: str, correlation_id: str
) -> None:
    monkeypatch.setattr("paygo.composition.own_queue", DeadQueue)

    deliver({"event": body}, open_accounts.handler, context)

    (line,) = lines(log)
    assert (line["message"], line["correlation_id"]) == ("A message can never be handled", correlation_id)


def test_a_services_own_message_is_followed_by_what_its_sender_wrote_on_it(context: Any, log: io.StringIO) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="callbacks")["QueueUrl"]
    logger.append_keys(correlation_id=REQUEST)
    QueueOfCallbacks(sqs, url).put(Callback(partner="bank", url="https://api.example.org/x", body="{}"), timedelta())
    (sent,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    attributes = {
        name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
        for name, value in sent["MessageAttributes"].items()
    }
    logger.append_keys(correlation_id=None)
    handler = message_consumer(Callback, lambda _: logger.info("Called back"))

    deliver({"event": sent["Body"]}, handler, context, attributes)

    assert [line["correlation_id"] for line in lines(log)] == [REQUEST]


def test_nothing_is_written_on_a_message_that_belongs_to_no_request() -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="callbacks")["QueueUrl"]
    logger.append_keys(correlation_id=None)

    QueueOfCallbacks(sqs, url).put(Callback(partner="bank", url="https://api.example.org/x", body="{}"), timedelta())

    (sent,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert "MessageAttributes" not in sent


@pytest.mark.parametrize("correlation_id", [REQUEST, None])
def test_a_call_to_a_partner_carries_the_id_that_is_followed(partner_calls: Table, correlation_id: str | None) -> None:
    settings = PartnerSettings(url="https://crm.example.org", secret_arn="paygo-test/outbound/crm")
    client = PartnerClient("crm", settings, bearer, dynamodb(), partner_calls.name)
    logger.append_keys(correlation_id=correlation_id)

    with responses.RequestsMock() as web:
        web.get("https://crm.example.org/things")
        client.request("GET", "/things")

        assert web.calls[0].request.headers.get(HEADER) == correlation_id
