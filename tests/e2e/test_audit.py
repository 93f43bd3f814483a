"""What sessions do and are refused on a deployed stack is told to operators, and never a secret."""

import json
import time
from collections.abc import Callable, Sequence
from itertools import islice

import pytest
import requests

from demo.stage import Stage
from operate.access import Access as OperatorAccess
from operate.answers import Audited
from operate.routes import Routes
from paygo.identities import identity_hash
from paygo_client import Session
from paygo_client.models import SessionDetails
from tests.e2e.callers import refused, routes, send_signed
from tests.e2e.refusals import World

RECENT = 2_000
"""Other tests call the stack too, but not so often in a minute."""


def told(operator: OperatorAccess, is_meant: Callable[[Audited], bool], acts: set[str]) -> Sequence[Audited]:
    """Return today's events that are meant, newest first, once all the acts are among them."""
    deadline = time.monotonic() + 60
    while True:
        events = [event for event in islice(Routes(operator).audit({}), RECENT) if is_meant(event)]
        missing = acts - {event.act for event in events}
        if not missing:
            return events
        if time.monotonic() > deadline:
            pytest.fail(f"Within a minute the audit tells nothing of {', '.join(sorted(missing))}.")
        time.sleep(0.5)


def secrets_of(details: SessionDetails) -> list[str]:
    keys = details.credentials
    return [
        keys.secret_access_key,
        keys.session_token,
        details.bearer.token,
        details.refresh_token,
        details.refresh_token.rpartition(".")[2],
    ]


def test_the_life_of_a_session_is_in_the_audit_without_its_secrets(stage: Stage, operator: OperatorAccess) -> None:
    with Session.open(stage.access.api_url) as app:
        opened = app.details
        app.token(["sessions:read"])
        refreshed = app.refresh()
        app.sign_out()
    refused(send_signed(stage, routes()["readSession"], refreshed), "readSession", kinds={"session-refused"})

    session_id = str(opened.session_id)
    acts = {"session-opened", "token-issued", "session-refreshed", "signed-out", "request-refused"}
    events = told(
        operator, lambda it: session_id == it.session_id or identity_hash(opened.identity_id) == it.identity_hash, acts
    )

    by_act = {event.act: event for event in events}
    assert len(events) == len(acts)
    assert [event.act for event in events if event.act != "request-refused"] == [
        "signed-out",
        "session-refreshed",
        "token-issued",
        "session-opened",
    ]
    assert by_act["token-issued"].detail["scopes"] == "sessions:read"
    assert by_act["request-refused"].detail["reason"] == "session-refused"
    assert by_act["request-refused"].detail["route"] == "/v1/sessions/current"
    for event in events:
        assert event.source_ip
        assert event.user_agent
        assert event.correlation_id
    everything = json.dumps([event.model_dump(mode="json") for event in events])
    assert [secret for each in (opened, refreshed) for secret in secrets_of(each) if secret in everything] == []


def test_a_refused_token_is_in_the_audit_with_where_it_came_from(stage: Stage, operator: OperatorAccess) -> None:
    with Session.open(stage.access.api_url) as app:
        opened = app.details
        app.sign_out()
    headers = {"Authorization": f"Bearer {opened.bearer.token}", "User-Agent": "a-thief/1.0"}
    answer = requests.get(f"{stage.access.api_url}/bearer/v1/sessions/current", headers=headers, timeout=30)
    assert answer.status_code == 401

    session_id = str(opened.session_id)
    (event,) = told(
        operator, lambda it: (it.session_id, it.act) == (session_id, "request-refused"), {"request-refused"}
    )

    assert event.detail["reason"] == "session-refused"
    assert event.detail["route"] == "/bearer/v1/sessions/current"
    assert (event.source_ip, event.user_agent) == ("127.0.0.1", "a-thief/1.0")
    assert answer.json()["instance"] == f"urn:paygo:request:{event.correlation_id}"


def test_how_a_household_came_to_be_is_in_the_audit(world: World, operator: OperatorAccess) -> None:
    household_id = str(world.household.household_id)
    events = told(operator, lambda it: it.household_id == household_id, {"session-escalated"})
    registering = [event for event in events if event.act == "registration-moved"]
    moves = [(event.detail.get("previous"), event.detail["state"]) for event in registering]
    listed = list(Routes(operator).audit({"household_id": household_id, "act": "session-escalated"}))

    assert (None, "unconfirmed") in moves
    assert ("unconfirmed", "submitted") in moves
    assert any(state == "approved" for _, state in moves)
    assert {event.session_id for event in registering} == {str(world.household.session_id)}
    # Another phone of the same household may have signed in since.
    assert str(world.household.session_id) in {event.session_id for event in listed}
