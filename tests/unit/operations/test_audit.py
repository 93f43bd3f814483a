"""The audit: how it is kept and read, and what a refusal's line tells."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from operations.audit import LONGEST, AuditEvent, AuditFilter, UnreadableRefusal, act_of_operator, refusals_of
from operations.errors import LogBatch
from operations.repository import AUDITED, AuditTable
from paygo import storage
from paygo.storage import InvalidCursor, Table
from tests.unit.operations.makers import MINUTE, NOW, OPERATOR, audit_event

TODAY = NOW.date()
HOUSEHOLD = audit_event().household_id
ANYTHING = AuditFilter()


@pytest.fixture
def audit(audit_table: Table) -> AuditTable:
    return AuditTable(audit_table)


def ids(audit: AuditTable, wanted: AuditFilter, *, limit: int = 10) -> list[str]:
    return [event.event_id for event in audit.page(wanted, TODAY, limit=limit, cursor=None).events]


def test_an_event_is_kept_as_it_was_told(audit: AuditTable) -> None:
    audit.keep(audit_event())

    assert audit.page(ANYTHING, TODAY, limit=10, cursor=None).events == (audit_event(),)


def test_an_event_that_comes_twice_is_kept_once(audit: AuditTable) -> None:
    for _ in range(2):
        audit.keep(audit_event())

    assert ids(audit, ANYTHING) == ["audit-1"]
    assert ids(audit, AuditFilter(household_id=HOUSEHOLD)) == ["audit-1"]


def test_nothing_that_was_kept_is_written_over(audit: AuditTable) -> None:
    audit.keep(audit_event())
    audit.keep(audit_event(act="signed-out"))

    (kept,) = audit.page(ANYTHING, TODAY, limit=10, cursor=None).events
    assert kept.act == "signed-in"


def test_the_newest_comes_first_and_each_day_is_a_list_of_its_own(audit: AuditTable) -> None:
    for number, at in ((1, NOW), (2, NOW + MINUTE), (3, NOW - timedelta(days=1))):
        audit.keep(audit_event(number, at=at))

    assert ids(audit, ANYTHING) == ["audit-2", "audit-1"]
    assert ids(audit, AuditFilter(day=TODAY - timedelta(days=1))) == ["audit-3"]
    assert ids(audit, AuditFilter(day=date(2020, 1, 1))) == []


def test_a_day_is_one_of_utc(audit: AuditTable) -> None:
    audit.keep(audit_event(at=datetime.fromisoformat("2026-11-22T01:00:00+03:00")))

    assert ids(audit, AuditFilter(day=date(2026, 11, 21))) == ["audit-1"]


def test_all_of_a_household_is_found_over_all_days_or_one(audit: AuditTable) -> None:
    audit.keep(audit_event(1))
    audit.keep(audit_event(2, at=NOW - timedelta(days=30)))
    audit.keep(audit_event(3, household_id="another"))
    audit.keep(audit_event(4, household_id=None))

    assert ids(audit, AuditFilter(household_id=HOUSEHOLD)) == ["audit-1", "audit-2"]
    assert ids(audit, AuditFilter(household_id=HOUSEHOLD, day=TODAY)) == ["audit-1"]
    assert ids(audit, ANYTHING) == ["audit-4", "audit-3", "audit-1"]


def test_events_of_one_act_are_found_among_the_others_page_by_page(audit: AuditTable) -> None:
    for number in range(7):
        act = "signed-out" if number % 3 == 0 else "signed-in"
        audit.keep(audit_event(number, at=NOW + number * MINUTE, act=act))
    wanted = AuditFilter(act="signed-out")

    first = audit.page(wanted, TODAY, limit=2, cursor=None)
    rest = audit.page(wanted, TODAY, limit=2, cursor=first.next_cursor)

    assert [event.event_id for event in first.events] == ["audit-6", "audit-3"]
    assert [event.event_id for event in rest.events] == ["audit-0"]
    assert rest.next_cursor is None


def test_a_search_that_finds_little_answers_with_where_to_go_on(
    audit: AuditTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        audit.keep(audit_event(number, at=NOW + number * MINUTE))
    monkeypatch.setattr(storage, "EXAMINED", 2)

    page = audit.page(AuditFilter(act="signed-out"), TODAY, limit=1, cursor=None)

    assert page.events == ()
    assert page.next_cursor is not None


def test_a_cursor_of_another_list_is_refused(audit_table: Table) -> None:
    with pytest.raises(InvalidCursor):
        AuditTable(audit_table).page(ANYTHING, TODAY, limit=1, cursor="nonsense")


def test_an_event_goes_after_four_hundred_days(audit_table: Table) -> None:
    AuditTable(audit_table).keep(audit_event())

    for pk in ("DAY#2026-11-21", f"HOUSEHOLD#{HOUSEHOLD}"):
        item = audit_table.get(pk=pk, sk="2026-11-21T10:25:00.000000+00:00#audit-1")
        assert item is not None
        assert item["expires_at"] == int((NOW + AUDITED).timestamp())
    assert timedelta(days=400) == AUDITED


REFUSED: dict[str, Any] = {
    "act": "request-refused",
    "reason": "session-refused",
    "method": "GET",
    "route": "/v1/devices",
    "caller": {"identity_hash": "0a1b", "session_id": "session-1", "household_id": None, "kind": "household"},
    "source_ip": "192.0.2.7",
    "user_agent": "curl/8",
    "request_id": "request-9",
    "time": "2026-11-21T10:24:59Z",
}


def logged(*lines: object, message_type: str = "DATA_MESSAGE") -> LogBatch:
    return LogBatch.model_validate(
        {
            "messageType": message_type,
            "logGroup": "/aws/lambda/paygo-test-devices-devices",
            "logStream": "2026/11/21/[1]abc",
            "logEvents": [
                {
                    "id": f"line-{place}",
                    "timestamp": int(NOW.timestamp() * 1000),
                    "message": line if isinstance(line, str) else json.dumps(line),
                }
                for place, line in enumerate(lines)
            ],
        }
    )


def told(audit: Any) -> dict[str, Any]:
    return {"level": "WARNING", "message": "Refused", "correlation_id": "request-9", "audit": audit}


def test_a_refusal_is_read_from_its_line() -> None:
    (event,) = refusals_of(logged(told(REFUSED)))

    assert event == AuditEvent(
        event_id="line-0",
        act="request-refused",
        at=NOW,
        session_id="session-1",
        identity_hash="0a1b",
        source_ip="192.0.2.7",
        user_agent="curl/8",
        correlation_id="request-9",
        detail={
            "kind": "household",
            "reason": "session-refused",
            "method": "GET",
            "route": "/v1/devices",
            "request_id": "request-9",
            "function": "paygo-test-devices-devices",
        },
    )


def test_a_refusal_of_nobody_known_is_read_too() -> None:
    (event,) = refusals_of(logged({"audit": {"act": "request-refused", "caller": None}}))

    assert isinstance(event, AuditEvent)
    assert (event.session_id, event.source_ip, event.correlation_id) == (None, None, None)
    assert event.at.tzinfo is UTC


def test_a_strangers_words_are_cut() -> None:
    (event,) = refusals_of(logged(told(REFUSED | {"user_agent": "x" * 5_000, "route": "y" * 5_000})))

    assert isinstance(event, AuditEvent)
    assert (event.user_agent, event.detail["route"]) == ("x" * LONGEST, "y" * LONGEST)


@pytest.mark.parametrize(
    "line",
    ["no JSON", "[]", {}, told(None), told("text"), told({"reason": "no act"}), told(REFUSED | {"caller": "text"})],
    ids=str,
)
def test_a_line_that_tells_no_refusal_hides_no_other(line: object) -> None:
    unreadable, event = refusals_of(logged(line, told(REFUSED)))

    assert isinstance(unreadable, UnreadableRefusal)
    assert str(unreadable) == "line-0"
    assert isinstance(event, AuditEvent)


def test_a_control_message_tells_nothing() -> None:
    assert list(refusals_of(logged(told(REFUSED), message_type="CONTROL_MESSAGE"))) == []


def test_what_an_operator_did_is_told_with_their_name_and_address() -> None:
    event = act_of_operator("e-1", "dead-letter-discarded", OPERATOR, NOW, correlation_id="r-1", reason="z" * 5_000)

    assert (event.act, event.source_ip, event.correlation_id) == ("dead-letter-discarded", "192.0.2.1", "r-1")
    assert event.detail == {"operator": OPERATOR.name, "reason": "z" * LONGEST}
