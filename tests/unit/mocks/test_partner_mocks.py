"""What a test may choose in one line, against the bucket and the table that the mock itself reads and writes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import boto3
import pytest

from mocks import Callback, Chosen, MocksAbsent, PartnerMocks
from partners.model.contract import Answer, Request
from partners.model.overrides import ChosenAnswer, ChosenCallback, Override, chosen, overrides
from partners.repository import BucketOfOverrides, TableOfRequests
from partners.usecases.mock import Played
from paygo.storage import Table
from tests.unit.conftest import SETTINGS

ACTIVATIONS = "crm/activations/POST.json"
EVERYTHING = "crm/ANY.json"


@dataclass(frozen=True)
class Place:
    bucket: str = SETTINGS["MOCKS_BUCKET"]
    table: str = SETTINGS["TABLE"]


@dataclass(frozen=True)
class Access:
    region: str = "us-east-1"
    endpoint_url: str | None = None
    mocks: Place | None = Place()


@dataclass(frozen=True)
class Stage:
    access: Access
    session: boto3.Session


@pytest.fixture
def stage() -> Stage:
    boto3.client("s3").create_bucket(Bucket=SETTINGS["MOCKS_BUCKET"])
    return Stage(Access(), boto3.Session())


@pytest.fixture
def mocks(stage: Stage) -> Iterator[PartnerMocks]:
    with PartnerMocks.of(stage) as made:
        yield made


def choice(key: str, body: Any = None) -> Override | None:
    """What the mock would play for a request with this body."""
    stored = BucketOfOverrides(boto3.client("s3"), SETTINGS["MOCKS_BUCKET"]).find(key)
    found = chosen(overrides(stored.text), body or {}) if stored else None
    return found[1] if found else None


def statuses(key: str, requests: int) -> list[int | None]:
    override = choice(key)
    assert override is not None
    return [override.at(position).status for position in range(requests)]


def test_an_answer_is_chosen_in_one_line(mocks: PartnerMocks) -> None:
    mocks.answer("crm", "POST", "/activations", status=422, body={"title": "No"}, headers={"X-Why": "so"})

    override = choice(ACTIVATIONS)
    assert override is not None
    assert (override.at(0).status, override.at(0).body, override.at(0).headers) == (
        422,
        {"title": "No"},
        {"X-Why": "so"},
    )
    assert override.at(9).status == 422


def test_an_answer_that_is_given_some_times_leaves_the_word_to_the_contract(mocks: PartnerMocks) -> None:
    mocks.answer("crm", "post", "/activations", status=503, times=2)

    assert statuses(ACTIVATIONS, 4) == [503, 503, None, None]


def test_a_sequence_goes_on_or_starts_again(mocks: PartnerMocks) -> None:
    answers: list[Chosen] = [{"status": 503}, {"status": 429}]

    mocks.sequence("crm", "POST", "/activations", answers)
    assert statuses(ACTIVATIONS, 3) == [503, 429, 429]
    mocks.sequence("crm", "POST", "/activations", answers, repeat=True)
    assert statuses(ACTIVATIONS, 3) == [503, 429, 503]


def test_each_way_to_fail_is_a_word(mocks: PartnerMocks) -> None:
    def now() -> ChosenAnswer:
        override = choice(EVERYTHING)
        assert override is not None
        return override.at(0)

    mocks.down("crm")
    assert now() == ChosenAnswer(status=503)
    mocks.down("crm", 500)
    assert now() == ChosenAnswer(status=500)
    mocks.slow("crm", 3)
    assert now() == ChosenAnswer(delay_seconds=3)
    mocks.wrong("crm")
    assert (now().status, now().has_body) == (None, True)
    mocks.wrong("crm", {"a": 1})
    assert now().body == {"a": 1}
    mocks.malformed("crm")
    assert (now().raw or "").startswith("<html>")
    mocks.hangs_up("crm")
    assert now().disconnect
    mocks.flapping("crm", down=2, up=1)
    assert statuses(EVERYTHING, 6) == [503, 503, None, 503, 503, None]


def test_a_choice_ends_with_its_block(mocks: PartnerMocks) -> None:
    with mocks.down("crm"):
        assert choice(EVERYTHING) is not None

    assert choice(EVERYTHING) is None


def test_choices_for_different_requests_stand_side_by_side(mocks: PartnerMocks) -> None:
    mocks.answer("crm", "POST", "/activations", when={"/device_id": "one"}, status=500)
    mocks.answer("crm", "POST", "/activations", status=503)
    two = mocks.answer("crm", "POST", "/activations", when={"/device_id": "two"}, status=501)
    mocks.answer("crm", "POST", "/activations", status=504)

    def status(device_id: str) -> int | None:
        override = choice(ACTIVATIONS, {"device_id": device_id})
        return override.at(0).status if override else None

    assert [status(device_id) for device_id in ("one", "two", "three")] == [500, 501, 504]
    two.take_back()
    assert [status(device_id) for device_id in ("one", "two", "three")] == [500, 504, 504]


def test_clearing_takes_back_ones_own_choices_only(stage: Stage, mocks: PartnerMocks) -> None:
    mocks.answer("crm", "POST", "/activations", when={"/device_id": "one"}, status=500)
    with PartnerMocks.of(stage) as others:
        others.answer("crm", "POST", "/activations", when={"/device_id": "two"}, status=501)
        others.down("bank")

    assert choice(ACTIVATIONS, {"device_id": "one"}) is not None
    assert choice(ACTIVATIONS, {"device_id": "two"}) is None
    assert choice("bank/ANY.json") is None


def test_what_somebody_wrote_by_hand_makes_room(mocks: PartnerMocks) -> None:
    for text in ('{"status": 500}', '[{"status": 500}]'):
        boto3.client("s3").put_object(Bucket=SETTINGS["MOCKS_BUCKET"], Key=EVERYTHING, Body=text.encode())

        mocks.down("crm")

        assert statuses(EVERYTHING, 1) == [503]


def test_choices_made_at_once_are_both_kept(stage: Stage, mocks: PartnerMocks, monkeypatch: pytest.MonkeyPatch) -> None:
    other, read, reads = PartnerMocks.of(stage), mocks._read, 0

    def read_and_be_overtaken(key: str) -> tuple[list[dict[str, Any]], str | None]:
        nonlocal reads
        reads += 1
        found = read(key)
        if reads == 1:
            other.answer("crm", "POST", "/activations", when={"/device_id": "two"}, status=501)
        return found

    monkeypatch.setattr(mocks, "_read", read_and_be_overtaken)

    mocks.answer("crm", "POST", "/activations", when={"/device_id": "one"}, status=500)

    assert reads == 2
    assert choice(ACTIVATIONS, {"device_id": "one"}) is not None
    assert choice(ACTIVATIONS, {"device_id": "two"}) is not None


def test_the_requests_are_what_the_mock_recorded(mocks: PartnerMocks, table: Table) -> None:
    recorder, began = TableOfRequests(table), mocks.began
    sent = Request("POST", "/activations", {"dry": "yes"}, {"idempotency-key": "event-1"}, '{"device_id": "one"}')
    recorder.record("crm", sent, Played(Answer(201)), began - timedelta(seconds=1))
    recorder.record("crm", sent, Played(Answer(503), override=EVERYTHING), began + timedelta(seconds=1))
    recorder.record("crm", replace(sent, route="/nowhere"), None, began + timedelta(seconds=2))
    recorder.record("bank", sent, Played(Answer(200)), began + timedelta(seconds=1))

    first, second = mocks.requests("crm")

    assert (first.method, first.route, first.query, first.body) == (
        "POST",
        "/activations",
        {"dry": "yes"},
        {"device_id": "one"},
    )
    assert (first.status, first.override, first.idempotency_key) == (503, EVERYTHING, "event-1")
    assert first.received_at == began + timedelta(seconds=1)
    assert (second.status, second.override) == (404, None)
    assert mocks.requests("crm", route="/nowhere") == [second]
    assert len(mocks.requests("crm", since=datetime(2020, 1, 1, tzinfo=UTC))) == 3


def test_more_requests_than_a_page_holds_are_all_returned(mocks: PartnerMocks, table: Table) -> None:
    recorder = TableOfRequests(table)
    for number in range(15):
        body = json.dumps({"number": number, "padding": "x" * 90_000})
        at = mocks.began + timedelta(seconds=number + 1)
        recorder.record("crm", Request("POST", "/activations", text=body), None, at)

    assert [request.body["number"] for request in mocks.requests("crm")] == list(range(15))


def test_a_stack_without_mocks_says_so() -> None:
    with pytest.raises(MocksAbsent, match="production"):
        PartnerMocks(Access(mocks=None), boto3.Session())


def test_what_can_be_chosen_is_what_the_mock_plays() -> None:
    assert set(get_type_hints(Chosen)) == set(ChosenAnswer.model_fields)
    assert set(get_type_hints(Callback)) == set(ChosenCallback.model_fields)
