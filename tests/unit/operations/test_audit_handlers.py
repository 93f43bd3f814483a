"""From an event or a line of a log into the audit, and out of it by the operators' route."""

import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from operations.handlers import audit_events, dead_letters, keep_audit, keep_refusals
from operations.model import Entry, What
from operations.repository import AuditTable, LetterTable
from paygo.audit import Act, Origin, audit_event
from paygo.events import AuditRecorded, Event
from paygo.storage import Table
from tests.unit.operations.makers import NOW, OPERATOR, letter
from tests.unit.operations.makers import audit_event as kept
from tests.unit.operations.test_audit import REFUSED, logged, told
from tests.unit.queues import batch

HOUSEHOLD = "7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01"

type Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def ask(audit_table: Table, api_event: Any, context: Any) -> Ask:
    """Read the audit as an operator does."""

    def send(user: str | None = OPERATOR.name, **query: str) -> tuple[int, dict[str, Any]]:
        asked = api_event("GET", "/operations/audit-events", query=query or None)
        asked["requestContext"]["identity"]["userArn"] = user
        answered = audit_events.handler(asked, context)
        return answered["statusCode"], json.loads(answered["body"])

    return send


def recorded(act: Act = Act.SIGNED_IN) -> Event[AuditRecorded]:
    return audit_event(
        act,
        source="/paygo-test/identity",
        time=datetime.now(UTC),
        correlation_id="request-1",
        origin=Origin(source_ip="192.0.2.1", user_agent="paygo-client/1.0"),
        session_id="session-1",
        household_id=HOUSEHOLD,
        detail={"kind": "own"},
    )


def test_an_audit_event_is_kept_and_read(ask: Ask, context: Any) -> None:
    event = recorded()
    for _ in range(2):
        assert keep_audit.handler(batch(event), context) == {"batchItemFailures": []}

    status, body = ask(household_id=HOUSEHOLD)

    assert status == 200
    assert body == {
        "items": [
            {
                "event_id": event.id,
                "act": "signed-in",
                "at": event.time.isoformat().replace("+00:00", "Z"),
                "session_id": "session-1",
                "household_id": HOUSEHOLD,
                "identity_hash": None,
                "registration_id": None,
                "source_ip": "192.0.2.1",
                "user_agent": "paygo-client/1.0",
                "correlation_id": "request-1",
                "detail": {"kind": "own"},
            }
        ],
        "next_cursor": None,
    }


def deliver(context: Any, *lines: object) -> None:
    data = base64.b64encode(gzip.compress(logged(*lines).model_dump_json().encode())).decode()
    keep_refusals.handler({"awslogs": {"data": data}}, context)


def test_refusals_are_kept_once_however_often_their_lines_are_delivered(ask: Ask, context: Any) -> None:
    for _ in range(2):
        deliver(context, told(REFUSED), told(REFUSED | {"reason": "signature-refused"}))

    _, body = ask(day="2026-11-21", act="request-refused")

    assert sorted(item["detail"]["reason"] for item in body["items"]) == ["session-refused", "signature-refused"]


def test_a_line_that_cannot_be_read_is_an_error_and_repeats_nothing(ask: Ask, context: Any, log: Any) -> None:
    deliver(context, {"audit": {"reason": "Amina"}}, told(REFUSED))

    assert len(ask(day="2026-11-21")[1]["items"]) == 1
    assert '"level":"ERROR"' in log.getvalue()
    assert "Amina" not in log.getvalue()


def test_without_a_filter_it_is_today(ask: Ask, audit_table: Table) -> None:
    AuditTable(audit_table).keep(kept(1, at=datetime.now(UTC)))
    AuditTable(audit_table).keep(kept(2, at=NOW.replace(year=2020)))

    assert [item["event_id"] for item in ask()[1]["items"]] == ["audit-1"]


def test_the_list_comes_in_pages(ask: Ask, audit_table: Table) -> None:
    for number in range(3):
        AuditTable(audit_table).keep(kept(number, at=NOW.replace(minute=number)))

    _, first = ask(day="2026-11-21", limit="2")
    _, rest = ask(day="2026-11-21", limit="2", cursor=first["next_cursor"])

    assert [item["event_id"] for item in first["items"] + rest["items"]] == ["audit-2", "audit-1", "audit-0"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    [{"day": "yesterday"}, {"household_id": "h"}, {"act": "Signed in"}, {"cursor": "x"}, {"limit": "101"}],
    ids=str,
)
def test_a_wrong_question_is_told_where_it_is_wrong(ask: Ask, query: dict[str, str]) -> None:
    status, body = ask(**query)

    assert (status, body["type"]) == (400, "urn:paygo:problem:invalid-request")


def test_nobody_but_an_operator_reads_the_audit(ask: Ask) -> None:
    status, body = ask(user=None)

    assert (status, body["type"]) == (403, "urn:paygo:problem:operator-refused")


def test_what_operators_do_with_dead_letters_is_in_the_audit_too(
    ask: Ask, table: Table, tables: None, api_event: Any, context: Any
) -> None:
    ids = [letter(number=number).letter_id for number in (1, 2, 3)]
    for number in (1, 2, 3):
        archived = Entry(at=NOW, what=What.ARCHIVED, message_id=f"message-{number}")
        LetterTable(table).keep(letter(number=number), "{}", archived)

    def post(path: str, body: object, resource: str | None = None) -> None:
        headers = {"Idempotency-Key": f"key-of{path.replace('/', '.')}"}
        asked = api_event("POST", path, resource=resource, body=body, headers=headers)
        asked["requestContext"]["identity"]["userArn"] = OPERATOR.name
        assert dead_letters.handler(asked, context)["statusCode"] == 200

    post(f"/operations/dead-letters/{ids[0]}/discard", {"reason": "Refunded."})
    post("/operations/discards", {"filter": {"service": "ledger"}, "reason": "All refunded."})

    told_ = {item["act"]: item for item in ask()[1]["items"]}
    assert told_["dead-letter-discarded"]["detail"] == {
        "operator": OPERATOR.name,
        "letter_id": ids[0],
        "reason": "Refunded.",
    }
    assert told_["dead-letters-discarded"]["detail"]["letters"] == "2"
    assert told_["dead-letters-discarded"]["source_ip"] == "192.0.2.1"
