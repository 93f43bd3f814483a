"""The settings that only operations has, made before its handlers are imported."""

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.conftest import STACK, _create_table

if TYPE_CHECKING:
    from paygo.storage import Table

SETTINGS = {
    "ATTEMPTS_TABLE": f"{STACK}-attempts",
    "AUDIT_TABLE": f"{STACK}-audit",
    "ALARMS_TOPIC_ARN": f"arn:aws:sns:us-east-1:123456789012:{STACK}-alarms",
    "ALARM_ADDRESS": "operators@paygo.example.org",
    "WEBHOOK_SECRET_ARN": f"{STACK}/operations/webhook",
    "QUEUES": json.dumps(
        {
            "ledger/book-payments": "queue",
            "notifications/mail-payments": "queue",
            "devices/answer-credit": "function",
            "ledger/publish-outbox": "stream",
        }
    ),
    "QUEUE_URLS_BASE": f"https://sqs.us-east-1.amazonaws.com/123456789012/{STACK}-",
    "FUNCTIONS_ARN_BASE": f"arn:aws:lambda:us-east-1:123456789012:function:{STACK}-",
}
os.environ.update(SETTINGS)


@pytest.fixture
def attempts_table(aws: None) -> "Table":
    """Where consumers keep their attempts."""
    return _create_table(os.environ["ATTEMPTS_TABLE"], sort_key=True)


@pytest.fixture
def audit_table(aws: None) -> "Table":
    """Where it is kept who did what."""
    return _create_table(os.environ["AUDIT_TABLE"], sort_key=True)


@pytest.fixture
def tables(table: "Table", attempts_table: "Table", audit_table: "Table", idempotency: "Table") -> None:
    """All that the operators' routes read and write."""
