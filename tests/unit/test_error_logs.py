"""Whatever fails in any kind of function leaves a line that can be reported by service, type of error and place."""

import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from pydantic import BaseModel, ValidationError

from devices.handlers import devices as devices_api
from devices.model import Device
from identity.model import Applicant, BankCustomer, Code, Person, Proof, Registration
from ledger.handlers import book_payments
from notifications.model import Contact
from operations.errors import LogBatch, errors_of
from operations.model import Letter, SeenError
from paygo.events import Event, PaymentConfirmed
from paygo.money import Money
from paygo.publisher import publisher
from paygo.storage import Table, to_attributes
from payments.model import PaymentRequest
from tests.unit.ledger.makers import NOW
from tests.unit.queues import batch

REQUEST = "1c5e7f0a-9d1f-4b3c-8a2e-7f6d5c4b3a21"
OPERATIONS = Path(__file__).parents[2] / "terraform" / "operations.tf"


def subscribed() -> tuple[str, ...]:
    """What the subscription filter looks for, any of it: `?"one thing" ?"another"`."""
    [written] = re.findall(r'^  errors = (".*")$', OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    terms = shlex.split(json.loads(written))
    assert all(term.startswith("?") for term in terms)
    return tuple(term.removeprefix("?") for term in terms)


SUBSCRIBED = subscribed()

type Fail = Callable[[Any, Any], object]


def reported(function: str, *lines: str) -> list[SeenError]:
    assert all(any(words in line for words in SUBSCRIBED) for line in lines)
    events = [{"id": str(at), "timestamp": 1795255500000, "message": line} for at, line in enumerate(lines)]
    group = {"logGroup": f"/aws/lambda/paygo-test-{function}", "logStream": "2026/11/21/[1]abc"}
    return list(
        errors_of(LogBatch.model_validate({"messageType": "DATA_MESSAGE", **group, "logEvents": events}), "paygo-test")
    )


def read_devices(api_event: Any, context: Any) -> object:
    event = api_event("GET", "/v1/devices", identity_id="us-east-1:x", authentication_type="authenticated")
    return devices_api.handler(event, context)  # there is no table of sessions


def book(_: Any, context: Any) -> object:
    payment = PaymentConfirmed(
        payment_id="payment-1",
        provider="mobile-money",
        provider_reference="MM-1",
        household_id="household-1",
        device_id="device-1",
        amount=Money(amount=25_000, currency="KES"),
        paid_at=NOW,
    )
    event = Event[PaymentConfirmed].about("s", payment, source="/s/x", time=NOW, correlation_id="request-1")
    return book_payments.handler(batch(event), context)  # there is no table of accounts


def publish(_: Any, context: Any) -> object:
    handler = publisher(Table("none", boto3.client("dynamodb")), "arn:aws:sns:us-east-1:1:no", boto3.client("sns"))
    image = to_attributes({"event_id": "e-1", "type": "x.y.v1", "correlation_id": "request-1", "event": "{}"})
    return handler({"Records": [{"eventID": "1", "dynamodb": {"NewImage": image}}]}, context)


@pytest.mark.parametrize(
    ("function", "fail", "kind", "module"),
    [
        ("devices-devices", read_devices, "ResourceNotFoundException", "devices/handlers/devices.py"),
        ("ledger-book-payments", book, "ResourceNotFoundException", "ledger/repository.py"),
        ("ledger-publish-outbox", publish, "NotFoundException", "paygo/publisher.py"),
    ],
)
def test_a_failure_says_its_type_its_place_and_what_it_belongs_to(  # noqa: PLR0917
    log: io.StringIO, api_event: Any, context: Any, function: str, fail: Fail, kind: str, module: str
) -> None:
    fail(api_event, context)

    lines = [line for line in log.getvalue().splitlines() if '"level":"ERROR"' in line]
    (error,) = reported(function, *lines)
    assert f"{error.service}-{error.function}" == function
    assert error.type == kind
    assert error.place.partition(":")[0] == module
    assert (error.correlation_id, error.request_id) == ("request-1", context.aws_request_id)


@pytest.mark.parametrize(
    ("line", "kind", "place"),
    [
        (
            "[ERROR] Runtime.ImportModuleError: Unable to import module 'ledger.handlers.book_payments': "
            "No module named 'ledgers'\rTraceback (most recent call last):",
            "Runtime.ImportModuleError",
            "ledger/book-payments",
        ),
        (
            "[ERROR] MissingSetting: The setting TABLE is missing\rTraceback (most recent call last):\r"
            '\u00a0\u00a0File "/var/task/ledger/handlers/book_payments.py", line 10, in <module>\r'
            '\u00a0\u00a0\u00a0\u00a0LEDGER = composition.accounts()\r\u00a0\u00a0File "/opt/python/paygo/config.py", '
            "line 41, in setting\r\u00a0\u00a0\u00a0\u00a0raise MissingSetting(message)",
            "MissingSetting",
            "ledger/handlers/book_payments.py:10",
        ),
        (f"2026-11-21T10:05:00.000Z {REQUEST} Task timed out after 15.02 seconds", "TimedOut", "ledger/book-payments"),
        (
            f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed",
            "RuntimeExited",
            "ledger/book-payments",
        ),
    ],
)
def test_what_the_runtime_says_of_a_function_that_could_not_log_is_grouped_alike(
    line: str, kind: str, place: str
) -> None:
    (error,) = reported("ledger-book-payments", line)

    assert (error.service, error.type, error.place) == ("ledger", kind, place)


@pytest.mark.parametrize(
    "model", [Applicant, BankCustomer, Code, Contact, Device, Letter, PaymentRequest, Person, Proof, Registration]
)
def test_what_is_read_and_wrong_is_not_repeated(model: type[BaseModel]) -> None:
    # The text of an error goes to logs, to the rows of attempts and to dead letters.
    with pytest.raises(ValidationError) as refused:
        model.model_validate({name: ["+254700000001"] for name in model.model_fields})

    assert "+254700000001" not in str(refused.value)
