import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from ledger.handlers import accounts, book_payments, open_accounts, publish_outbox
from ledger.repository import AccountTable
from paygo.events import DeviceActivated, Event, EventData, PaymentConfirmed
from paygo.money import Money
from paygo.security import SessionState, session_key
from paygo.storage import Table
from tests.unit.ledger.makers import NOW, credit, kes
from tests.unit.queues import OwnQueue, batch

IDENTITY = "us-east-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e"

type Get = Callable[..., dict[str, Any]]


@pytest.fixture
def get(table: Table, sessions: Table, api_event: Any, context: Any) -> Get:
    """Call a route as household-1."""
    sessions.put(
        {
            **session_key(IDENTITY),
            "identity_id": IDENTITY,
            "session_id": "session-1",
            "state": SessionState.AUTHENTICATED.value,
            "opened_at": datetime.now(UTC).isoformat(),
            "ends_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            "household_id": "household-1",
        }
    )

    def call(
        path: str,
        query: dict[str, str] | None = None,
        *,
        identity_id: str = IDENTITY,
        kind: str = "authenticated",
    ) -> dict[str, Any]:
        event = api_event("GET", path, query=query, identity_id=identity_id, authentication_type=kind)
        answered = accounts.handler(event, context)
        return {"status": answered["statusCode"], "body": json.loads(answered["body"])}

    return call


def record(data: EventData) -> dict[str, Any]:
    event = Event[Any].about("subject", data, source="/paygo-test/x", time=NOW, correlation_id="c-1")
    (made,) = batch(event)["Records"]
    return dict(made)


def activation(model: str = "solar-home-50") -> dict[str, Any]:
    return record(
        DeviceActivated(
            device_id="device-1",
            serial_number="SHS-000001",
            model=model,
            household_id="household-1",
            activated_at=NOW,
        )
    )


def confirmation(payment_id: str = "payment-1", currency: str = "KES") -> dict[str, Any]:
    return record(
        PaymentConfirmed(
            payment_id=payment_id,
            provider="mobile-money",
            provider_reference="MM-1",
            household_id="household-1",
            device_id="device-1",
            amount=Money(amount=25000, currency=currency),
            paid_at=NOW,
        )
    )


def test_an_activated_devices_account_is_opened(table: Table, context: Any) -> None:
    answered = open_accounts.handler({"Records": [activation(), activation()]}, context)

    assert answered == {"batchItemFailures": []}
    assert AccountTable(table).credit("device-1") == credit()


def test_a_model_with_a_plan_is_not_warned_about(table: Table, context: Any, log: io.StringIO) -> None:
    open_accounts.handler({"Records": [activation()]}, context)

    assert "Handled" in log.getvalue()
    assert "WARNING" not in log.getvalue()


def test_a_model_without_a_plan_is_opened_and_warned_about(table: Table, context: Any, log: io.StringIO) -> None:
    answered = open_accounts.handler({"Records": [activation("pump-9")]}, context)
    assert answered == {"batchItemFailures": []}
    assert AccountTable(table).credit("device-1") is not None
    assert "WARNING" in log.getvalue()
    assert "pump-9" in log.getvalue()


def test_a_confirmed_payment_is_booked_once(table: Table, context: Any) -> None:
    ledger = AccountTable(table)
    ledger.open(credit())
    before = datetime.now(UTC)

    answered = book_payments.handler({"Records": [confirmation(), confirmation()]}, context)

    assert answered == {"batchItemFailures": []}
    kept = ledger.credit("device-1")
    assert kept is not None
    assert kept.version == 1
    assert kept.credit_until is not None
    assert before + timedelta(days=5) <= kept.credit_until <= datetime.now(UTC) + timedelta(days=5, seconds=1)
    items = boto3.client("dynamodb").scan(TableName=table.name)["Items"]
    (event,) = [json.loads(item["event"]["S"]) for item in items if "event" in item]
    assert (event["type"], event["source"]) == ("ledger.credit-changed.v1", "/paygo-test/unit")
    assert (event["correlationid"], event["data"]["payment_id"]) == ("c-1", "payment-1")


def test_the_account_of_a_transaction_names_its_provider(table: Table, context: Any) -> None:
    AccountTable(table).open(credit())

    book_payments.handler({"Records": [confirmation()]}, context)

    kept = table.get(pk="TRANSACTION#payment-1", sk="TRANSACTION")
    assert kept is not None
    assert [(entry["account"], entry["amount"]["amount"]) for entry in kept["entries"]] == [
        ("household:household-1", 25000),
        ("house:provider:mobile-money", -25000),
        ("household:household-1", -25000),
        ("house:revenue", 25000),
    ]


def test_a_payment_waits_in_its_queue_until_the_account_is_open(table: Table, context: Any) -> None:
    queue = OwnQueue()

    answered = book_payments.handler({"Records": [confirmation()]}, context)

    assert answered == {"batchItemFailures": []}
    assert queue.waiting() == 1


def test_a_payment_in_another_currency_is_an_error(table: Table, attempts: Table, context: Any) -> None:
    AccountTable(table).open(credit())

    answered = book_payments.handler({"Records": [confirmation(currency="USD")]}, context)

    assert answered == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    (attempt,) = boto3.client("dynamodb").scan(TableName=attempts.name)["Items"]
    assert attempt["error_type"] == {"S": "UnexpectedCurrency"}


def test_a_household_reads_its_devices_credit(get: Get, table: Table) -> None:
    AccountTable(table).open(credit(credit_until=NOW, version=3))

    answered = get("/v1/devices/device-1/credit")

    assert answered == {
        "status": 200,
        "body": {
            "device_id": "device-1",
            "credit_until": "2026-11-21T10:05:00Z",
            "credit_version": 3,
            "price_per_day": {"amount": 5000, "currency": "KES"},
        },
    }


def test_a_device_that_was_never_paid_for_has_no_credit(get: Get, table: Table) -> None:
    AccountTable(table).open(credit())

    body = get("/v1/devices/device-1/credit")["body"]

    assert (body["credit_until"], body["credit_version"]) == (None, 0)


def test_another_households_device_is_not_there(get: Get, table: Table) -> None:
    AccountTable(table).open(credit(household_id="household-2"))

    assert get("/v1/devices/device-1/credit") == get("/v1/devices/device-2/credit")
    assert get("/v1/devices/device-1/credit")["status"] == 404


def test_a_statement_without_payments_is_empty(get: Get) -> None:
    assert get("/v1/statement") == {
        "status": 200,
        "body": {"balance": {"amount": 0, "currency": "KES"}, "items": [], "next_cursor": None},
    }


def test_a_statement_is_read_page_by_page(get: Get, table: Table, context: Any) -> None:
    AccountTable(table).open(credit(price_per_day=kes(864_000)))
    book_payments.handler({"Records": [confirmation("payment-1")]}, context)
    book_payments.handler({"Records": [confirmation("payment-2")]}, context)

    first = get("/v1/statement", {"limit": "3"})["body"]
    second = get("/v1/statement", {"limit": "3", "cursor": first["next_cursor"]})["body"]

    assert first["balance"] == {"amount": 0, "currency": "KES"}
    assert [(item["transaction_id"], item["description"]) for item in first["items"] + second["items"]] == [
        ("payment-2", "credit"),
        ("payment-2", "payment"),
        ("payment-1", "credit"),
        ("payment-1", "payment"),
    ]
    assert first["items"][0].keys() == {"transaction_id", "booked_at", "amount", "description", "device_id"}
    assert first["items"][0]["amount"] == {"amount": -25000, "currency": "KES"}
    assert first["items"][0]["device_id"] == "device-1"
    assert second["next_cursor"] is None


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"cursor": "bm8"}])
def test_a_page_that_does_not_exist_is_refused(get: Get, query: dict[str, str]) -> None:
    assert get("/v1/statement", query)["status"] == 400


@pytest.mark.parametrize("path", ["/v1/statement", "/v1/devices/device-1/credit"])
@pytest.mark.parametrize("caller", [{"kind": "unauthenticated"}, {"identity_id": "us-east-1:another"}])
def test_callers_without_an_escalated_session_are_refused(
    get: Get, table: Table, path: str, caller: dict[str, str]
) -> None:
    AccountTable(table).open(credit())

    assert get(path, **caller)["status"] == 403


def test_the_outbox_is_published_to_the_services_topic(table: Table, context: Any) -> None:
    boto3.client("sns").create_topic(Name="paygo-test")
    item = {"event_id": "e-1", "type": "ledger.credit-changed.v1", "correlation_id": "c-1", "event": "{}"}
    table.put({"pk": "OUTBOX#e-1", "sk": "OUTBOX", **item})
    image = {name: {"S": value} for name, value in item.items()}
    stream_record = {"eventID": "1", "eventName": "INSERT", "dynamodb": {"NewImage": image, "SequenceNumber": "1"}}

    answered = publish_outbox.handler({"Records": [stream_record]}, context)

    assert answered == {"batchItemFailures": []}
    marked = table.get(pk="OUTBOX#e-1", sk="OUTBOX")
    assert marked is not None
    assert "published_at" in marked
