import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from identity import composition
from identity.handlers import sessions as handler
from identity.handlers import sign_ins, sweep_sessions
from identity.model import BankCustomer, BankCustomerRefused
from identity.usecases.sessions import Makers, Opened
from paygo.identities import identity_hash
from paygo.partners import PartnerUnavailable
from paygo.security import Session, SessionState, first_use_key
from paygo.storage import Table
from tests.unit.identity.fakes import FakeCredentials
from tests.unit.identity.session_fakes import SessionsOnTables, Visits, makers
from tests.unit.identity.test_signing_in import FakeIdTokens

HOUSEHOLD = "7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01"
OWN = {"kind": "own", "id_token": f"token of {HOUSEHOLD}"}
PARTNER = {"kind": "partner", "partner": "bank", "customer_number": "1002003004", "one_time_code": "493817"}

type Send = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def visits(monkeypatch: pytest.MonkeyPatch, sessions: Table, table: Table, idempotency: Table) -> Visits:
    """Sessions on the handlers' own tables, made just now, with Cognito and KMS in memory."""
    visits = Visits(SessionsOnTables(sessions, table, idempotency))
    monkeypatch.setattr(handler, "MAKERS", visits.makers)
    monkeypatch.setattr(sign_ins, "MAKERS", visits.makers)
    monkeypatch.setattr(sweep_sessions, "CREDENTIALS", visits.credentials)
    # The invocations of tests have ten seconds left.
    monkeypatch.setattr(sweep_sessions, "SPARE_MILLISECONDS", 5000)
    monkeypatch.setattr(composition, "id_tokens", FakeIdTokens)
    table.put({"pk": f"HOUSEHOLD#{HOUSEHOLD}", "sk": "HOUSEHOLD", "household_id": HOUSEHOLD})
    return visits


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def send(api_event: Any, context: Any) -> Send:
    def send_(method: str, path: str, **given: Any) -> dict[str, Any]:
        module = sign_ins if path.endswith("/v1/sign-ins") else handler
        answered: dict[str, Any] = module.handler(api_event(method, path, **given), context)
        answered["json"] = json.loads(answered["body"]) if answered["body"] else None
        return answered

    return send_


def signed(session: Session, kind: str) -> dict[str, str]:
    return {"identity_id": session.identity_id, "authentication_type": kind}


def anonymous(opened: Opened) -> dict[str, str]:
    return signed(opened.session, "unauthenticated")


def household(opened: Opened) -> dict[str, str]:
    return signed(opened.session, "authenticated")


def header(answered: dict[str, Any], name: str) -> str | None:
    values: list[str] = answered["multiValueHeaders"].get(name, [])
    return values[0] if values else None


def kind(answered: dict[str, Any]) -> tuple[int, str]:
    return answered["statusCode"], answered["json"]["type"].removeprefix("urn:paygo:problem:")


def test_opening_a_session_answers_what_the_app_needs(send: Send) -> None:
    answered = send("POST", "/v1/sessions")

    assert answered["statusCode"] == 201
    assert header(answered, "Location") == "/v1/sessions/current"
    assert header(answered, "Cache-Control") == "no-store"
    body = answered["json"]
    assert body["state"] == "anonymous"
    assert body["household_id"] is None
    assert body["region"] == "us-east-1"
    assert body["credentials"]["access_key_id"] == "anonymous"
    assert body["bearer"]["token_type"] == "Bearer"
    assert "sessions:write" in body["bearer"]["scopes"]
    assert body["refresh_token"].startswith(body["identity_id"] + ".")


def test_an_address_that_opens_too_many_sessions_is_told_when_to_come_back(
    send: Send, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    monkeypatch.setattr(handler, "SESSIONS_PER_ADDRESS", 1)
    send("POST", "/v1/sessions")

    answered = send("POST", "/v1/sessions")

    assert kind(answered) == (429, "too-many-requests")
    assert 0 < int(header(answered, "Retry-After") or 0) <= 600
    assert '"reason":"too-many-requests"' in log.getvalue().replace(" ", "")


def test_a_session_reads_where_it_stands(send: Send) -> None:
    opened = send("POST", "/v1/sessions")["json"]
    caller = {"identity_id": opened["identity_id"], "authentication_type": "unauthenticated"}

    answered = send("GET", "/v1/sessions/current", **caller)

    assert answered["statusCode"] == 200
    shown = ("session_id", "state", "household_id", "opened_at", "expires_at")
    assert answered["json"] == {name: opened[name] for name in shown}


def test_a_session_is_refreshed_with_its_token(send: Send, visits: Visits, now: datetime) -> None:
    opened = visits.open(now)

    answered = send("POST", "/v1/sessions/refresh", body={"refresh_token": str(opened.refresh_token)})

    assert answered["statusCode"] == 200
    assert header(answered, "Cache-Control") == "no-store"
    assert answered["json"]["session_id"] == opened.session.session_id
    assert answered["json"]["refresh_token"] != str(opened.refresh_token)


def test_every_refused_token_gets_the_same_answer(send: Send, visits: Visits, now: datetime) -> None:
    opened = visits.open(now)
    used = str(opened.refresh_token)
    visits.refresh(used, now)

    refused = [
        send("POST", "/v1/sessions/refresh", body={"refresh_token": token})
        for token in (used, "nonsense" * 3, f"us-east-1:nobody.{'x' * 44}")
    ]

    assert {kind(each) for each in refused} == {(401, "refresh-refused")}
    assert len({each["body"] for each in refused}) == 1


def test_a_refresh_without_a_token_is_told_so(send: Send) -> None:
    answered = send("POST", "/v1/sessions/refresh", body={})

    assert answered["statusCode"] == 400
    assert answered["json"]["errors"][0]["pointer"] == "/refresh_token"


def test_an_approved_session_is_escalated_and_answered_until_its_first_use(
    send: Send, visits: Visits, idempotency: Table, now: datetime
) -> None:
    opened = visits.approved(now, HOUSEHOLD)

    answers = [send("POST", "/v1/sessions/current/credentials", **anonymous(opened)) for _ in range(2)]
    assert send("GET", "/v1/sessions/current", **household(opened))["statusCode"] == 200
    late = send("POST", "/v1/sessions/current/credentials", **anonymous(opened))

    assert [each["statusCode"] for each in answers] == [200, 200]
    assert {each["json"]["state"] for each in answers} == {"authenticated"}
    assert header(answers[1], "Cache-Control") == "no-store"
    assert idempotency.get(**first_use_key(opened.session))
    assert kind(late) == (403, "session-refused")


def test_the_anonymous_credentials_open_nothing_else_after_the_escalation(
    send: Send, visits: Visits, now: datetime
) -> None:
    opened = visits.approved(now, HOUSEHOLD)
    visits.escalate(opened.session, now)

    refused = [
        send("GET", "/v1/sessions/current", **anonymous(opened)),
        send("DELETE", "/v1/sessions/current", **anonymous(opened)),
        send("POST", "/v1/sign-ins", body=OWN, **anonymous(opened)),
        send("POST", "/v1/sessions/current/tokens", body={"scopes": ["sessions:read"]}, **anonymous(opened)),
        send("GET", "/v1/sessions", **anonymous(opened)),
        send("DELETE", "/v1/sessions", **anonymous(opened)),
    ]

    assert {kind(each) for each in refused} == {(403, "session-refused")}
    assert visits.stored(opened.session).state is SessionState.AUTHENTICATED


def test_escalation_waits_for_the_registration(send: Send, visits: Visits, now: datetime) -> None:
    answered = send("POST", "/v1/sessions/current/credentials", **anonymous(visits.open(now)))

    assert kind(answered) == (409, "registration-undecided")


def test_signing_out_is_at_once(send: Send, visits: Visits, now: datetime) -> None:
    opened = visits.escalated(now, HOUSEHOLD)

    answered = send("DELETE", "/v1/sessions/current", **household(opened))

    assert (answered["statusCode"], answered["body"]) == (204, "")
    assert kind(send("GET", "/v1/sessions/current", **household(opened))) == (403, "session-refused")


def test_a_household_lists_its_sessions(send: Send, visits: Visits, now: datetime) -> None:
    mine, other = visits.escalated(now, HOUSEHOLD), visits.escalated(now, HOUSEHOLD)
    visits.escalated(now, "household-2")

    answered = send("GET", "/v1/sessions", **household(mine))

    assert answered["statusCode"] == 200
    assert answered["json"]["next_cursor"] is None
    shown = {each["session_id"]: each for each in answered["json"]["items"]}
    assert set(shown) == {mine.session.session_id, other.session.session_id}
    assert {each["session_id"] for each in shown.values() if each["current"]} == {mine.session.session_id}
    assert shown[other.session.session_id]["user_agent"] == "paygo-client/1.0"


def test_a_list_of_sessions_is_paged(send: Send, visits: Visits, now: datetime) -> None:
    mine = [visits.escalated(now, HOUSEHOLD) for _ in range(3)]

    first = send("GET", "/v1/sessions", query={"limit": "2"}, **household(mine[0]))["json"]
    query = {"limit": "2", "cursor": first["next_cursor"]}
    second = send("GET", "/v1/sessions", query=query, **household(mine[0]))["json"]

    assert (len(first["items"]), len(second["items"])) == (2, 1)


def test_a_household_signs_out_of_one_session(send: Send, visits: Visits, now: datetime) -> None:
    mine, other = visits.escalated(now, HOUSEHOLD), visits.escalated(now, HOUSEHOLD)
    strangers = visits.escalated(now, "household-2")

    def sign_out(opened: Opened) -> dict[str, Any]:
        return send("DELETE", f"/v1/sessions/{opened.session.session_id}", **household(mine))

    assert sign_out(other)["statusCode"] == 204
    assert kind(sign_out(other)) == kind(sign_out(strangers)) == (404, "not-found")
    assert visits.stored(strangers.session).state is SessionState.AUTHENTICATED


def test_a_household_signs_out_everywhere(send: Send, visits: Visits, now: datetime) -> None:
    mine = [visits.escalated(now, HOUSEHOLD) for _ in range(3)]

    assert send("DELETE", "/v1/sessions", **household(mine[0]))["statusCode"] == 204

    assert {visits.stored(each.session).state for each in mine} == {SessionState.REVOKED}


def issue(send: Send, *scopes: str, **caller: Any) -> dict[str, Any]:
    return send("POST", "/v1/sessions/current/tokens", body={"scopes": list(scopes)}, **caller)


def test_a_token_for_less_is_issued(send: Send, visits: Visits, now: datetime) -> None:
    answered = issue(send, "devices:read", **household(visits.escalated(now, HOUSEHOLD)))

    assert answered["statusCode"] == 201
    assert header(answered, "Cache-Control") == "no-store"
    assert answered["json"]["scopes"] == ["devices:read"]


def test_a_token_for_what_the_session_has_not_is_refused(send: Send, visits: Visits, now: datetime) -> None:
    answered = issue(send, "devices:read", **anonymous(visits.open(now)))

    assert kind(answered) == (400, "invalid-request")
    assert answered["json"]["errors"][0]["pointer"] == "/scopes"


def test_a_bearer_of_few_scopes_gets_no_more(send: Send, visits: Visits, now: datetime) -> None:
    session = visits.escalated(now, HOUSEHOLD).session
    bearer = {
        "identity_hash": identity_hash(session.identity_id),
        "session_id": session.session_id,
        "kind": "household",
        "scope": "sessions:write sessions:read",
    }

    assert issue(send, "devices:write", authorizer=bearer)["statusCode"] == 400
    assert issue(send, "sessions:read", authorizer=bearer)["json"]["scopes"] == ["sessions:read"]


@pytest.mark.parametrize("scopes", [[], ["sessions:read"] * 2, ["everything"], ["a:read"] * 21])
def test_scopes_are_what_the_contract_says(send: Send, visits: Visits, now: datetime, scopes: list[str]) -> None:
    assert issue(send, *scopes, **anonymous(visits.open(now)))["statusCode"] == 400


def test_an_own_household_signs_in(send: Send, visits: Visits, now: datetime) -> None:
    opened = visits.open(now)

    answered = send("POST", "/v1/sign-ins", body=OWN, **anonymous(opened))

    assert answered["statusCode"] == 200
    assert header(answered, "Cache-Control") == "no-store"
    assert answered["json"]["state"] == "authenticated"
    assert answered["json"]["household_id"] == HOUSEHOLD
    assert answered["json"]["credentials"]["access_key_id"] == "authenticated"


class Bank:
    """Stands for a partner's gateway and answers as it is told to."""

    def __init__(self, answer: BankCustomer | Exception) -> None:
        self.answer = answer

    def verify(self, customer_number: str, one_time_code: str, intent: str) -> BankCustomer:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


CUSTOMER = BankCustomer(
    customer_id="customer-1", given_name="Amina", family_name="Odhiambo", email="a@example.org", phone="+254700000001"
)


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Bank:
    bank = Bank(CUSTOMER)
    monkeypatch.setattr(composition, "bank", {"bank": bank}.__getitem__)
    return bank


def test_a_partners_household_signs_in(
    send: Send, visits: Visits, bank: Bank, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = {("bank", "customer-1"): HOUSEHOLD}
    monkeypatch.setattr(sign_ins.HOUSEHOLDS, "customer", lambda *customer: customers.get(customer))

    answered = send("POST", "/v1/sign-ins", body=PARTNER, **anonymous(visits.open(now)))

    assert (answered["statusCode"], answered["json"]["household_id"]) == (200, HOUSEHOLD)


def test_every_refused_sign_in_gets_the_same_answer(send: Send, visits: Visits, bank: Bank, now: datetime) -> None:
    caller = anonymous(visits.open(now))
    refused = [
        send("POST", "/v1/sign-ins", body=OWN | {"id_token": "forged" * 5}, **caller),
        send("POST", "/v1/sign-ins", body=OWN | {"id_token": "token of somebody unknown"}, **caller),
        send("POST", "/v1/sign-ins", body=PARTNER, **caller),
    ]
    bank.answer = BankCustomerRefused()
    refused.append(send("POST", "/v1/sign-ins", body=PARTNER, **caller))

    assert {kind(each) for each in refused} == {(401, "sign-in-refused")}
    assert len({each["body"] for each in refused}) == 1


@pytest.mark.parametrize(("known", "told"), [(None, "30"), (timedelta(seconds=7), "7")])
def test_a_bank_that_is_away_is_told_so(
    send: Send, visits: Visits, bank: Bank, known: timedelta | None, told: str
) -> None:
    bank.answer = PartnerUnavailable("the bank is away", known)
    opened = visits.open(datetime.now(UTC))

    answered = send("POST", "/v1/sign-ins", body=PARTNER, **anonymous(opened))

    assert kind(answered) == (503, "partner-unavailable")
    assert header(answered, "Retry-After") == told


@pytest.mark.parametrize("state", [SessionState.REGISTERING, SessionState.APPROVED])
def test_only_an_anonymous_session_signs_in(send: Send, visits: Visits, now: datetime, state: SessionState) -> None:
    opened = visits.open(now)
    visits.move(opened.session, state=state)

    answered = send("POST", "/v1/sign-ins", body=OWN, **anonymous(opened))

    told = "registration-under-way" if state is SessionState.REGISTERING else "session-approved"
    assert kind(answered) == (409, told)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/kind"),
        ({"kind": "other"}, "/kind"),
        ({"kind": "own"}, "/id_token"),
        ({"kind": "own", "id_token": "x" * 20, "partner": "bank"}, "/partner"),
        (PARTNER | {"partner": "another"}, "/partner"),
        (PARTNER | {"one_time_code": "12345"}, "/one_time_code"),
        (PARTNER | {"customer_number": "none"}, "/customer_number"),
    ],
)
def test_a_sign_in_is_what_the_contract_says(
    send: Send, visits: Visits, now: datetime, body: dict[str, str], pointer: str
) -> None:
    answered = send("POST", "/v1/sign-ins", body=body, **anonymous(visits.open(now)))

    assert kind(answered) == (400, "invalid-request")
    assert [wrong["pointer"] for wrong in answered["json"]["errors"]] == [pointer]


def test_a_session_that_changes_meanwhile_is_told_to_ask_again(
    send: Send, visits: Visits, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = visits.approved(now, HOUSEHOLD)

    class Meanwhile(FakeCredentials):
        def authenticated(self, identity_id: str, session_id: str) -> Any:
            visits.escalate(opened.session, now)
            return visits.credentials.authenticated(identity_id, session_id)

    monkeypatch.setattr(handler, "MAKERS", Makers(Meanwhile(), makers().tokens))

    answered = send("POST", "/v1/sessions/current/credentials", **anonymous(opened))

    assert kind(answered) == (409, "session-changed")


def test_no_session_is_seen_by_who_has_none(send: Send) -> None:
    stranger = {"identity_id": "us-east-1:stranger", "authentication_type": "unauthenticated"}

    answers = [
        send("GET", "/v1/sessions/current", **stranger),
        send("DELETE", "/v1/sessions/current", **stranger),
        send("POST", "/v1/sessions/current/credentials", **stranger),
        send("POST", "/v1/sign-ins", body=OWN, **stranger),
    ]

    assert {kind(each) for each in answers} == {(403, "session-refused")}


def test_the_sweep_removes_what_is_over(visits: Visits, context: Any, log: io.StringIO, now: datetime) -> None:
    over, lasting = visits.open(now - timedelta(days=2)), visits.open(now)

    swept = sweep_sessions.handler({}, context)

    assert swept == {"removed": 1, "kept": 0, "finished": True}
    assert visits.store.find(over.session.identity_id) is None
    assert visits.store.find(lasting.session.identity_id)
    assert '"level":"ERROR"' not in log.getvalue()


def test_a_sweep_reports_identities_that_it_cannot_delete(
    visits: Visits, context: Any, log: io.StringIO, now: datetime
) -> None:
    stuck = visits.open(now - timedelta(days=2)).session.identity_id
    visits.credentials.undeletable = frozenset({stuck})

    assert sweep_sessions.handler({}, context)["kept"] == 1

    assert '"level":"ERROR"' in log.getvalue()


def test_the_functions_make_credentials_and_tokens_from_their_settings() -> None:
    composition.makers.cache_clear()
    assert composition.makers().tokens.audience == "paygo-test"
    composition.makers.cache_clear()
