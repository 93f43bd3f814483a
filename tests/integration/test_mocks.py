"""The mock of every partner on the deployed stack: it serves many at once, and answers what a test wants."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

import pytest
import requests

from demo.stage import Stage, read_access
from deploy.stack import stack_name
from deploy.target import stay_off_proxies
from mocks import Chosen, PartnerMocks, Requested

STACK = stack_name(os.environ.get("PAYGO_TEST_BRANCH") or "test")
IN_PARALLEL = 200
ROUTE = "/activations"


@dataclass(frozen=True)
class Crm:
    """The CRM as a gateway of ours calls it."""

    stage: Stage

    @cached_property
    def credential(self) -> str:
        access = self.stage.access
        secrets: Any = self.stage.session.client(
            "secretsmanager", region_name=access.region, endpoint_url=access.endpoint_url
        )
        secret = secrets.get_secret_value(SecretId=f"{access.stack}/outbound/crm")["SecretString"]
        return str(json.loads(secret)["credential"])

    def tell(self, device_id: str, credential: str | None = None) -> requests.Response:
        body = {
            "event_id": str(uuid4()),
            "device_id": device_id,
            "serial_number": "SHS-000001",
            "model": "solar-home-50",
            "household_id": str(uuid4()),
            "activated_at": "2026-11-21T10:00:00Z",
        }
        headers = {"Authorization": f"Bearer {credential or self.credential}", "Idempotency-Key": body["event_id"]}
        return requests.post(
            f"{self.stage.access.api_url}/mocks/crm{ROUTE}", json=body, headers=headers, timeout=(10, 60)
        )

    def statuses(self, device_id: str, times: int) -> list[int]:
        return [self.tell(device_id).status_code for _ in range(times)]


@pytest.fixture(scope="module")
def stage() -> Stage:
    stay_off_proxies()
    return Stage(read_access(STACK), os.environ.get("PROFILE") or None)


@pytest.fixture(scope="module")
def crm(stage: Stage) -> Crm:
    return Crm(stage)


@pytest.fixture
def mocks(stage: Stage) -> Iterator[PartnerMocks]:
    with PartnerMocks.of(stage) as made:
        yield made


@pytest.fixture
def device_id() -> str:
    """What tells a test's own requests from those of the others."""
    return f"mocked-{uuid4()}"


def asked(mocks: PartnerMocks, device_id: str) -> list[Requested]:
    return [request for request in mocks.requests("crm", route=ROUTE) if request.body["device_id"] == device_id]


def test_a_partner_answers_as_its_contract_says(crm: Crm, mocks: PartnerMocks, device_id: str) -> None:
    answer = crm.tell(device_id)

    [request] = asked(mocks, device_id)
    assert (answer.status_code, answer.json()) == (201, {"activation_id": f"ACT-{request.body['event_id']}"})
    assert request.idempotency_key == request.body["event_id"]
    assert "authorization" not in request.headers


def test_an_answer_is_chosen_in_one_line(crm: Crm, mocks: PartnerMocks, device_id: str) -> None:
    mocks.answer("crm", "POST", ROUTE, when={"/device_id": device_id}, status=503, times=2)

    assert crm.statuses(device_id, 3) == [503, 503, 201]
    assert [request.status for request in asked(mocks, device_id)] == [503, 503, 201]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"status": 422, "body": {"title": "No"}}, (422, "application/problem+json", '{"title": "No"}')),
        ({"raw": "<html>"}, (201, "text/html", "<html>")),
        ({"disconnect": True}, (502, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>")),
        ({"body": ["unexpected"]}, (201, "application/json", '["unexpected"]')),
    ],
)
def test_any_answer_can_be_played(
    crm: Crm, mocks: PartnerMocks, device_id: str, chosen: Chosen, told: tuple[int, str, str]
) -> None:
    mocks.sequence("crm", "POST", ROUTE, [chosen], when={"/device_id": device_id})

    answer = crm.tell(device_id)

    assert (answer.status_code, answer.headers["Content-Type"], answer.text) == told


def test_a_slow_answer_takes_its_time(crm: Crm, mocks: PartnerMocks, device_id: str) -> None:
    mocks.answer("crm", "POST", ROUTE, when={"/device_id": device_id}, delay_seconds=1.5)
    began = time.monotonic()

    assert crm.tell(device_id).status_code == 201
    assert time.monotonic() - began >= 1.5


def test_a_partner_wants_our_credential(crm: Crm, device_id: str) -> None:
    assert crm.tell(device_id, credential="another").status_code == 401


def test_a_sequence_is_told_apart_from_others_under_parallel_requests(
    crm: Crm, mocks: PartnerMocks, device_id: str
) -> None:
    mocks.answer("crm", "POST", ROUTE, when={"/device_id": device_id}, status=503, times=7)

    with ThreadPoolExecutor(20) as pool:
        statuses = [answer.status_code for answer in pool.map(crm.tell, [device_id] * 20)]

    assert sorted(statuses) == [201] * 13 + [503] * 7


def test_two_hundred_at_once_are_served(crm: Crm, mocks: PartnerMocks, device_id: str) -> None:
    assert crm.tell(device_id).status_code == 201  # the credential is read before everybody asks for it

    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        answers = list(pool.map(crm.tell, [f"{device_id}-{number}" for number in range(IN_PARALLEL)]))

    assert {answer.status_code for answer in answers} == {201}
    told = {request.body["device_id"] for request in mocks.requests("crm", route=ROUTE)}
    assert {f"{device_id}-{number}" for number in range(IN_PARALLEL)} <= told


def test_tests_that_choose_at_once_get_what_they_chose(stage: Stage, crm: Crm) -> None:
    def choose_and_ask(number: int) -> tuple[int, int]:
        mine = f"mocked-{uuid4()}"
        with PartnerMocks.of(stage) as mocks:
            mocks.answer("crm", "POST", ROUTE, when={"/device_id": mine}, status=400 + number)
            return 400 + number, crm.tell(mine).status_code

    with ThreadPoolExecutor(20) as pool:
        pairs = list(pool.map(choose_and_ask, range(20)))

    assert [told for _, told in pairs] == [wanted for wanted, _ in pairs]
