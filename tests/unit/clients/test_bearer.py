import json
from datetime import timedelta

import pytest

from paygo_client import PaygoProblem, Session, SessionDetails
from tests.unit.clients.apps import HOUSEHOLD, opened, paths
from tests.unit.clients.scripted_api import NOW, ScriptedApi, Time, answer, bearer, problem, session
from tests.unit.clients.test_registrations import registration


def test_a_token_calls_the_same_routes_under_bearer_without_a_signature(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time, bearer=True)
    api.will(
        answer(registration("unconfirmed"), 202),
        answer(session("second", "authenticated")),
        answer({"items": [], "next_cursor": None}),
    )

    app.register(HOUSEHOLD)
    app.escalate()
    devices = list(app.devices(page_size=3))

    assert devices == []
    assert paths(api) == [
        "POST /bearer/v1/registrations",
        "POST /bearer/v1/sessions/current/credentials",
        "GET /bearer/v1/devices?limit=3",
    ]
    sent = [asked.headers["Authorization"] for asked in api.asked[1:]]
    assert sent == ["Bearer bearer-first", "Bearer bearer-first", "Bearer bearer-second"]
    assert not any("X-Amz-Date" in asked.headers for asked in api.asked)


def test_a_token_is_replaced_before_it_expires(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time, bearer=True)
    api.will(answer(session("second", expires_at=NOW + timedelta(hours=2))), answer(session()))

    time.now = NOW + timedelta(minutes=55)
    app.status()

    assert paths(api) == ["POST /v1/sessions/refresh", "GET /bearer/v1/sessions/current"]
    assert "Authorization" not in api.asked[1].headers
    assert api.asked[2].headers["Authorization"] == "Bearer bearer-second"


def test_a_kept_session_goes_on_with_its_token(api: ScriptedApi, time: Time) -> None:
    kept = SessionDetails.model_validate(session("own", "authenticated")).model_dump_json()
    api.will(answer(session("own", "authenticated")))

    app = Session.resume(api.url, SessionDetails.model_validate_json(kept), bearer=True, clock=time.clock)
    app.status()

    assert api.asked[0].headers["Authorization"] == "Bearer bearer-own"


def test_a_token_that_may_do_less_is_asked_for_by_its_scopes(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer(bearer("narrow", "devices:read", "sessions:read"), 201), problem(400, "invalid-request"))

    token = app.token(["sessions:read", "devices:read", "devices:read"])
    with pytest.raises(PaygoProblem):
        app.token(["devices:write"])

    assert (token.token, token.scopes) == ("bearer-narrow", frozenset({"devices:read", "sessions:read"}))
    assert token.expires_at == NOW + timedelta(hours=1)
    assert paths(api)[0] == "POST /v1/sessions/current/tokens"
    assert json.loads(api.asked[1].body) == {"scopes": ["devices:read", "sessions:read"]}
