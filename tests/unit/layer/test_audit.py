from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from paygo.audit import LONGEST, Act, Origin, audit_event
from paygo.events import AuditRecorded
from paygo.identities import identity_hash

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
FACTS: dict[str, Any] = {"source": "/paygo-test/identity", "time": NOW, "correlation_id": "request-1"}
SESSION = SimpleNamespace(session_id="s-1", household_id="h-1", identity_id="eu-west-1:1", registration_id="r-1")


def test_an_act_is_told_with_whom_it_is_about_and_where_it_came_from() -> None:
    event = audit_event(
        Act.SIGNED_IN,
        **FACTS,
        origin=Origin(source_ip="192.0.2.1", user_agent="app/1"),
        concerned=SESSION,
        detail={"kind": "own"},
    )

    assert (event.type, event.subject, event.time) == ("identity.audit-recorded.v1", "s-1", NOW)
    assert (event.source, event.correlationid) == ("/paygo-test/identity", "request-1")
    assert event.data == AuditRecorded(
        act="signed-in",
        session_id="s-1",
        household_id="h-1",
        identity_hash=identity_hash("eu-west-1:1"),
        registration_id="r-1",
        source_ip="192.0.2.1",
        user_agent="app/1",
        detail={"kind": "own"},
    )


def test_what_nobody_asked_for_comes_from_nowhere() -> None:
    data = audit_event(Act.SESSION_ENDED, **FACTS, concerned=SESSION).data

    assert (data.source_ip, data.user_agent, data.detail) == (None, None, {})


def test_an_act_may_be_about_an_address_alone() -> None:
    event = audit_event(Act.SESSIONS_LIMITED, **FACTS, origin=Origin(source_ip="192.0.2.1"))

    assert event.subject == "192.0.2.1"
    assert (event.data.session_id, event.data.household_id, event.data.user_agent) == (None, None, None)


def test_an_act_about_nobody_is_still_an_event() -> None:
    assert audit_event(Act.SESSIONS_LIMITED, **FACTS).subject == "sessions-limited"


def test_an_act_that_gives_a_session_its_household_names_it() -> None:
    anonymous = SimpleNamespace(session_id="s-1", household_id=None, identity_id="eu-west-1:1", registration_id=None)

    assert audit_event(Act.SIGNED_IN, **FACTS, concerned=anonymous, household_id="h-2").data.household_id == "h-2"
    assert audit_event(Act.SIGNED_OUT, **FACTS, household_id="h-2").subject == "h-2"
    assert audit_event(Act.SIGNED_OUT, **FACTS, session_id="s-2", household_id="h-2").subject == "s-2"


def test_a_strangers_words_are_cut() -> None:
    data = audit_event(
        Act.SESSION_OPENED, **FACTS, origin=Origin(user_agent="x" * 5_000), detail={"reason": "y" * 5_000}
    ).data

    assert (data.user_agent, data.detail) == ("x" * LONGEST, {"reason": "y" * LONGEST})


def test_the_name_of_an_act_is_words() -> None:
    for act in Act:
        AuditRecorded(act=act)
    with pytest.raises(ValidationError):
        AuditRecorded(act="Signed in")
