import io
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto.ses.models import ses_backends

from notifications.handlers import keep_contacts, mail_payments
from notifications.model import Contact
from notifications.repository import ContactTable
from paygo.events import CreditChanged, Event, EventData, HouseholdRegistered
from paygo.money import Money
from paygo.storage import Table
from tests.unit.queues import OwnQueue
from tests.unit.queues import batch as batch_of

NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
AMINA = Contact(household_id="household-1", given_name="Amina", email="amina@example.org")


@pytest.fixture(autouse=True)
def sender() -> None:
    boto3.client("sesv2").create_email_identity(EmailIdentity="no-reply@paygo.example.org")


def batch(data: EventData) -> dict[str, Any]:
    return batch_of(Event[Any].about("subject", data, source="/paygo-test/x", time=NOW, correlation_id="c-1"))


def credit_changed() -> dict[str, Any]:
    return batch(
        CreditChanged(
            device_id="device-1",
            household_id="household-1",
            payment_id="payment-1",
            amount=Money(amount=25000, currency="KES"),
            credit_until=datetime(2026, 11, 26, 10, 5, tzinfo=UTC),
            credit_version=1,
        )
    )


def mails() -> list[Any]:
    messages: list[Any] = ses_backends["123456789012"]["us-east-1"].sent_messages
    return messages


def test_a_registered_households_contact_is_kept_and_not_logged(table: Table, context: Any, log: io.StringIO) -> None:
    registered = HouseholdRegistered(household_id="household-1", given_name="Amina", email="amina@example.org")

    answered = keep_contacts.handler(batch(registered), context)

    assert answered == {"batchItemFailures": []}
    assert ContactTable(table).find("household-1") == AMINA
    assert "Handled" in log.getvalue()
    assert "mina" not in log.getvalue()


def test_a_payment_is_mailed_once_however_often_the_event_comes(
    table: Table, idempotency: Table, context: Any, log: io.StringIO
) -> None:
    ContactTable(table).keep(AMINA)
    event = credit_changed()

    for _ in range(2):
        assert mail_payments.handler(event, context) == {"batchItemFailures": []}

    (mail,) = mails()
    assert mail.source == "no-reply@paygo.example.org"
    assert mail.destinations["ToAddresses"] == ["amina@example.org"]
    assert mail.subject == "We received your payment of KES 250.00"
    assert "until 26 November 2026, 10:05 UTC" in mail.body
    assert "payment-1" in mail.body
    assert "mina" not in log.getvalue()


def test_two_payments_are_two_mails(table: Table, idempotency: Table, context: Any) -> None:
    ContactTable(table).keep(AMINA)

    for _ in range(2):
        mail_payments.handler(credit_changed(), context)

    assert len(mails()) == 2


def test_a_payment_of_a_household_not_known_yet_is_mailed_once_it_is(
    table: Table, idempotency: Table, context: Any
) -> None:
    event, queue = credit_changed(), OwnQueue()
    assert mail_payments.handler(event, context) == {"batchItemFailures": []}
    assert queue.waiting() == 1

    ContactTable(table).keep(AMINA)

    assert mail_payments.handler(event, context) == {"batchItemFailures": []}
    assert len(mails()) == 1
