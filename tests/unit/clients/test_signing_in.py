import builtins
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from paygo_client import ApiUnreachable, PaygoProblem, SessionState, UnexpectedAnswer
from tests.unit.clients.apps import CUSTOMER, opened, paths
from tests.unit.clients.scripted_api import CUT, NOW, Scripted, ScriptedApi, Time, answer, problem, session

PASSWORD = "correct-horse-battery-9"
CONFIGURATION = {
    "region": "eu-west-1",
    "user_pool_id": "eu-west-1_AbCdEf123",
    "user_pool_client_id": "1example23456789",
    "issuer": "https://api.example.org/v",
    "audience": "paygo-demo",
    "jwks_uri": "https://api.example.org/v/.well-known/jwks.json",
}
CHALLENGE = {
    "ChallengeName": "PASSWORD_VERIFIER",
    "ChallengeParameters": {
        "USERNAME": "7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01",
        "USER_ID_FOR_SRP": "7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01",
        "SALT": "7e3d5a1b9c",
        "SRP_B": "ab" * 384,
        "SECRET_BLOCK": "c2VjcmV0LWJsb2Nr",
    },
}
SIGNED_IN = answer(session("second", "authenticated"))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedApi]:
    """The API, and the user pool where AWS's tools look for an endpoint of one's own."""
    with ScriptedApi() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url.partition("/_aws")[0])
        yield running


def pool(body: dict[str, Any], status: int = 200) -> Scripted:
    return Scripted(status, json.dumps(body).encode(), {"Content-Type": "application/x-amz-json-1.1"})


def refusal(code: str, status: int = 400) -> Scripted:
    return pool({"__type": code, "message": "Incorrect username or password."}, status)


def test_an_own_household_signs_in_by_srp_and_exchanges_the_id_token(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    tokens = {"AuthenticationResult": {"IdToken": "an.id.token", "AccessToken": "a", "RefreshToken": "r"}}
    api.will(answer(CONFIGURATION), pool(CHALLENGE), pool(tokens), SIGNED_IN)

    details = app.sign_in("amina@example.org", PASSWORD)

    assert details.state is SessionState.AUTHENTICATED
    assert details == app.details
    configuration, asked, proved, exchanged = api.asked[1:]
    assert "Authorization" not in configuration.headers
    assert asked.json["AuthFlow"] == "USER_SRP_AUTH"
    assert asked.json["AuthParameters"]["USERNAME"] == "amina@example.org"
    assert proved.json["ChallengeResponses"]["PASSWORD_CLAIM_SIGNATURE"]
    assert exchanged.target.endswith("/v1/sign-ins")
    assert exchanged.json == {"kind": "own", "id_token": "an.id.token"}
    assert not any(PASSWORD.encode() in one.body for one in api.asked)
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize("code", ["NotAuthorizedException", "UserNotFoundException", "UserNotConfirmedException"])
def test_what_the_user_pool_refuses_is_refused_as_by_the_api(api: ScriptedApi, time: Time, code: str) -> None:
    app = opened(api, time)
    api.will(answer(CONFIGURATION), pool(CHALLENGE), refusal(code))

    with pytest.raises(PaygoProblem) as refused:
        app.sign_in("amina@example.org", PASSWORD)

    assert (refused.value.kind, refused.value.status) == ("sign-in-refused", 401)


def test_a_user_pool_that_is_asked_too_often_says_so(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer(CONFIGURATION), *[refusal("LimitExceededException")] * 3)

    with pytest.raises(PaygoProblem) as refused:
        app.sign_in("amina@example.org", PASSWORD)

    assert (refused.value.kind, refused.value.status) == ("too-many-requests", 429)


@pytest.mark.parametrize(
    "answers",
    [
        [refusal("InvalidParameterException")],
        [pool({"ChallengeName": "CUSTOM_CHALLENGE", "ChallengeParameters": {}})],
        [pool(CHALLENGE), pool({"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "s"})],
        [pool(CHALLENGE), pool({"ChallengeName": "MFA_SETUP", "Session": "s"})],
    ],
    ids=["error", "first challenge", "second factor", "no token"],
)
def test_a_user_pool_that_answers_otherwise_is_told_apart(
    api: ScriptedApi, time: Time, answers: list[Scripted]
) -> None:
    app = opened(api, time)
    api.will(answer(CONFIGURATION), *answers)

    with pytest.raises(UnexpectedAnswer, match="user pool"):
        app.sign_in("amina@example.org", PASSWORD)


def test_a_user_pool_that_does_not_answer_is_unreachable(
    api: ScriptedApi, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(api, time)
    api.will(answer(CONFIGURATION))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")

        with pytest.raises(ApiUnreachable, match="user pool"):
            app.sign_in("amina@example.org", PASSWORD)


def test_signing_in_by_password_says_what_must_be_installed(
    api: ScriptedApi, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(api, time)
    api.will(answer(CONFIGURATION))
    really_import = builtins.__import__

    def without_pycognito(name: str, *more: Any) -> Any:
        if name.startswith("pycognito"):
            raise ModuleNotFoundError(name="pycognito")
        return really_import(name, *more)

    monkeypatch.setattr(builtins, "__import__", without_pycognito)

    with pytest.raises(ModuleNotFoundError, match=r"needs pycognito: install paygo-client\[sign-in\]"):
        app.sign_in("amina@example.org", PASSWORD)


def test_a_customer_of_a_bank_signs_in_with_a_new_code(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(SIGNED_IN)

    assert app.sign_in_with_bank(CUSTOMER).household_id == UUID("7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01")
    assert api.asked[1].json == {
        "kind": "partner",
        "partner": "bank",
        "customer_number": "1002003004",
        "one_time_code": "493817",
    }


@pytest.mark.parametrize(
    "lost", [CUT, problem(502, "bad-gateway"), problem(409, "session-changed")], ids=["cut", "502", "changed meanwhile"]
)
def test_the_answer_of_a_sign_in_that_was_lost_is_asked_for_again(api: ScriptedApi, time: Time, lost: Scripted) -> None:
    app = opened(api, time)
    api.will(lost, SIGNED_IN)

    assert app.sign_in_with_bank(CUSTOMER).state is SessionState.AUTHENTICATED
    assert paths(api) == ["POST /v1/sign-ins", "POST /v1/sessions/current/credentials"]


def test_a_sign_in_that_was_lost_on_its_way_is_told_as_such(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(CUT, problem(409, "registration-undecided"))

    with pytest.raises(ApiUnreachable, match="sign-ins"):
        app.sign_in_with_bank(CUSTOMER)


def test_a_session_that_ended_meanwhile_is_told_instead_of_the_lost_answer(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(CUT, problem(403, "session-refused"))

    with pytest.raises(PaygoProblem, match="403"):
        app.sign_in_with_bank(CUSTOMER)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "sign-in-refused"), (409, "registration-under-way"), (503, "partner-unavailable")]
)
def test_a_refused_sign_in_is_not_asked_for_again(api: ScriptedApi, time: Time, status: int, kind: str) -> None:
    app = opened(api, time)
    api.will(problem(status, kind))

    with pytest.raises(PaygoProblem) as refused:
        app.sign_in_with_bank(CUSTOMER)

    assert (refused.value.kind, len(api.asked)) == (kind, 2)
    assert app.details.state is SessionState.ANONYMOUS


@pytest.mark.parametrize("lost", [CUT, problem(503, "unavailable")], ids=["cut", "503"])
def test_the_answer_of_an_escalation_that_was_lost_is_asked_for_again(
    api: ScriptedApi, time: Time, lost: Scripted
) -> None:
    app = opened(api, time)
    api.will(lost, SIGNED_IN)

    assert app.escalate().state is SessionState.AUTHENTICATED
    assert [asked.headers["Authorization"].count("ASIAFIRST") for asked in api.asked[1:]] == [1, 1]


def test_an_escalation_that_a_refresh_brought_needs_no_call(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    time.now = NOW + timedelta(minutes=56)
    api.will(answer(session("second", "authenticated", NOW + timedelta(hours=2))))

    assert app.escalate().state is SessionState.AUTHENTICATED
    assert paths(api) == ["POST /v1/sessions/refresh"]


def test_the_households_sessions_are_listed_page_by_page(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    entry = {
        "session_id": "0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
        "state": "authenticated",
        "opened_at": "2026-11-21T10:00:00Z",
        "expires_at": "2026-12-21T10:00:00Z",
        "current": True,
        "user_agent": "paygo-client/0.1.0",
    }
    api.will(
        answer({"items": [entry], "next_cursor": "more"}),
        answer({"items": [entry | {"current": False, "user_agent": None}], "next_cursor": None}),
    )

    sessions = list(app.sessions(page_size=1))

    assert [(one.current, one.user_agent) for one in sessions] == [(True, "paygo-client/0.1.0"), (False, None)]
    assert paths(api) == ["GET /v1/sessions?limit=1", "GET /v1/sessions?cursor=more&limit=1"]


def test_an_app_says_what_it_is(api: ScriptedApi, time: Time) -> None:
    opened(api, time)

    assert api.asked[0].headers["User-Agent"].startswith("paygo-client/")


def test_sessions_are_signed_out_of_one_by_one_or_all_at_once(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(*[Scripted(204)] * 3)

    app.sign_out_of(UUID("0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11"))
    app.sign_out_everywhere()
    app.sign_out()

    assert paths(api) == [
        "DELETE /v1/sessions/0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11",
        "DELETE /v1/sessions",
        "DELETE /v1/sessions/current",
    ]


def test_a_sign_out_whose_answer_was_lost_is_done(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(CUT, problem(403, "session-refused"))

    app.sign_out()

    assert len(api.asked) == 3


def test_a_sign_out_that_is_refused_is_told(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(problem(403, "refused"))

    with pytest.raises(PaygoProblem):
        app.sign_out()
