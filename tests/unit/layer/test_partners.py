import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

import boto3
import pytest
import requests
import responses
import urllib3
from aws_lambda_powertools.utilities.circuit_breaker import base as circuit_breaker
from moto.dynamodb.models import DynamoDBBackend
from pydantic import BaseModel

from paygo.composition import dynamodb
from paygo.config import MissingSetting
from paygo.partners import (
    ANSWER_WITHIN,
    FAILURES_TO_OPEN,
    LONGEST_RETRY_AFTER,
    MAX_ANSWER_BYTES,
    PartnerAnswer,
    PartnerClient,
    PartnerRefused,
    PartnerSettings,
    PartnerUnavailable,
    RateReached,
    RetryBudget,
    api_key,
    bearer,
    partner,
    partner_settings,
    retry_after,
)
from paygo.secrets import UnreadableSecret
from paygo.storage import Table

URL = "https://crm.example.org"
THINGS = f"{URL}/things"
NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)


class Thing(BaseModel):
    thing_id: int


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long workers waited for their turns."""
    taken: list[float] = []
    monkeypatch.setattr("time.sleep", taken.append)
    return taken


@pytest.fixture
def client(partner_calls: Table, naps: list[float]) -> Callable[..., PartnerClient]:
    """Make the client of a worker; each worker is a process of its own."""

    def make(**changes: Any) -> PartnerClient:
        settings = {"url": URL, "secret_arn": "paygo-test/outbound/crm", "calls_per_second": 1000} | changes
        circuit_breaker._LOCAL_FAILURES.clear()
        return PartnerClient("crm", PartnerSettings(**settings), bearer, dynamodb(), partner_calls.name)

    return make


def ask(client: PartnerClient) -> PartnerAnswer:
    return client.request("POST", "/things", json={"name": "lamp"}, idempotency_key="event-1")


def fail(client: PartnerClient, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(PartnerUnavailable):
            ask(client)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Put the clock that circuits are judged by ahead of the real one."""
    real = datetime

    def put(ahead: timedelta) -> None:
        class Ahead(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return real.now(tz) + ahead

        monkeypatch.setattr("datetime.datetime", Ahead)

    return put


def test_a_call_carries_its_body_our_credential_and_its_idempotency_key(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    web.post(THINGS, json={"thing_id": 7}, status=201)

    answer = client().request("POST", "/things", json={"name": "lamp"}, idempotency_key="event-1", headers={"X-A": "b"})

    assert answer.read(HTTPStatus.CREATED, Thing) == Thing(thing_id=7)
    [call] = web.calls
    assert json.loads(call.request.body or b"") == {"name": "lamp"}
    sent = call.request.headers
    assert (sent["Authorization"], sent["Idempotency-Key"], sent["X-A"]) == ("Bearer credential", "event-1", "b")
    assert sent["Content-Type"] == "application/json"
    assert call.request.req_kwargs["timeout"] == (3, 10)  # type: ignore[attr-defined]


def test_a_call_that_changes_nothing_needs_no_key(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    web.get(THINGS, json={"thing_id": 7})

    assert client().request("GET", "/things").read(HTTPStatus.OK, Thing) == Thing(thing_id=7)
    assert "Idempotency-Key" not in web.calls[0].request.headers
    assert web.calls[0].request.body is None


def test_partners_know_us_by_a_key_or_by_a_bearer_token() -> None:
    assert api_key("secret") == {"X-Api-Key": "secret"}
    assert bearer("secret") == {"Authorization": "Bearer secret"}


def test_a_credential_that_no_header_can_hold_is_not_repeated(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="broken", SecretString=json.dumps({"credential": "two\nlines"}))

    with pytest.raises(UnreadableSecret) as error:
        ask(client(secret_arn="broken"))

    assert "two" not in str(error.value)
    assert len(web.calls) == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_partner_that_is_down_or_overloaded_is_unavailable(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, status: int
) -> None:
    web.post(THINGS, status=status, json={"type": "about:blank"})

    with pytest.raises(PartnerUnavailable, match=f"crm is not available: status {status}") as error:
        ask(client())

    assert error.value.retry_in is None


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError("https://crm.example.org/things?secret"),
        requests.ConnectTimeout(),
        requests.ReadTimeout(),
        urllib3.exceptions.ProtocolError(),
        urllib3.exceptions.ReadTimeoutError(None, "", ""),  # type: ignore[arg-type]
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_partner_that_cannot_be_reached_is_unavailable(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, failure: Exception
) -> None:
    web.post(THINGS, body=failure)

    with pytest.raises(PartnerUnavailable, match=type(failure).__name__) as error:
        ask(client())

    assert "secret" not in str(error.value)


@pytest.mark.parametrize("status", [429, 503])
def test_a_partner_that_says_when_to_come_back_is_asked_no_earlier(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, status: int
) -> None:
    web.post(THINGS, status=status, headers={"Retry-After": "40"})

    with pytest.raises(PartnerUnavailable) as error:
        ask(client())

    assert error.value.retry_in is not None
    assert timedelta(seconds=40) <= error.value.retry_in <= timedelta(seconds=80)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 422])
def test_any_other_answer_is_a_refusal_that_names_the_status(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, status: int
) -> None:
    web.post(THINGS, status=status, body="Amina Odhiambo is not known", headers={"Location": "https://elsewhere"})

    with pytest.raises(PartnerRefused, match=f"crm answered {status}: POST /things was refused") as error:
        ask(client())

    assert (error.value.status, error.value.problem) == (status, None)
    assert "Amina" not in str(error.value)


def test_a_refusal_names_the_type_of_the_problem(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    web.post(THINGS, status=422, json={"type": "https://crm.example.org/problems/full", "detail": "Amina"})

    with pytest.raises(PartnerRefused, match=r"was refused as https://crm\.example\.org/problems/full") as error:
        ask(client())

    assert error.value.problem == "https://crm.example.org/problems/full"
    assert "Amina" not in str(error.value)


@pytest.mark.parametrize("kind", ["two words", "", "x" * 201, 7, None])
def test_a_problem_type_that_is_no_address_is_not_repeated(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, kind: object
) -> None:
    web.post(THINGS, status=422, json={"type": kind})

    with pytest.raises(PartnerRefused) as error:
        ask(client())

    assert error.value.problem is None


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"<html>Amina</html>", "/"),
        (b"", "/"),
        (b'{"thing_id": "Amina"}', "/thing_id"),
        (b"[]", "/"),
        (b"\xff\xfe", "/"),
        (b'{"thing_id": 7', "/"),
    ],
)
def test_a_good_answer_of_the_wrong_shape_is_a_refusal_that_names_the_place(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, body: bytes, place: str
) -> None:
    web.post(THINGS, status=201, body=body)
    answer = ask(client())

    with pytest.raises(PartnerRefused, match=f"not as its contract says at {place} ") as error:
        answer.read(HTTPStatus.CREATED, Thing)

    assert "Amina" not in str(error.value)


def test_a_good_answer_of_another_status_is_a_refusal(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    web.post(THINGS, status=200, json={"thing_id": 7})

    with pytest.raises(PartnerRefused, match="crm answered 200: its contract has 201"):
        ask(client()).read(HTTPStatus.CREATED, Thing)


def test_an_answer_without_end_is_a_refusal(client: Callable[..., PartnerClient], web: responses.RequestsMock) -> None:
    web.post(THINGS, status=201, body=b"x" * (MAX_ANSWER_BYTES + 1))

    with pytest.raises(PartnerRefused, match=f"more than {MAX_ANSWER_BYTES} bytes"):
        ask(client())


def test_an_answer_that_trickles_in_is_given_up(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([0.0, ANSWER_WITHIN / 2, ANSWER_WITHIN + 1])
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    web.post(THINGS, status=201, body=b"x" * 200_000)

    with pytest.raises(PartnerUnavailable, match="trickled"):
        ask(client())


def test_retries_are_at_most_one_in_ten_calls(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    web.post(THINGS, status=201, json={"thing_id": 7})
    worker = client()
    for _ in range(19):
        ask(worker)
    web.replace("POST", THINGS, status=503)

    fail(worker, 3)

    assert len(web.calls) == 19 + 3 + 2


def test_a_retry_that_succeeds_is_the_answer(client: Callable[..., PartnerClient], web: responses.RequestsMock) -> None:
    worker = client()
    for _ in range(9):
        worker._budget.earn()
    web.post(THINGS, status=502)
    web.post(THINGS, status=201, json={"thing_id": 7})

    assert ask(worker).status == 201
    assert [call.request.headers["Idempotency-Key"] for call in web.calls] == ["event-1", "event-1"]


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 500},
        {"status": 503, "headers": {"Retry-After": "1"}},
        {"status": 429},
        {"body": requests.ReadTimeout()},
        {"status": 422},
    ],
    ids=["500", "told to wait", "429", "slow", "refused"],
)
def test_what_a_second_try_would_not_mend_is_not_retried(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, failure: dict[str, Any]
) -> None:
    worker = client()
    for _ in range(50):
        worker._budget.earn()
    web.post(THINGS, **failure)

    with pytest.raises((PartnerUnavailable, PartnerRefused)):
        ask(worker)

    assert len(web.calls) == 1


def test_a_budget_saves_up_few_retries() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.earn()

    assert [budget.spend() for _ in range(7)] == [True] * 5 + [False] * 2


def test_calls_wait_for_their_turn(
    client: Callable[..., PartnerClient],
    web: responses.RequestsMock,
    naps: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    web.post(THINGS, status=201, json={"thing_id": 7})
    monkeypatch.setattr("time.time_ns", lambda: 1_795_255_500 * 10**9)
    worker = client(calls_per_second=4)

    for _ in range(3):
        ask(worker)

    assert naps == [0, 0.25, 0.5]


def test_a_turn_that_is_too_far_is_a_reason_to_come_back_and_no_outage(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    web.post(THINGS, status=201, json={"thing_id": 7})
    worker = client(calls_per_second=0.1)
    ask(worker)

    for _ in range(FAILURES_TO_OPEN + 1):
        with pytest.raises(RateReached, match=r"crm takes 0\.1 calls a second") as error:
            ask(worker)

    assert error.value.retry_in is not None
    assert timedelta() < error.value.retry_in <= timedelta(seconds=20)
    assert len(web.calls) == 1


def test_after_failures_in_a_row_nobody_calls_any_more(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, partner_calls: Table
) -> None:
    web.post(THINGS, status=500)
    fail(client(), FAILURES_TO_OPEN)

    another_process = client()
    with pytest.raises(PartnerUnavailable, match="its circuit is open") as error:
        ask(another_process)

    assert len(web.calls) == FAILURES_TO_OPEN
    assert error.value.retry_in is not None
    assert timedelta(seconds=28) <= error.value.retry_in <= timedelta(seconds=150)
    item = partner_calls.get(pk="BREAKER#crm")
    assert item is not None
    assert item["state"] == "OPEN"
    assert item["expires_at"] > datetime.now(UTC).timestamp()


def test_events_that_a_circuit_turns_away_do_not_all_come_back_at_once(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    web.post(THINGS, status=500)
    worker = client()
    fail(worker, FAILURES_TO_OPEN)

    waits = set()
    for _ in range(20):
        with pytest.raises(PartnerUnavailable) as error:
            ask(worker)
        assert error.value.retry_in is not None
        waits.add(error.value.retry_in // timedelta(seconds=1))

    assert len(waits) > 5


def test_the_cool_down_follows_the_stacks_delay_scale(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELAY_SCALE", "0.01")
    web.post(THINGS, status=500)
    worker = client()
    fail(worker, FAILURES_TO_OPEN)

    with pytest.raises(PartnerUnavailable, match="circuit") as error:
        ask(worker)

    assert error.value.retry_in is not None
    assert error.value.retry_in <= timedelta(seconds=5)


def test_failures_with_a_success_between_them_open_nothing(
    client: Callable[..., PartnerClient], web: responses.RequestsMock
) -> None:
    worker = client()
    for _ in range(3):
        web.post(THINGS, status=500)
        fail(worker, FAILURES_TO_OPEN - 1)
        web.replace("POST", THINGS, status=201, json={"thing_id": 7})
        ask(worker)
        web.reset()

    web.post(THINGS, status=201, json={"thing_id": 7})
    assert ask(worker).status == 201


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_refusals_open_nothing(client: Callable[..., PartnerClient], web: responses.RequestsMock, status: int) -> None:
    web.post(THINGS, status=status)
    worker = client()

    for _ in range(FAILURES_TO_OPEN + 1):
        with pytest.raises(PartnerRefused):
            ask(worker)

    assert len(web.calls) == FAILURES_TO_OPEN + 1


def test_a_probe_that_succeeds_closes_the_circuit_for_everybody(
    client: Callable[..., PartnerClient],
    web: responses.RequestsMock,
    later: Callable[[timedelta], None],
    partner_calls: Table,
) -> None:
    web.post(THINGS, status=500)
    fail(client(), FAILURES_TO_OPEN)
    web.replace("POST", THINGS, status=201, json={"thing_id": 7})
    later(timedelta(seconds=31))

    assert ask(client()).status == 201
    item = partner_calls.get(pk="BREAKER#crm")
    assert item is not None
    assert item["state"] == "CLOSED"
    assert ask(client()).status == 201


def test_a_probe_that_fails_opens_the_circuit_anew(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, later: Callable[[timedelta], None]
) -> None:
    web.post(THINGS, status=500)
    fail(client(), FAILURES_TO_OPEN)
    later(timedelta(seconds=31))

    fail(client(), 3)

    assert len(web.calls) == FAILURES_TO_OPEN + 1


def test_a_probe_that_is_refused_closes_the_circuit_for_the_partner_is_back(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, later: Callable[[timedelta], None]
) -> None:
    web.post(THINGS, status=500)
    fail(client(), FAILURES_TO_OPEN)
    web.replace("POST", THINGS, status=422)
    later(timedelta(seconds=31))

    for _ in range(2):
        with pytest.raises(PartnerRefused):
            ask(client())


def test_of_workers_at_once_one_probes_a_partner_that_was_away(
    client: Callable[..., PartnerClient],
    web: responses.RequestsMock,
    later: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # DynamoDB judges a condition and writes in one step; the copy in memory needs a lock for it.
    lock, put_item = threading.Lock(), DynamoDBBackend.put_item

    def locked(*arguments: Any, **named: Any) -> Any:
        with lock:
            return put_item(*arguments, **named)

    monkeypatch.setattr(DynamoDBBackend, "put_item", locked)
    web.post(THINGS, status=500)
    fail(client(), FAILURES_TO_OPEN)
    later(timedelta(seconds=31))
    workers = [client() for _ in range(8)]
    together, answered = threading.Barrier(8), threading.Event()

    def slow(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        answered.wait(60)
        return 201, {}, '{"thing_id": 7}'

    web.remove("POST", THINGS)
    web.add_callback("POST", THINGS, slow)

    def work(worker: PartnerClient) -> str:
        together.wait()
        try:
            ask(worker)
        except PartnerUnavailable as away:
            return away.reason
        return "answered"

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(work, worker) for worker in workers]
        # The others are turned away while the one still waits for its answer.
        turned_away = [run for _, run in zip(range(7), as_completed(running, timeout=30), strict=False)]
        answered.set()
        assert len(turned_away) == 7
    outcomes = [run.result() for run in running]

    assert sorted(outcomes) == ["answered"] + ["crm is not available: its circuit is open"] * 7
    assert len(web.calls) == FAILURES_TO_OPEN + 1


def test_a_change_of_a_circuit_is_logged(
    client: Callable[..., PartnerClient], web: responses.RequestsMock, log: Any
) -> None:
    web.post(THINGS, status=500)

    fail(client(), FAILURES_TO_OPEN)

    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["circuit"], line["from_state"], line["to_state"]) == ("BREAKER#crm", "CLOSED", "OPEN")


def test_a_partner_is_made_of_the_functions_settings(partner_calls: Table, web: responses.RequestsMock) -> None:
    web.get("https://bank.example.org/hello", json={"thing_id": 1})

    answer = partner("bank", api_key).request("GET", "/hello")

    assert answer.partner == "bank"
    assert web.calls[0].request.headers["X-Api-Key"] == "credential"
    assert partner_calls.get(pk="BUCKET#bank") is not None


def test_a_partner_that_the_function_is_not_told_of_is_an_error_that_says_so() -> None:
    with pytest.raises(MissingSetting, match="PARTNERS does not name nobody"):
        partner("nobody", bearer)


@pytest.mark.parametrize("lacking", ["url", "secret_arn"])
def test_a_partner_that_cannot_be_called_is_an_error_that_says_so(
    client: Callable[..., PartnerClient], lacking: str
) -> None:
    with pytest.raises(MissingSetting, match="no address or no credential of crm"):
        client(**{lacking: ""})


def test_settings_are_read_by_name() -> None:
    settings = partner_settings()["crm"]

    assert settings.url == "https://crm.example.org"
    assert settings.inbound_secret_arn == "paygo-test/partners/crm"


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), timedelta(seconds=90)),
        ("86400", LONGEST_RETRY_AFTER),
        ("0", None),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 30, None),
        ("1.5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, wait: timedelta | None) -> None:
    assert retry_after(header, NOW) == wait
