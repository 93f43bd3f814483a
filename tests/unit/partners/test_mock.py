import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from partners import composition
from partners.gateways.callbacks import QueueOfCallbacks
from partners.handlers import mock
from partners.repository import LONGEST_BODY
from paygo.storage import Table
from tests.unit.conftest import SETTINGS

CHECKS = "/mocks/identity-bureau/checks"
ACTIVATIONS = "/mocks/crm/activations"
CALLBACK = f"{SETTINGS['API_URL']}/partners/identity-bureau/results"
CHECK = {
    "reference": "2c3b7a54-2f44-4f6d-8a3e-6b1e0c9d2f10",
    "given_name": "Amina",
    "family_name": "Odhiambo",
    "date_of_birth": "1990-05-17",
    "phone": "+254700000001",
    "callback_url": CALLBACK,
}
ACTIVATION = {
    "event_id": "1b4e28ba-2fa1-4d2e-883f-0016d3cca427",
    "device_id": "device-1",
    "serial_number": "SHS-000001",
    "model": "SHS-40",
    "household_id": "household-1",
    "activated_at": "2026-11-21T10:00:00Z",
}
KEY = {"Idempotency-Key": "5d6c0f5e-6f0e"}
OF_BUREAU = {"X-Api-Key": "secret-of-identity-bureau", **KEY}
OF_CRM = {"Authorization": "Bearer secret-of-crm", **KEY}

type Ask = Callable[..., dict[str, Any]]
type Choose = Callable[[str, Any], None]


@pytest.fixture(autouse=True)
def secrets() -> None:
    client = boto3.client("secretsmanager")
    for name in json.loads(SETTINGS["PARTNERS"]):
        client.create_secret(
            Name=f"{SETTINGS['STACK']}/outbound/{name}", SecretString=json.dumps({"credential": f"secret-of-{name}"})
        )


@pytest.fixture(autouse=True)
def callbacks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """The queue of callbacks; what is on it can be read whatever its delay."""
    monkeypatch.setenv("DELAY_SCALE", "0")
    client = boto3.client("sqs")
    url = client.create_queue(QueueName=SETTINGS["CALLBACKS_QUEUE_URL"].rpartition("/")[2])["QueueUrl"]
    assert url == SETTINGS["CALLBACKS_QUEUE_URL"]

    def waiting() -> list[dict[str, Any]]:
        received = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        messages = [json.loads(each["Body"]) for each in received.get("Messages", [])]
        return [{**each, "body": json.loads(each["body"])} for each in messages]

    return waiting


@pytest.fixture(autouse=True)
def choose() -> Choose:
    """Put an override where a person would."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=SETTINGS["MOCKS_BUCKET"])

    def put(key: str, override: Any) -> None:
        text = override if isinstance(override, str) else json.dumps(override)
        s3.put_object(Bucket=SETTINGS["MOCKS_BUCKET"], Key=key, Body=text.encode())

    return put


@pytest.fixture
def ask(table: Table, api_event: Any, context: Any) -> Ask:
    def ask_(
        path: str = CHECKS, body: Any = CHECK, headers: Any = OF_BUREAU, method: str = "POST", **more: Any
    ) -> dict[str, Any]:
        event = api_event(method, path, resource="/mocks/{partner}/{route+}", body=body, headers=headers, **more)
        return mock.handler(event, context)

    return ask_


def told(answered: dict[str, Any]) -> Any:
    return json.loads(answered["body"])


def content_type(answered: dict[str, Any]) -> str:
    return str(answered["multiValueHeaders"]["Content-Type"][0])


def recorded(table: Table, partner: str) -> list[dict[str, Any]]:
    return [dict(item) for item in table.query(f"REQUESTS#{partner}", prefix="2", limit=100).items]


def test_a_partner_answers_as_its_contract_shows(ask: Ask) -> None:
    answered = ask()

    assert (answered["statusCode"], content_type(answered)) == (202, "application/json")
    assert told(answered) == {"reference": CHECK["reference"], "state": "pending"}


def test_another_partner_has_another_wire(ask: Ask) -> None:
    answered = ask(ACTIVATIONS, ACTIVATION, OF_CRM)

    assert (answered["statusCode"], told(answered)) == (201, {"activation_id": f"ACT-{ACTIVATION['event_id']}"})


def test_a_route_with_parameters_is_played(ask: Ask) -> None:
    answered = ask(f"{CHECKS}/{CHECK['reference']}", None, OF_BUREAU, "GET")

    assert (answered["statusCode"], told(answered)["reference"]) == (200, CHECK["reference"])


@pytest.mark.parametrize("as_base64", [False, True])
def test_the_callback_waits(ask: Ask, callbacks: Any, as_base64: bool) -> None:
    ask(as_base64=as_base64)

    assert callbacks() == [
        {
            "partner": "identity-bureau",
            "url": CALLBACK,
            "body": {"reference": CHECK["reference"], "outcome": "approved"},
        }
    ]


def test_a_person_named_rejected_will_be_rejected(ask: Ask, callbacks: Any) -> None:
    ask(body={**CHECK, "family_name": "Rejected"})

    assert [each["body"]["outcome"] for each in callbacks()] == ["rejected"]


@pytest.mark.parametrize(
    "headers",
    [KEY, {**KEY, "X-Api-Key": "secret-of-crm"}, {**KEY, "Authorization": "Bearer secret-of-identity-bureau"}],
)
def test_a_wrong_credential_is_refused(ask: Ask, callbacks: Any, headers: dict[str, str]) -> None:
    answered = ask(headers=headers)

    assert (answered["statusCode"], content_type(answered)) == (401, "application/problem+json")
    assert told(answered)["status"] == 401
    assert callbacks() == []


def test_a_request_against_the_contract_is_pointed_at(ask: Ask, callbacks: Any) -> None:
    answered = ask(body={**CHECK, "reference": "one"}, headers={"X-Api-Key": OF_BUREAU["X-Api-Key"]})

    assert (answered["statusCode"], content_type(answered)) == (400, "application/problem+json")
    assert [error["pointer"] for error in told(answered)["errors"]] == ["/Idempotency-Key", "/reference"]
    assert callbacks() == []


def test_a_callback_outside_the_stack_is_pointed_at(ask: Ask, callbacks: Any) -> None:
    answered = ask(body={**CHECK, "callback_url": "https://evil.example.org/partners"})

    assert answered["statusCode"] == 400
    assert told(answered)["errors"] == [{"pointer": "/callback_url", "detail": "is not a route of this stack's API"}]
    assert callbacks() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/mocks/nobody/checks"),
        ("POST", "/mocks/identity-bureau/nowhere"),
        ("DELETE", CHECKS),
        ("GET", "/mocks/crm"),
    ],
)
def test_what_nobody_offers_is_not_found(ask: Ask, method: str, path: str) -> None:
    answered = ask(path, CHECK, OF_BUREAU, method)

    assert (answered["statusCode"], told(answered)["type"]) == (404, "urn:paygo:problem:not-found")


@pytest.mark.parametrize("route", ["orders/\N{SNOWMAN}", "orders/\x07", "orders/" + "1" * 1024])
def test_a_route_that_no_object_can_have_is_not_found(ask: Ask, route: str) -> None:
    assert ask(f"/mocks/stranger/{route}", None, {}, "GET")["statusCode"] == 404


def test_a_partner_without_a_contract_answers_what_was_chosen(
    ask: Ask, choose: Choose, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition, "CONTRACTS", tmp_path)
    choose("bank/profile/getUserData/GET.json", {"body": {"name": "Amina"}})
    choose("bank/profile/getUserData/PUT.json", {"status": 500})

    found = ask("/mocks/bank/profile/getUserData", None, {}, "GET")
    failed = ask("/mocks/bank/profile/getUserData", None, {}, "PUT")

    assert (found["statusCode"], content_type(found), told(found)) == (200, "application/json", {"name": "Amina"})
    assert (failed["statusCode"], told(failed)["title"]) == (500, "Internal Server Error")
    assert ask("/mocks/bank/profile", None, {}, "GET")["statusCode"] == 404


def test_a_chosen_status_has_the_contracts_words(ask: Ask, choose: Choose, callbacks: Any) -> None:
    choose("identity-bureau/checks/POST.json", {"status": 429})

    answered = ask()

    assert (answered["statusCode"], told(answered)["title"]) == (429, "Too many requests")
    assert answered["multiValueHeaders"]["Retry-After"] == ["2"]
    assert callbacks() == []


def test_all_of_an_answer_can_be_chosen(ask: Ask, choose: Choose) -> None:
    choose(
        "identity-bureau/checks/POST.json",
        {"status": 429, "headers": {"Retry-After": "60", "content-type": "text/plain"}, "body": ["no"]},
    )

    answered = ask()

    assert (content_type(answered), answered["multiValueHeaders"]["Retry-After"]) == ("text/plain", ["60"])
    assert told(answered) == ["no"]


def test_an_answer_need_not_be_json(ask: Ask, choose: Choose) -> None:
    choose("identity-bureau/ANY.json", {"raw": "<html>"})

    answered = ask()

    assert (answered["statusCode"], content_type(answered), answered["body"]) == (202, "text/html", "<html>")


def test_a_body_of_null_is_a_body(ask: Ask, choose: Choose) -> None:
    choose("identity-bureau/ANY.json", {"body": None})

    assert ask()["body"] == "null"


def test_a_partner_can_hang_up(ask: Ask, choose: Choose) -> None:
    choose("identity-bureau/ANY.json", {"disconnect": True})

    answered = ask()

    assert (answered["statusCode"], content_type(answered)) == (502, "text/html")


def test_the_nearest_object_counts(ask: Ask, choose: Choose) -> None:
    route = f"{CHECKS}/{CHECK['reference']}"
    choose("identity-bureau/ANY.json", {"status": 500})

    def status() -> int:
        return int(ask(route, None, OF_BUREAU, "GET")["statusCode"])

    assert status() == 500
    choose("identity-bureau/checks/{reference}/GET.json", {"status": 503})
    assert status() == 503
    choose(f"identity-bureau/checks/{CHECK['reference']}/GET.json", {"status": 404})
    assert status() == 404


def test_an_object_for_other_requests_leaves_the_word_to_the_next(ask: Ask, choose: Choose) -> None:
    choose("identity-bureau/checks/POST.json", {"when": {"/family_name": "Kamau"}, "status": 429})
    choose("identity-bureau/ANY.json", {"status": 503})

    assert ask()["statusCode"] == 503
    assert ask(body={**CHECK, "family_name": "Kamau"})["statusCode"] == 429


def test_a_sequence_goes_on_with_each_request(ask: Ask, choose: Choose) -> None:
    choose("identity-bureau/checks/POST.json", {"answers": [{"status": 503, "times": 2}, {}]})

    assert [ask()["statusCode"] for _ in range(4)] == [503, 503, 202, 202]


def test_a_sequence_written_anew_begins_anew(ask: Ask, choose: Choose) -> None:
    for last in (202, 429):
        choose("identity-bureau/checks/POST.json", {"answers": [{"status": 503}, {"status": last}]})
        assert [ask()["statusCode"] for _ in range(2)] == [503, last]


def test_a_sequence_with_an_id_goes_on_when_others_come_beside_it(ask: Ask, choose: Choose) -> None:
    sequence = {"id": "mine", "answers": [{"status": 503}, {"status": 500}, {}]}
    choose("identity-bureau/checks/POST.json", [sequence])
    assert ask()["statusCode"] == 503

    choose("identity-bureau/checks/POST.json", [{"id": "other", "when": {"/family_name": "Kamau"}}, sequence])

    assert [ask()["statusCode"] for _ in range(2)] == [500, 202]


def test_callbacks_can_be_chosen(ask: Ask, choose: Choose, callbacks: Any) -> None:
    choose("identity-bureau/checks/POST.json", {"callbacks": [{"body": {"outcome": "unsure"}}, {}]})

    ask()

    assert sorted(each["body"]["outcome"] for each in callbacks()) == ["approved", "unsure"]


def test_a_callback_can_be_left_out(ask: Ask, choose: Choose, callbacks: Any) -> None:
    choose("identity-bureau/checks/POST.json", {"callbacks": []})

    assert ask()["statusCode"] == 202
    assert callbacks() == []


@pytest.mark.parametrize(("scale", "delay"), [("1", 7), ("0.1", 1), ("0", 0), ("1000", 900)])
def test_callbacks_wait_as_the_stack_does(
    ask: Ask, choose: Choose, monkeypatch: pytest.MonkeyPatch, scale: str, delay: int
) -> None:
    monkeypatch.setenv("DELAY_SCALE", scale)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    sent: list[int] = []

    class Sqs:
        def send_message(self, **message: Any) -> None:
            sent.append(message["DelaySeconds"])

    queue = QueueOfCallbacks(Sqs(), "url")  # type: ignore[arg-type]
    monkeypatch.setattr(mock, "THEATRE", replace(mock.THEATRE, callbacks=queue))
    choose("identity-bureau/checks/POST.json", {"delay_seconds": 2, "callbacks": [{"delay_seconds": 3}]})

    ask()

    assert sent == [delay]


def test_an_answer_is_kept_back_as_long_as_the_function_may(
    ask: Ask, choose: Choose, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        assert len(recorded(table, "crm")) == len(pauses), "a caller that gives up has left its request behind"

    monkeypatch.setattr(time, "sleep", pause)

    for wanted in (3, 60):
        choose("crm/ANY.json", {"delay_seconds": wanted})
        assert ask(ACTIVATIONS, ACTIVATION, OF_CRM)["statusCode"] == 201
    assert pauses == [3.0, 9.0]


def test_a_request_is_recorded_without_its_credential(ask: Ask, table: Table) -> None:
    before = datetime.now(UTC)
    ask(headers={**OF_BUREAU, "Authorization": "Bearer secret", "Cookie": "secret"}, query={"dry": "yes"})

    (request,) = recorded(table, "identity-bureau")
    assert (request["method"], request["route"], request["status"]) == ("POST", "/checks", 202)
    assert request["query"] == {"dry": "yes"}
    assert request["headers"] == {"idempotency-key": KEY["Idempotency-Key"]}
    assert json.loads(request["body"]) == CHECK
    assert request["override"] is None
    assert request["sk"].startswith(request["received_at"])
    assert before <= datetime.fromisoformat(request["received_at"]) <= datetime.now(UTC)
    assert request["expires_at"] - before.timestamp() == pytest.approx(86_400, abs=60)


def test_refused_requests_are_recorded_too(ask: Ask, choose: Choose, table: Table) -> None:
    ask(headers=KEY)
    ask(body="{}")
    ask("/mocks/identity-bureau/nowhere")
    choose("identity-bureau/ANY.json", {"status": 503})
    ask(body={**CHECK, "given_name": "x" * 2 * LONGEST_BODY})

    requests = recorded(table, "identity-bureau")
    assert [request["status"] for request in requests] == [401, 400, 404, 503]
    assert [request["override"] for request in requests] == [None, None, None, "identity-bureau/ANY.json"]
    assert len(requests[-1]["body"]) == LONGEST_BODY


def test_what_cannot_be_played_is_our_own_failure(ask: Ask, choose: Choose) -> None:
    choose("identity-bureau/ANY.json", {"state": 503})

    assert ask()["statusCode"] == 500


def test_a_bucket_that_cannot_be_read_is_no_empty_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = composition.theatre().overrides
    monkeypatch.setattr(overrides, "_bucket", "no-such-bucket")

    with pytest.raises(ClientError, match="NoSuchBucket"):
        overrides.find("crm/ANY.json")


def test_a_contract_is_read_once() -> None:
    assert composition.partner("crm") is composition.partner("crm")
    assert composition.partner("nobody") is None


@pytest.mark.parametrize("key", ["", "crm/a b.json", "crm/\n.json", "crm/" + "x" * 1024])
def test_a_route_that_no_key_can_name_has_no_override(key: str) -> None:
    assert composition.theatre().overrides.find(key) is None
