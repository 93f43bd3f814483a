"""`make audit`, against answers that the contract's models make."""

import json
from typing import Any

from operations import wire
from operations.audit import AuditEvent
from tests.unit.operate.conftest import API, Run
from tests.unit.operations.makers import audit_event

ROUTE = f"{API}/operations/audit-events"


def listed(*events: AuditEvent, cursor: str | None = None) -> Any:
    items = tuple(wire.Audited.of(event) for event in events)
    return json.loads(wire.AuditEventPage(items=items, next_cursor=cursor).model_dump_json())


def test_the_audit_says_who_did_what_when_and_from_where(run: Run, api: Any) -> None:
    api.get(ROUTE, json=listed(audit_event(), cursor="next"))
    refused: dict[str, Any] = {
        "act": "request-refused",
        "household_id": None,
        "session_id": None,
        "source_ip": None,
        "user_agent": None,
    }
    api.get(ROUTE, json=listed(audit_event(2, **refused, identity_hash="0a1b", detail={})))

    status, out, _ = run("audit")

    assert status == 0
    (first, second) = [line.split() for line in out.splitlines() if "2026-11-21" in line]
    assert first == [
        "2026-11-21",
        "10:25:00",
        "signed-in",
        "7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01",
        "session-1",
        "192.0.2.1",
        "paygo-client/1.0",
        "kind=own",
    ]
    assert second[2:] == ["request-refused", "-", "0a1b", "-", "-"]
    assert "cursor=next" in api.calls[1].request.url


def test_the_audit_is_narrowed_by_day_household_act_and_number(run: Run, api: Any) -> None:
    api.get(ROUTE, json=listed(audit_event(1), audit_event(2), cursor="next"))

    status, out, _ = run(
        "audit", "--day", "2026-11-21", "--household", "h-1", "--act", "signed-in", "--limit", "1", "--json"
    )

    assert (status, [event["event_id"] for event in json.loads(out)]) == (0, ["audit-1"])
    assert api.calls[0].request.params == {
        "day": "2026-11-21",
        "household_id": "h-1",
        "act": "signed-in",
        "limit": "1",
    }


def test_nothing_is_said_to_be_nothing(run: Run, api: Any) -> None:
    api.get(ROUTE, json=listed())

    assert run("audit") == (0, "Nothing was done that is meant.\n", "")


def test_a_strangers_words_cannot_steer_the_terminal(run: Run, api: Any) -> None:
    api.get(ROUTE, json=listed(audit_event(user_agent="\x1b[2J", detail={"route": "\x07"})))

    out = run("audit")[1]

    assert "\x1b" not in out
    assert "\x07" not in out
