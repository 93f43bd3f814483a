"""The functions of a registration, as API Gateway and the queues call them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
import responses
from moto.ses.models import ses_backends

from identity import composition
from identity.handlers import (
    bureau_results,
    expire_registrations,
    follow_checks,
    publish_outbox,
    registrations,
    request_check,
    send_codes,
    settle_accounts,
)
from identity.model import Registration, RegistrationState
from identity.usecases.checking import FIRST_ASKED_AFTER
from paygo.events import CodeRequested, Event, EventData, RegistrationMoved, RegistrationSubmitted
from paygo.identities import identity_hash
from paygo.security import session_key
from paygo.signatures import signature
from paygo.storage import Table
from tests.unit.identity.fakes import FakeUsers
from tests.unit.identity.stage import AMINA, PASSWORD, PROOF, Stage
from tests.unit.queues import OwnQueue, batch

RESULTS = "/partners/identity-bureau/results"
CHECKS = "https://identity-bureau.example.org/checks"
VERIFICATIONS = "https://bank.example.org/customers/verifications"
OWN = {"kind": "own", **AMINA.model_dump(mode="json"), "password": PASSWORD}
CUSTOMER = {"kind": "partner", "partner": "bank", **PROOF.model_dump()}

type Send = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def gateways(monkeypatch: pytest.MonkeyPatch, users: FakeUsers, stage: Stage) -> Iterator[None]:
    """Cognito in memory; everything else is the handlers' own."""
    monkeypatch.setattr(composition, "users", lambda: users)
    stage.now = datetime.now(UTC)
    yield
    composition.bank.cache_clear()
    composition.bureau.cache_clear()


@pytest.fixture(autouse=True)
def tables(table: Table, sessions: Table, idempotency: Table) -> None:
    """Every handler finds its tables."""


@pytest.fixture
def opened(stage: Stage) -> str:
    """The identity of a session that was just opened."""
    return stage.open().identity_id


@pytest.fixture
def send(api_event: Any, context: Any, opened: str) -> Send:
    """Send a request of the session to the function behind its route."""

    def send_(method: str, path: str, **given: Any) -> dict[str, Any]:
        caller = {"identity_id": opened, "authentication_type": "unauthenticated"}
        module = bureau_results if path == RESULTS else registrations
        resource = path
        for part in path.split("/"):
            resource = resource.replace(part, "{registration_id}") if len(part) == len(str(uuid4())) else resource
        answered: dict[str, Any] = module.handler(api_event(method, path, resource=resource, **caller | given), context)
        answered["json"] = json.loads(answered["body"]) if answered["body"] else None
        return answered

    return send_


def header(answered: dict[str, Any], name: str) -> str | None:
    values: list[str] = answered["multiValueHeaders"].get(name, [])
    return values[0] if values else None


@pytest.fixture
def register(send: Send) -> Send:
    def register_(body: object = OWN, *, key: str = "key-0001", **given: Any) -> dict[str, Any]:
        return send("POST", "/v1/registrations", body=body, headers={"Idempotency-Key": key}, **given)

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


def found(registration_id: str) -> Registration:
    registration = registrations.REGISTRATIONS.find(registration_id)
    assert registration
    return registration


def code_of(registration_id: str) -> str:
    code = registrations.REGISTRATIONS.find_code(registration_id)
    assert code
    return code.code


@pytest.fixture
def confirm(send: Send) -> Send:
    def confirm_(registration_id: str, code: str | None = None, **given: Any) -> dict[str, Any]:
        path = f"/v1/registrations/{registration_id}/confirmation"
        return send("POST", path, body={"code": code or code_of(registration_id)}, **given)

    return confirm_


@pytest.fixture
def submitted(register: Send, confirm: Send) -> str:
    """The id of a registration that was confirmed."""
    registration_id: str = register()["json"]["registration_id"]
    assert confirm(registration_id)["statusCode"] == 200
    return registration_id


# The routes


def test_a_registration_is_accepted_and_followed(send: Send, register: Send) -> None:
    accepted = register()

    assert accepted["statusCode"] == 202
    assert (accepted["json"]["kind"], accepted["json"]["state"]) == ("own", "unconfirmed")
    location = header(accepted, "Location")
    assert location == f"/v1/registrations/{accepted['json']['registration_id']}"
    assert header(accepted, "Retry-After") == "2"
    followed = send("GET", location)
    assert followed["statusCode"] == 200
    assert followed["json"] == accepted["json"]
    assert header(followed, "Retry-After") == "2"


def test_a_registration_by_bearer_token_is_followed_by_one(
    send: Send, api_event: Any, context: Any, stage: Stage
) -> None:
    session = stage.open()
    authorizer = {
        "identity_hash": identity_hash(session.identity_id),
        "session_id": session.session_id,
        "kind": "anonymous",
    }
    event = api_event("POST", "/bearer/v1/registrations", body=CUSTOMER, headers={"Idempotency-Key": "key-0001"})
    event["requestContext"]["authorizer"] = authorizer | {"scope": "registrations:write"}

    accepted = registrations.handler(event, context)

    assert accepted["statusCode"] == 202
    assert str(header(accepted, "Location")).startswith("/bearer/v1/registrations/")


def test_a_banks_customer_is_accepted(register: Send) -> None:
    accepted = register(CUSTOMER)

    assert accepted["statusCode"] == 202
    assert (accepted["json"]["kind"], accepted["json"]["state"]) == ("partner", "submitted")
    assert PROOF.one_time_code not in accepted["body"]


def test_a_registration_sent_twice_is_one(register: Send, users: FakeUsers) -> None:
    assert register()["body"] == register()["body"]
    assert len(users.names()) == 1


def test_a_key_for_another_registration_is_refused(register: Send) -> None:
    register()

    assert register({**OWN, "given_name": "Achieng"})["statusCode"] == 422
    assert register(CUSTOMER)["statusCode"] == 422


def test_a_customer_may_correct_the_code_with_the_same_key_and_is_answered_the_same(register: Send) -> None:
    first = register(CUSTOMER)

    assert register({**CUSTOMER, "one_time_code": "111111"})["body"] == first["body"]


def test_no_secret_is_remembered_with_a_key(register: Send, idempotency: Table) -> None:
    register()

    rows = boto3.client("dynamodb").scan(TableName=idempotency.name)["Items"]
    assert rows
    assert PASSWORD not in str(rows)


def test_a_second_registration_is_refused_while_one_is_under_way(register: Send) -> None:
    register()

    for body in (OWN, CUSTOMER):
        refused = register(body, key=f"key-of-{body['kind']}")
        assert refused["statusCode"] == 409
        assert refused["json"]["type"] == "urn:paygo:problem:registration-under-way"


def test_a_registration_without_a_key_is_refused(send: Send) -> None:
    refused = send("POST", "/v1/registrations", body=OWN)

    assert refused["statusCode"] == 400
    assert refused["json"]["errors"][0]["pointer"] == "/Idempotency-Key"


def test_a_weak_password_is_pointed_at_and_may_be_corrected_with_the_same_key(register: Send) -> None:
    refused = register({**OWN, "password": "aaaaaaaaaaaa"})

    assert refused["statusCode"] == 400
    assert [error["pointer"] for error in refused["json"]["errors"]] == ["/password"]
    assert register()["statusCode"] == 202


def test_an_address_that_the_pool_does_not_take_is_pointed_at(register: Send) -> None:
    refused = register({**OWN, "email": "amina.@example.org"})

    assert refused["statusCode"] == 400
    assert [error["pointer"] for error in refused["json"]["errors"]] == ["/email"]


def test_who_is_no_adult_is_told_so(register: Send) -> None:
    refused = register({**OWN, "date_of_birth": (datetime.now(UTC) - timedelta(days=17 * 366)).date().isoformat()})

    assert refused["statusCode"] == 400
    assert [error["pointer"] for error in refused["json"]["errors"]] == ["/date_of_birth"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "other"),
        ("email", "amina"),
        ("email", "amina@localhost"),
        ("email", "amina@example.org" * 16),
        ("email", "x<amina@example.org>"),
        ("email", "x,amina@example.org"),
        ("email", "amina@example.org\n"),
        ("email", "am\x00ina@example.org"),
        ("email", "amina@-example.org"),
        ("password", "short"),
        ("password", "x" * 129),
        ("given_name", ""),
        ("family_name", "x" * 101),
        ("date_of_birth", "1990-13-17"),
        ("date_of_birth", "1990-05-17T00:00:00"),
        ("date_of_birth", 643000000),
        ("phone", "0700000001"),
        ("role", "admin"),
    ],
)
def test_a_registration_against_the_contract_is_pointed_at(register: Send, field: str, value: object) -> None:
    refused = register({**OWN, field: value})

    assert refused["statusCode"] == 400
    assert refused["json"]["errors"][0]["pointer"] == f"/{field}"
    assert PASSWORD not in refused["body"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("partner", "another"),
        ("customer_number", "12345"),
        ("customer_number", "1002003004x"),
        ("one_time_code", "12345"),
        ("one_time_code", "1234567"),
        ("email", "amina@example.org"),
    ],
)
def test_a_customers_registration_against_the_contract_is_pointed_at(register: Send, field: str, value: str) -> None:
    refused = register({**CUSTOMER, field: value})

    assert refused["statusCode"] == 400
    assert refused["json"]["errors"][0]["pointer"] == f"/{field}"
    assert value not in refused["body"]


@pytest.mark.parametrize("body", ["[]", "3", "null", "{}", "", "not JSON"])
def test_what_is_no_registration_is_refused(register: Send, body: str) -> None:
    assert register(body)["statusCode"] == 400


def test_a_stranger_registers_nobody(register: Send, users: FakeUsers) -> None:
    assert register(identity_id="us-east-1:stranger")["statusCode"] == 403
    assert users.names() == []


def test_a_registration_of_another_session_is_not_there(send: Send, register: Send, stage: Stage) -> None:
    path = f"/v1/registrations/{register()['json']['registration_id']}"
    other = stage.open().identity_id

    assert send("GET", path, identity_id=other)["statusCode"] == 404
    assert send("POST", f"{path}/codes", identity_id=other)["statusCode"] == 404
    confirmed = send("POST", f"{path}/confirmation", body={"code": "000000"}, identity_id=other)
    assert confirmed["statusCode"] == 404


def test_a_household_reads_its_registration_and_changes_nothing(
    send: Send, submitted: str, answer: Send, opened: str, sessions: Table
) -> None:
    answer(submitted)
    sessions.update(session_key(opened), {"state": "authenticated"})
    path = f"/v1/registrations/{submitted}"

    followed = send("GET", path, authentication_type="authenticated")

    assert (followed["statusCode"], followed["json"]["state"]) == (200, "approved")
    assert header(followed, "Retry-After") is None
    assert send("POST", f"{path}/codes", authentication_type="authenticated")["statusCode"] == 403


def test_the_right_code_submits_the_registration(register: Send, confirm: Send) -> None:
    registration_id = register()["json"]["registration_id"]

    confirmed = confirm(registration_id)

    assert (confirmed["statusCode"], confirmed["json"]["state"]) == (200, "submitted")
    assert header(confirmed, "Retry-After") == "2"
    assert confirm(registration_id)["body"] == confirmed["body"]


def test_a_wrong_code_is_refused(register: Send, confirm: Send) -> None:
    registration_id = register()["json"]["registration_id"]
    wrong = f"{(int(code_of(registration_id)) + 1) % 1_000_000:06}"

    refused = confirm(registration_id, wrong)

    assert refused["statusCode"] == 422
    assert refused["json"]["type"] == "urn:paygo:problem:code-refused"


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "١٢٣٤٥٦"])
def test_what_is_no_code_is_pointed_at(register: Send, confirm: Send, code: str) -> None:
    refused = confirm(register()["json"]["registration_id"], code)

    assert refused["statusCode"] == 400
    assert refused["json"]["errors"][0]["pointer"] == "/code"


def test_another_code_is_sent_but_not_often(send: Send, register: Send) -> None:
    path = f"/v1/registrations/{register()['json']['registration_id']}/codes"

    accepted = [send("POST", path) for _ in range(2)]
    refused = send("POST", path)

    assert [(each["statusCode"], each["json"]["state"]) for each in accepted] == [(202, "unconfirmed")] * 2
    assert refused["statusCode"] == 429
    assert refused["json"]["type"] == "urn:paygo:problem:too-many-codes"


def test_no_code_is_sent_for_what_needs_none(send: Send, submitted: str, answer: Send) -> None:
    path = f"/v1/registrations/{submitted}/codes"

    assert send("POST", path)["json"]["type"] == "urn:paygo:problem:registration-confirmed"
    answer(submitted)
    assert send("POST", path)["json"]["type"] == "urn:paygo:problem:registration-decided"


def test_a_decided_registration_takes_no_code(submitted: str, confirm: Send, answer: Send) -> None:
    answer(submitted)

    refused = confirm(submitted)

    assert refused["statusCode"] == 409
    assert refused["json"]["type"] == "urn:paygo:problem:registration-decided"


# The bureau's route


def test_the_bureau_approves(submitted: str, answer: Send) -> None:
    assert answer(submitted)["statusCode"] == 204
    assert found(submitted).state is RegistrationState.APPROVED


def test_a_forged_answer_of_the_bureau_decides_nothing(submitted: str, answer: Send) -> None:
    assert answer(submitted, key="another-key")["statusCode"] == 401

    assert found(submitted).state is RegistrationState.SUBMITTED


def test_the_same_answer_of_the_bureau_again_is_taken_and_another_is_not(submitted: str, answer: Send) -> None:
    assert answer(submitted, "rejected")["statusCode"] == 204
    assert answer(submitted, "rejected")["statusCode"] == 204
    refused = answer(submitted, "approved")

    assert refused["statusCode"] == 409
    assert refused["json"]["type"] == "urn:paygo:problem:contradicting-answer"


def test_an_answer_of_the_bureau_that_comes_too_late_is_told_so(
    submitted: str, answer: Send, stage: Stage, context: Any
) -> None:
    stage.now += timedelta(hours=25)
    stage.expire(found(submitted))

    refused = answer(submitted)

    assert refused["statusCode"] == 409
    assert refused["json"]["type"] == "urn:paygo:problem:registration-decided"


def test_an_answer_of_the_bureau_to_no_question_is_not_found(answer: Send, register: Send) -> None:
    assert answer(str(uuid4()))["statusCode"] == 404
    assert answer(register()["json"]["registration_id"])["statusCode"] == 404


def test_an_answer_of_the_bureau_against_the_contract_is_pointed_at(answer: Send) -> None:
    refused = answer(str(uuid4()), "perhaps")

    assert refused["statusCode"] == 400
    assert refused["json"]["errors"][0]["pointer"] == "/outcome"


# The consumers


@pytest.fixture
def web(partner_calls: Table) -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def about(data: EventData, *, time: datetime | None = None) -> Event[Any]:
    return Event[Any].about(
        "subject", data, source="/paygo-test/identity", time=time or datetime.now(UTC), correlation_id="request-1"
    )


def moved(registration_id: str, state: str, previous: str | None) -> RegistrationMoved:
    return RegistrationMoved(
        registration_id=registration_id, session_id="session-1", kind="own", state=state, previous=previous
    )


def submission(registration_id: str) -> Event[Any]:
    return about(RegistrationSubmitted(registration_id=registration_id))


def is_handled(handler: Callable[..., object], event: Event[Any], context: Any) -> bool:
    return handler(batch(event), context) == {"batchItemFailures": []}


def test_a_submitted_registration_reaches_the_bureau(submitted: str, web: responses.RequestsMock, context: Any) -> None:
    web.post(CHECKS, status=202, json={"reference": submitted, "state": "pending"})
    event = submission(submitted)

    assert is_handled(request_check.handler, event, context)

    asked = json.loads(web.calls[0].request.body or b"")
    assert asked["reference"] == submitted
    assert asked["date_of_birth"] == "1990-05-17"
    assert asked["callback_url"] == f"https://api.example.org/live{RESULTS}"
    assert web.calls[0].request.headers["Idempotency-Key"] == event.id
    assert found(submitted).state is RegistrationState.CHECKING


def test_a_question_waits_for_a_bureau_that_is_away(submitted: str, web: responses.RequestsMock, context: Any) -> None:
    queue = OwnQueue()
    web.post(CHECKS, status=503)

    assert is_handled(request_check.handler, submission(submitted), context)

    assert queue.waiting() == 1
    assert found(submitted).state is RegistrationState.SUBMITTED


def test_a_banks_customer_is_verified_by_the_bank(register: Send, web: responses.RequestsMock, context: Any) -> None:
    registration_id = register(CUSTOMER)["json"]["registration_id"]
    customer = {
        "customer_id": "BANK-1002003004",
        "given_name": "Wanjiru",
        "family_name": "Kamau",
        "email": "wanjiru@example.org",
        "phone": "+254711000002",
    }
    web.post(VERIFICATIONS, json=customer)

    assert is_handled(request_check.handler, submission(registration_id), context)

    assert json.loads(web.calls[0].request.body or b"") == PROOF.model_dump()
    assert found(registration_id).state is RegistrationState.APPROVED


def test_a_check_that_is_under_way_is_followed(submitted: str, web: responses.RequestsMock, context: Any) -> None:
    queue = OwnQueue()
    web.get(f"{CHECKS}/{submitted}", json={"reference": submitted, "state": "rejected"})
    checking = moved(submitted, "checking", "submitted")

    assert is_handled(follow_checks.handler, about(checking), context)
    assert queue.waiting() == 1
    assert is_handled(follow_checks.handler, about(checking, time=datetime.now(UTC) - FIRST_ASKED_AFTER), context)

    assert found(submitted).state is RegistrationState.REJECTED


def test_a_registration_that_begins_waits_for_its_end(submitted: str, context: Any) -> None:
    queue = OwnQueue()

    assert is_handled(expire_registrations.handler, about(moved(submitted, "unconfirmed", None)), context)

    assert queue.waiting() == 1


def test_every_other_move_is_nothing_to_wait_for(submitted: str, context: Any, users: FakeUsers) -> None:
    queue = OwnQueue()
    move = about(moved(submitted, "submitted", "unconfirmed"))

    for handler in (follow_checks.handler, expire_registrations.handler, settle_accounts.handler):
        assert is_handled(handler, move, context)

    assert queue.waiting() == 0
    assert len(users.names()) == 1


def test_the_account_follows_the_decision(submitted: str, answer: Send, context: Any, users: FakeUsers) -> None:
    answer(submitted)

    assert is_handled(settle_accounts.handler, about(moved(submitted, "approved", "submitted")), context)

    assert users.admitted == {found(submitted).household_id}


def test_a_code_is_mailed_once_however_often_its_event_comes(register: Send, context: Any) -> None:
    boto3.client("sesv2").create_email_identity(EmailIdentity="no-reply@paygo.example.org")
    registration_id = register()["json"]["registration_id"]
    wanted = about(CodeRequested(registration_id=registration_id, number=1))

    for _ in range(2):
        assert is_handled(send_codes.handler, wanted, context)

    messages: list[Any] = ses_backends["123456789012"]["us-east-1"].sent_messages
    assert [message.destinations["ToAddresses"] for message in messages] == [[AMINA.email]]
    assert code_of(registration_id) in messages[0].body


def test_the_outbox_is_published(context: Any, table: Table) -> None:
    sns = boto3.client("sns")
    sns.create_topic(Name="paygo-test")
    table.put({"pk": "OUTBOX#event-1", "sk": "OUTBOX", "event_id": "event-1"})
    image = {
        "event_id": {"S": "event-1"},
        "type": {"S": RegistrationSubmitted.TYPE},
        "correlation_id": {"S": "request-1"},
        "event": {"S": "{}"},
    }
    record = {"eventID": "1", "eventName": "INSERT", "dynamodb": {"NewImage": image, "SequenceNumber": "1"}}

    handled = publish_outbox.handler({"Records": [record | {"eventSource": "aws:dynamodb"}]}, context)

    assert handled == {"batchItemFailures": []}
    row = table.get(pk="OUTBOX#event-1", sk="OUTBOX")
    assert row
    assert row["published_at"]
