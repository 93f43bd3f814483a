"""From what a function does or refuses to what operators read: the same facts, and never a secret."""

import base64
import gzip
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devices.handlers import devices as devices_api
from operations.audit import AuditFilter
from operations.handlers import keep_refusals
from operations.repository import AuditTable
from paygo.audit import Act
from paygo.identities import identity_hash
from paygo.storage import Table
from tests.unit.operations.makers import STACK

ROOT = Path(__file__).parents[3]
IDENTITY = "us-east-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e"
OPERATORS_ACTS = {
    "dead-letter-redriven",
    "dead-letter-discarded",
    "dead-letters-redriven",
    "dead-letters-discarded",
}


def subscribed(line: str) -> bool:
    """Tell whether the subscription filter takes the line: `{ $.audit.act = "*" }` is any text there."""
    terraform = (ROOT / "terraform" / "operations.tf").read_text(encoding="utf-8")
    assert 'filter_pattern  = "{ $.audit.act = \\"*\\" }"' in terraform
    audit = json.loads(line).get("audit")
    return isinstance(audit, dict) and isinstance(audit.get("act"), str)


def test_whom_a_function_refuses_is_in_the_audit(
    api_event: Any, context: Any, sessions: Table, audit_table: Table, log: io.StringIO
) -> None:
    asked = api_event("GET", "/v1/devices", identity_id=IDENTITY, authentication_type="authenticated")
    asked["requestContext"]["identity"]["userAgent"] = "curl/8"
    asked["headers"]["Authorization"] = "AWS4-HMAC-SHA256 Signature=a-secret"

    assert devices_api.handler(asked, context)["statusCode"] == 403
    lines = [line for line in log.getvalue().splitlines() if subscribed(line)]
    delivered = {
        "messageType": "DATA_MESSAGE",
        "logGroup": f"/aws/lambda/{STACK}-devices-devices",
        "logStream": "2026/11/21/[1]abc",
        "logEvents": [
            {"id": f"line-{at}", "timestamp": 1795255500000, "message": line} for at, line in enumerate(lines)
        ],
    }
    data = base64.b64encode(gzip.compress(json.dumps(delivered).encode())).decode()
    keep_refusals.handler({"awslogs": {"data": data}}, context)

    day = datetime.fromtimestamp(1795255500, UTC).date()
    (event,) = AuditTable(audit_table).page(AuditFilter(day=day), day, limit=10, cursor=None).events
    assert (event.act, event.identity_hash) == ("request-refused", identity_hash(IDENTITY))
    assert (event.source_ip, event.user_agent, event.correlation_id) == ("192.0.2.1", "curl/8", "request-1")
    told = {name: event.detail[name] for name in ("reason", "method", "route", "function")}
    assert told == {
        "reason": "session-refused",
        "method": "GET",
        "route": "/v1/devices",
        "function": f"{STACK}-devices-devices",
    }
    assert "a-secret" not in event.model_dump_json()


def test_the_page_explains_every_act_and_no_other() -> None:
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|[^|]+\|[^|]*\|$", page, re.MULTILINE)

    assert {act for row in rows for act in re.findall(r"`([a-z-]+)`", row)} == set(Act) | OPERATORS_ACTS


def test_operators_acts_are_those_that_their_routes_write() -> None:
    written = (ROOT / "lambdas" / "operations" / "handlers" / "dead_letters.py").read_text(encoding="utf-8")

    assert set(re.findall(r'_audit\(\s*"([a-z-]+)"', written)) == OPERATORS_ACTS
