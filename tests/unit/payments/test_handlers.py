import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
import responses

from paygo.events import DeviceActivated, Event
from paygo.money import Money
from paygo.security import session_key
from paygo.signatures import signature
from paygo.storage import Table
from payments import composition
from payments.handlers import notifications, payment_requests, publish_outbox, request_payments, track_devices
from payments.repository import PaymentTable
from tests.unit.payments.makers import device, payment, request, requested
from tests.unit.queues import OwnQueue, batch

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
    """Send a notification as a provider does, with that provider's own key."""
    for name in ("mobile-money", "mobile-wallet"):
        secret = {"api_key": f"api-key-of-{name}", "keys": {"current": f"signing-key-of-{name}", "previous": ""}}
        boto3.client("secretsmanager").create_secret(
            Name=f"paygo-test/partners/{name}", SecretString=json.dumps(secret)
        )

    def send(
        body: object = NOTIFICATION, *, provider: str = "mobile-money", signed_by: str | None = None
    ) -> dict[str, Any]:
        caller, path = signed_by or provider, f"/partners/{provider}/notifications"
        text, timestamp, nonce = json.dumps(body), str(int(datetime.now(UTC).timestamp())), uuid4().hex
        key = f"signing-key-of-{caller}"
        signed = signature(
            key, method="POST", path=path, query=[], timestamp=timestamp, nonce=nonce, body=text.encode()
        )
        headers = {
            "X-Api-Key": f"api-key-of-{caller}",
            "X-Paygo-Timestamp": timestamp,
            "X-Paygo-Nonce": nonce,
            "X-Paygo-Signature": signed,
        }
        resource = "/partners/{provider}/notifications"
        event = api_event("POST", path, resource=resource, body=text, headers=headers)
        answered = notifications.handler(event, context)
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


@pytest.mark.parametrize("signed_by", ["nobody", "mobile-wallet"])
def test_a_notification_signed_by_anybody_else_is_refused_and_not_kept(
    notify: Notify, table: Table, signed_by: str
) -> None:
    answered = notify(signed_by=signed_by)

    assert answered["status"] == 401
    assert PaymentTable(table).find("mobile-money", "MM-7F3K2Q") is None


@pytest.mark.parametrize("provider", ["nobody", "__init__", "os"])
def test_a_notification_of_a_provider_that_there_is_not_is_not_found(notify: Notify, provider: str) -> None:
    answered = notify(provider=provider, signed_by="mobile-money")

    assert (answered["status"], answered["body"]["title"]) == (404, "There is no such provider")


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


TRANSACTION = {
    "transactionId": "WT-7F3K2Q",
    "accountNumber": "SHS-000001",
    "value": "250.00",
    "currencyCode": "KES",
    "completedAt": "2026-11-21T10:05:00Z",
}


def test_a_provider_with_a_wire_of_its_own_is_understood_and_answered_alike(notify: Notify, table: Table) -> None:
    answered = notify(TRANSACTION, provider="mobile-wallet")

    assert (answered["status"], answered["body"]["reference"]) == (200, "WT-7F3K2Q")
    taken = PaymentTable(table).find("mobile-wallet", "WT-7F3K2Q")
    assert taken is not None
    assert taken.amount == Money(amount=25000, currency="KES")
    assert (taken.account, taken.paid_at) == ("SHS-000001", datetime(2026, 11, 21, 10, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("value", "currency", "amount"),
    [("0.05", "KES", 5), ("250.00", "UGX", 250), ("250.12", "TND", 250120), ("1000000000.00", "KES", 10**11)],
)
def test_decimal_amounts_become_minor_units_exactly(
    notify: Notify, table: Table, value: str, currency: str, amount: int
) -> None:
    answered = notify(TRANSACTION | {"value": value, "currencyCode": currency}, provider="mobile-wallet")

    assert answered["status"] == 200
    taken = PaymentTable(table).find("mobile-wallet", "WT-7F3K2Q")
    assert taken is not None
    assert taken.amount == Money(amount=amount, currency=currency)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"transactionId": "a#b"}, "/transactionId"),
        ({"merchantReference": ""}, "/merchantReference"),
        ({"accountNumber": "shs-000001"}, "/accountNumber"),
        ({"value": "0.00"}, "/value"),
        ({"value": "1000000000.01"}, "/value"),
        ({"value": "250"}, "/value"),
        ({"value": "250.005"}, "/value"),
        ({"value": "-250.00"}, "/value"),
        ({"value": "1e2.00"}, "/value"),
        ({"value": 250.00}, "/value"),
        ({"value": "250.50", "currencyCode": "UGX"}, "/value"),
        ({"currencyCode": "kes"}, "/currencyCode"),
        ({"completedAt": "2026-11-21T10:05:00"}, "/completedAt"),
        ({"tip": 1}, "/tip"),
    ],
)
def test_a_transaction_that_is_not_what_the_contract_says_is_refused(
    notify: Notify, change: dict[str, Any], pointer: str
) -> None:
    answered = notify(TRANSACTION | change, provider="mobile-wallet")

    assert answered["status"] == 400
    assert [wrong["pointer"] for wrong in answered["body"]["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("mobile-money", NOTIFICATION | {"reference": "request-1"}),
        ("mobile-wallet", TRANSACTION | {"merchantReference": "request-1"}),
    ],
)
def test_a_notification_that_names_our_request_pays_it(
    notify: Notify, table: Table, provider: str, body: dict[str, Any]
) -> None:
    asked = request(provider=provider)
    PaymentTable(table).ask(asked, requested(asked))

    assert notify(body, provider=provider)["status"] == 200

    assert PaymentTable(table).request("request-1") == request(provider=provider, state="paid")


ASKED = {
    "provider": "mobile-money",
    "serial_number": "SHS-000001",
    "amount": {"amount": 25000, "currency": "KES"},
    "phone": "+254700000001",
}

type Send = Callable[..., dict[str, Any]]


@pytest.fixture
def household(table: Table, idempotency: Table, sessions: Table, api_event: Any, context: Any) -> Send:
    """Send a household's request."""
    PaymentTable(table).follow(device())
    sessions.put(
        {
            **session_key("us-east-1:identity"),
            "identity_id": "us-east-1:identity",
            "session_id": "session-1",
            "state": "authenticated",
            "opened_at": datetime.now(UTC).isoformat(),
            "ends_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            "household_id": "household-1",
        }
    )

    def send(method: str, path: str, body: object = None, key: str = "key-0001") -> dict[str, Any]:
        event = api_event(
            method,
            path,
            body=body,
            headers={"Idempotency-Key": key} if key else {},
            identity_id="us-east-1:identity",
            authentication_type="authenticated",
        )
        answered = payment_requests.handler(event, context)
        return {
            "status": answered["statusCode"],
            "body": json.loads(answered["body"]),
            "headers": {name: values[0] for name, values in answered["multiValueHeaders"].items()},
        }

    return send


def test_a_household_asks_for_a_payment_and_follows_it(household: Send, table: Table) -> None:
    answered = household("POST", "/v1/payment-requests", ASKED)

    assert answered["status"] == 202
    request_id = answered["body"]["payment_request_id"]
    assert answered["headers"]["Location"] == f"/v1/payment-requests/{request_id}"
    assert answered["body"] == {
        "payment_request_id": request_id,
        "provider": "mobile-money",
        "serial_number": "SHS-000001",
        "amount": {"amount": 25000, "currency": "KES"},
        "state": "requested",
        "requested_at": answered["body"]["requested_at"],
    }
    assert household("GET", f"/v1/payment-requests/{request_id}")["body"] == answered["body"]
    [event] = published(table)
    assert (event["subject"], event["source"], event["correlationid"]) == (request_id, "/paygo-test/unit", "request-1")


def test_a_request_sent_twice_is_one(household: Send, table: Table) -> None:
    first, second = (household("POST", "/v1/payment-requests", ASKED) for _ in range(2))

    assert first["body"] == second["body"]
    assert len(published(table)) == 1


def test_a_request_needs_a_key(household: Send) -> None:
    assert household("POST", "/v1/payment-requests", ASKED, key="")["status"] == 400


def test_a_request_for_a_device_of_somebody_else_is_not_found(household: Send, table: Table) -> None:
    PaymentTable(table).follow(device("household-2", days_later=1))

    answered = household("POST", "/v1/payment-requests", ASKED)

    assert (answered["status"], answered["body"]["title"]) == (404, "There is no such device")


def test_a_request_of_somebody_else_is_not_found(household: Send, table: Table) -> None:
    other = request(household_id="household-2")
    PaymentTable(table).ask(other, requested(other))

    answered = household("GET", "/v1/payment-requests/request-1")

    assert (answered["status"], answered["body"]["title"]) == (404, "There is no such payment request")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"provider": "nobody"}, "/provider"),
        ({"provider": "../x"}, "/provider"),
        ({"serial_number": "shs-000001"}, "/serial_number"),
        ({"amount": {"amount": 0, "currency": "KES"}}, "/amount/amount"),
        ({"amount": {"amount": 250.0, "currency": "KES"}}, "/amount/amount"),
        ({"phone": "0700000001"}, "/phone"),
        ({"tip": 1}, "/tip"),
    ],
)
def test_a_request_that_is_not_what_the_contract_says_is_pointed_at(
    household: Send, change: dict[str, Any], pointer: str
) -> None:
    answered = household("POST", "/v1/payment-requests", ASKED | change)

    assert answered["status"] == 400
    assert [wrong["pointer"] for wrong in answered["body"]["errors"]] == [pointer]


@pytest.fixture
def web(partner_calls: Table) -> Iterator[responses.RequestsMock]:
    composition.provider.cache_clear()
    with responses.RequestsMock() as mock:
        yield mock


TAKEN: dict[str, dict[str, Any]] = {
    "mobile-money": {"route": "/collections", "status": 202, "json": {"collection_id": "c-1", "status": "pending"}},
    "mobile-wallet": {"route": "/v2/charges", "status": 201, "json": {"chargeId": "c-1", "state": "CREATED"}},
}


@pytest.mark.parametrize("provider", TAKEN)
def test_a_request_reaches_its_provider_with_the_events_id(
    table: Table, web: responses.RequestsMock, context: Any, provider: str
) -> None:
    answer = dict(TAKEN[provider])
    asked = request(provider=provider)
    PaymentTable(table).ask(asked, requested(asked))
    web.post(f"https://{provider}.example.org{answer.pop('route')}", **answer)
    event = requested(asked)

    assert request_payments.handler(batch(event), context) == {"batchItemFailures": []}

    [call] = web.calls
    assert call.request.headers["Idempotency-Key"] == event.id
    assert f"https://api.example.org/live/partners/{provider}/notifications" in str(call.request.body)
    assert PaymentTable(table).request("request-1") == request(provider=provider, state="sent")


def test_a_request_waits_for_a_provider_that_is_away(table: Table, web: responses.RequestsMock, context: Any) -> None:
    PaymentTable(table).ask(request(), requested(request()))
    queue = OwnQueue()
    web.post("https://mobile-money.example.org/collections", status=503)

    assert request_payments.handler(batch(requested(request())), context) == {"batchItemFailures": []}

    assert queue.waiting() == 1
    assert PaymentTable(table).request("request-1") == request()


def activation() -> Event[DeviceActivated]:
    data = DeviceActivated(
        device_id="device-of-household-1",
        serial_number="SHS-000001",
        model="solar-home-50",
        household_id="household-1",
        activated_at=device().activated_at,
    )
    return Event[DeviceActivated].about(
        data.device_id, data, source="/paygo-test/devices", time=data.activated_at, correlation_id="c-1"
    )


def test_an_activated_device_confirms_the_payment_that_waits_for_it(table: Table, context: Any) -> None:
    payments = PaymentTable(table)
    payments.take(payment(), None, None)
    event = activation()

    answered = track_devices.handler(batch(event, event), context)

    assert answered == {"batchItemFailures": []}
    assert payments.device("SHS-000001") == device()
    assert payments.find("mobile-money", "MM-1") == payment().matched(device())
    (published_event,) = published(table)
    assert (published_event["subject"], published_event["source"], published_event["correlationid"]) == (
        "payment-of-MM-1",
        "/paygo-test/unit",
        "c-1",
    )


def test_the_outbox_is_published_to_the_services_topic(table: Table, context: Any) -> None:
    topic = boto3.client("sns").create_topic(Name="paygo-test")["TopicArn"]
    item = {"event_id": "e-1", "type": "payments.payment-confirmed.v1", "correlation_id": "c-1", "event": "{}"}
    table.put({"pk": "OUTBOX#e-1", "sk": "OUTBOX", **item})
    image = {name: {"S": value} for name, value in item.items()}
    record = {"eventID": "1", "eventName": "INSERT", "dynamodb": {"NewImage": image, "SequenceNumber": "1"}}

    answered = publish_outbox.handler({"Records": [record]}, context)

    assert topic == "arn:aws:sns:us-east-1:123456789012:paygo-test"
    assert answered == {"batchItemFailures": []}
    marked = table.get(pk="OUTBOX#e-1", sk="OUTBOX")
    assert marked is not None
    assert "published_at" in marked
