import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest
import responses

from identity import composition
from identity.handlers import bureau_results, publish_outbox, registrations, request_check, sessions
from identity.model import RegistrationState
from paygo.composition import own_table
from paygo.events import Event, RegistrationSubmitted
from paygo.security import session_key
from paygo.signatures import signature
from paygo.storage import Table
from tests.unit.identity.conftest import AMINA, PASSWORD
from tests.unit.identity.fakes import FakeCredentials, FakeUsers
from tests.unit.queues import OwnQueue, batch

RESULTS = "/partners/identity-bureau/results"
CHECKS = "https://identity-bureau.example.org/checks"
HOUSEHOLD = {**AMINA.model_dump(), "password": PASSWORD}

type Send = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def gateways(monkeypatch: pytest.MonkeyPatch, maker: FakeCredentials, users: FakeUsers) -> None:
    """Cognito in memory; everything else is the handlers' own."""
    monkeypatch.setattr(sessions, "CREDENTIALS", maker)
    monkeypatch.setattr(composition, "users", lambda: users)


@pytest.fixture(autouse=True)
def tables(table: Table, sessions: Table, idempotency: Table) -> None:
    """Every handler finds its tables."""


@pytest.fixture
def send(api_event: Any, context: Any) -> Send:
    """Send a request to the function behind its route."""

    def send_(method: str, path: str, **given: Any) -> dict[str, Any]:
        module = sessions if path.startswith("/v1/sessions") else registrations
        if path.startswith(RESULTS):
            module = bureau_results
        answered: dict[str, Any] = module.handler(api_event(method, path, **given), context)
        answered["json"] = json.loads(answered["body"]) if answered["body"] else None
        return answered

    return send_


@pytest.fixture
def opened(send: Send) -> dict[str, Any]:
    body: dict[str, Any] = send("POST", "/v1/sessions")["json"]
    return body


def anonymous(opened: dict[str, Any]) -> dict[str, str]:
    return {"identity_id": opened["identity_id"], "authentication_type": "unauthenticated"}


def authenticated(opened: dict[str, Any]) -> dict[str, str]:
    return {"identity_id": opened["identity_id"], "authentication_type": "authenticated"}


def header(answered: dict[str, Any], name: str) -> str | None:
    values: list[str] = answered["multiValueHeaders"].get(name, [])
    return values[0] if values else None


@pytest.fixture
def register(send: Send, opened: dict[str, Any]) -> Send:
    def register_(body: object = HOUSEHOLD, *, key: str = "key-0001", **given: Any) -> dict[str, Any]:
        caller = anonymous(opened) | given
        return send("POST", "/v1/registrations", body=body, headers={"Idempotency-Key": key}, **caller)

    return register_


@pytest.fixture
def answer(send: Send) -> Send:
    """Send a result as the bureau does."""
    secret = {"api_key": "api-key", "keys": {"current": "signing-key"}}
    boto3.client("secretsmanager").create_secret(Name="paygo-test/partners/partner", SecretString=json.dumps(secret))

    def answer_(reference: str, outcome: str = "approved", *, key: str = "signing-key") -> dict[str, Any]:
        body = json.dumps({"reference": reference, "outcome": outcome})
        timestamp, nonce = str(int(datetime.now(UTC).timestamp())), uuid4().hex
        signed = signature(
            key, method="POST", path=RESULTS, query=(), timestamp=timestamp, nonce=nonce, body=body.encode()
        )
        headers = {
            "x-api-key": "api-key",
            "X-Paygo-Timestamp": timestamp,
            "X-Paygo-Nonce": nonce,
            "X-Paygo-Signature": signed,
        }
        return send("POST", RESULTS, body=body, headers=headers)

    return answer_


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
    assert body["refresh_token"].startswith(body["identity_id"] + ".")


def test_a_session_reads_where_it_stands(send: Send, opened: dict[str, Any]) -> None:
    answered = send("GET", "/v1/sessions/current", **anonymous(opened))

    assert answered["statusCode"] == 200
    assert answered["json"] == {key: opened[key] for key in ("session_id", "state", "household_id", "expires_at")}


def test_an_identity_without_a_session_reads_nothing(send: Send) -> None:
    answered = send(
        "GET", "/v1/sessions/current", identity_id="us-east-1:stranger", authentication_type="unauthenticated"
    )

    assert answered["statusCode"] == 403


def test_a_session_is_refreshed_with_its_token(send: Send, opened: dict[str, Any]) -> None:
    answered = send("POST", "/v1/sessions/refresh", body={"refresh_token": opened["refresh_token"]})

    assert answered["statusCode"] == 200
    assert answered["json"]["session_id"] == opened["session_id"]
    assert answered["json"]["refresh_token"] != opened["refresh_token"]


def test_every_refused_token_gets_the_same_answer(send: Send, opened: dict[str, Any]) -> None:
    send("POST", "/v1/sessions/refresh", body={"refresh_token": opened["refresh_token"]})
    tokens = [opened["refresh_token"], "nonsense", f"us-east-1:nobody.{'x' * 44}"]

    refused = [send("POST", "/v1/sessions/refresh", body={"refresh_token": token}) for token in tokens]

    assert {each["statusCode"] for each in refused} == {401}
    assert refused[0]["json"]["type"] == "urn:paygo:problem:refresh-refused"
    assert refused[0]["body"] == refused[1]["body"] == refused[2]["body"]


def test_a_refresh_without_a_token_is_told_so(send: Send) -> None:
    answered = send("POST", "/v1/sessions/refresh", body={})

    assert answered["statusCode"] == 400
    assert answered["json"]["errors"][0]["pointer"] == "/refresh_token"


def test_a_registration_is_accepted_and_followed(send: Send, register: Send, opened: dict[str, Any]) -> None:
    accepted = register()

    assert accepted["statusCode"] == 202
    assert accepted["json"]["state"] == "submitted"
    location = header(accepted, "Location")
    assert location == f"/v1/registrations/{accepted['json']['registration_id']}"
    assert header(accepted, "Retry-After") == "2"
    followed = send("GET", location, resource="/v1/registrations/{registration_id}", **anonymous(opened))
    assert followed["statusCode"] == 200
    assert followed["json"] == accepted["json"]
    assert header(followed, "Retry-After") == "2"


def test_a_registration_sent_twice_is_one(register: Send, users: FakeUsers) -> None:
    assert register()["body"] == register()["body"]
    assert len(users.names()) == 1


def test_a_key_for_another_registration_is_refused(register: Send) -> None:
    register()

    assert register({**HOUSEHOLD, "given_name": "Achieng"})["statusCode"] == 422


def test_a_second_registration_is_refused_while_one_is_under_way(register: Send) -> None:
    register()

    refused = register(key="key-0002")

    assert refused["statusCode"] == 409
    assert refused["json"]["type"] == "urn:paygo:problem:registration-under-way"


def test_a_registration_without_a_key_is_refused(send: Send, opened: dict[str, Any]) -> None:
    refused = send("POST", "/v1/registrations", body=HOUSEHOLD, **anonymous(opened))

    assert refused["statusCode"] == 400
    assert refused["json"]["errors"][0]["pointer"] == "/Idempotency-Key"


def test_a_weak_password_is_pointed_at_and_may_be_corrected_with_the_same_key(register: Send) -> None:
    refused = register({**HOUSEHOLD, "password": "aaaaaaaaaaaa"})

    assert refused["statusCode"] == 400
    assert [error["pointer"] for error in refused["json"]["errors"]] == ["/password"]
    assert register()["statusCode"] == 202


def test_an_address_that_the_pool_does_not_take_is_pointed_at(register: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composition, "users", FakeUsers)

    refused = register({**HOUSEHOLD, "email": "amina.@example.org"})

    assert refused["statusCode"] == 400
    assert [error["pointer"] for error in refused["json"]["errors"]] == ["/email"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "amina"),
        ("email", "amina@example.org" * 16),
        ("password", "short"),
        ("password", "x" * 129),
        ("given_name", ""),
        ("family_name", "x" * 101),
        ("phone", "0700000001"),
        ("role", "admin"),
    ],
)
def test_a_registration_against_the_contract_is_pointed_at(register: Send, field: str, value: str) -> None:
    refused = register({**HOUSEHOLD, field: value})

    assert refused["statusCode"] == 400
    assert refused["json"]["errors"][0]["pointer"] == f"/{field}"
    assert PASSWORD not in refused["body"]


def test_a_stranger_registers_nobody(register: Send, users: FakeUsers) -> None:
    assert register(identity_id="us-east-1:stranger")["statusCode"] == 403
    assert users.names() == []


def test_a_registration_of_another_session_is_not_there(send: Send, register: Send) -> None:
    path = f"/v1/registrations/{register()['json']['registration_id']}"
    other = send("POST", "/v1/sessions")["json"]

    answered = send("GET", path, resource="/v1/registrations/{registration_id}", **anonymous(other))

    assert answered["statusCode"] == 404


def test_an_undecided_session_is_not_escalated(send: Send, opened: dict[str, Any]) -> None:
    refused = send("POST", "/v1/sessions/current/credentials", **anonymous(opened))

    assert refused["statusCode"] == 409
    assert refused["json"]["type"] == "urn:paygo:problem:registration-undecided"


def test_an_approved_session_is_escalated(send: Send, register: Send, answer: Send, opened: dict[str, Any]) -> None:
    accepted = register()["json"]

    assert answer(accepted["registration_id"])["statusCode"] == 204
    path, resource = f"/v1/registrations/{accepted['registration_id']}", "/v1/registrations/{registration_id}"
    followed = send("GET", path, resource=resource, **anonymous(opened))
    assert followed["json"]["state"] == "approved"
    assert header(followed, "Retry-After") is None
    escalated = send("POST", "/v1/sessions/current/credentials", **anonymous(opened))
    assert escalated["statusCode"] == 200
    assert escalated["json"]["state"] == "authenticated"
    assert escalated["json"]["household_id"]
    assert escalated["json"]["credentials"]["access_key_id"] == "authenticated"
    assert send("GET", "/v1/sessions/current", **authenticated(opened))["statusCode"] == 200
    assert send("GET", path, resource=resource, **authenticated(opened))["statusCode"] == 200


def test_anonymous_credentials_open_nothing_after_the_escalation(
    send: Send, register: Send, answer: Send, opened: dict[str, Any]
) -> None:
    answer(register()["json"]["registration_id"])
    send("POST", "/v1/sessions/current/credentials", **anonymous(opened))

    assert send("POST", "/v1/sessions/current/credentials", **anonymous(opened))["statusCode"] == 403
    assert send("GET", "/v1/sessions/current", **anonymous(opened))["statusCode"] == 403
    assert register(key="key-0002")["statusCode"] == 403
    healed = send("POST", "/v1/sessions/refresh", body={"refresh_token": opened["refresh_token"]})
    assert healed["json"]["credentials"]["access_key_id"] == "authenticated"


def test_a_revoked_session_opens_nothing(send: Send, opened: dict[str, Any]) -> None:
    for _ in range(2):
        send("POST", "/v1/sessions/refresh", body={"refresh_token": opened["refresh_token"]})

    assert send("GET", "/v1/sessions/current", **anonymous(opened))["statusCode"] == 403


def test_a_forged_answer_of_the_bureau_decides_nothing(
    send: Send, register: Send, answer: Send, opened: dict[str, Any]
) -> None:
    registration_id = register()["json"]["registration_id"]

    assert answer(registration_id, key="another-key")["statusCode"] == 401

    assert send("GET", "/v1/sessions/current", **anonymous(opened))["json"]["state"] == "registering"


def test_the_same_answer_of_the_bureau_again_is_taken_and_another_is_not(register: Send, answer: Send) -> None:
    registration_id = register()["json"]["registration_id"]

    assert answer(registration_id, "rejected")["statusCode"] == 204
    assert answer(registration_id, "rejected")["statusCode"] == 204
    refused = answer(registration_id, "approved")

    assert refused["statusCode"] == 409
    assert refused["json"]["type"] == "urn:paygo:problem:contradicting-answer"


def test_an_answer_of_the_bureau_to_no_question_is_not_found(answer: Send) -> None:
    assert answer(str(uuid4()))["statusCode"] == 404


def test_an_answer_of_the_bureau_against_the_contract_is_pointed_at(answer: Send) -> None:
    refused = answer(str(uuid4()), "perhaps")

    assert refused["statusCode"] == 400
    assert refused["json"]["errors"][0]["pointer"] == "/outcome"


@pytest.fixture
def web(partner_calls: Table) -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def submitted(registration_id: str) -> Event[RegistrationSubmitted]:
    return Event.about(
        registration_id,
        RegistrationSubmitted(registration_id=registration_id),
        source="/paygo-test/identity",
        time=datetime.now(UTC),
        correlation_id="request-1",
    )


def test_a_submitted_registration_reaches_the_bureau(register: Send, web: responses.RequestsMock, context: Any) -> None:
    registration_id = register()["json"]["registration_id"]
    web.post(CHECKS, status=202, json={"reference": registration_id, "state": "pending"})
    event = submitted(registration_id)

    handled = request_check.handler(batch(event), context)

    assert handled == {"batchItemFailures": []}
    asked = json.loads(web.calls[0].request.body or b"")
    assert asked["reference"] == registration_id
    assert asked["callback_url"] == f"https://api.example.org/live{RESULTS}"
    assert web.calls[0].request.headers["Idempotency-Key"] == event.id
    found = request_check.REGISTRATIONS.find(registration_id)
    assert found
    assert found.state is RegistrationState.CHECKING


def test_a_question_waits_for_a_bureau_that_is_away(register: Send, web: responses.RequestsMock, context: Any) -> None:
    registration_id = register()["json"]["registration_id"]
    queue = OwnQueue()
    web.post(CHECKS, status=503)

    handled = request_check.handler(batch(submitted(registration_id)), context)

    assert handled == {"batchItemFailures": []}
    assert queue.waiting() == 1
    found = request_check.REGISTRATIONS.find(registration_id)
    assert found
    assert found.state is RegistrationState.SUBMITTED


def test_the_outbox_is_published(context: Any) -> None:
    sns = boto3.client("sns")
    sns.create_topic(Name="paygo-test")
    own_table().put({"pk": "OUTBOX#event-1", "sk": "OUTBOX", "event_id": "event-1"})
    image = {
        "event_id": {"S": "event-1"},
        "type": {"S": RegistrationSubmitted.TYPE},
        "correlation_id": {"S": "request-1"},
        "event": {"S": "{}"},
    }
    record = {"eventID": "1", "eventName": "INSERT", "dynamodb": {"NewImage": image, "SequenceNumber": "1"}}

    handled = publish_outbox.handler({"Records": [record | {"eventSource": "aws:dynamodb"}]}, context)

    assert handled == {"batchItemFailures": []}
    row = own_table().get(pk="OUTBOX#event-1", sk="OUTBOX")
    assert row
    assert row["published_at"]


def test_a_session_that_is_over_opens_nothing(
    send: Send, opened: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    rows: Table = request.getfixturevalue("sessions")
    rows.update(session_key(opened["identity_id"]), {"ends_at": "2020-01-01T00:00:00Z"})

    assert send("GET", "/v1/sessions/current", **anonymous(opened))["statusCode"] == 403
