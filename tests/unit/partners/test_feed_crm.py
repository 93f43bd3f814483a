"""The CRM is told of every activation, and no event is lost when it is away."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from partners.gateways.crm import HttpCrm
from partners.handlers import feed_crm
from paygo.events import DeviceActivated, Event
from paygo.partners import PartnerRefused, bearer, partner
from paygo.storage import Table
from tests.unit.queues import OwnQueue, batch

ACTIVATIONS = "https://crm.example.org/activations"
ACTIVATED = DeviceActivated(
    device_id="9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d",
    serial_number="SHS-000001",
    model="solar-home-50",
    household_id="5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e",
    activated_at=datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
)


@pytest.fixture
def web(partner_calls: Table) -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def activation() -> Event[DeviceActivated]:
    return Event[DeviceActivated].about(
        ACTIVATED.device_id, ACTIVATED, source="/paygo-test/devices", time=ACTIVATED.activated_at, correlation_id="c-1"
    )


def test_the_crm_is_told_of_an_activation_with_the_events_id(web: responses.RequestsMock, context: Any) -> None:
    web.post(ACTIVATIONS, status=201, json={"activation_id": "ACT-1"})
    event = activation()

    assert feed_crm.handler(batch(event), context) == {"batchItemFailures": []}

    [call] = web.calls
    assert json.loads(call.request.body or b"") == {
        "event_id": event.id,
        "device_id": "9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d",
        "serial_number": "SHS-000001",
        "model": "solar-home-50",
        "household_id": "5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e",
        "activated_at": "2026-11-21T10:00:00+00:00",
    }
    assert call.request.headers["Idempotency-Key"] == event.id
    assert call.request.headers["Authorization"] == "Bearer credential"


def test_an_activation_waits_for_a_crm_that_is_away(web: responses.RequestsMock, context: Any) -> None:
    queue = OwnQueue()
    web.post(ACTIVATIONS, status=500)

    assert feed_crm.handler(batch(activation()), context) == {"batchItemFailures": []}

    assert queue.waiting() == 1


def test_activations_keep_to_the_crms_rate(web: responses.RequestsMock, context: Any, partner_calls: Table) -> None:
    web.post(ACTIVATIONS, status=201, json={"activation_id": "ACT-1"})

    feed_crm.handler(batch(activation()), context)

    assert partner_calls.get(pk="BUCKET#crm") is not None


@pytest.mark.parametrize(
    "answer",
    [{"status": 400}, {"status": 201, "json": {}}, {"status": 200, "json": {"activation_id": "A"}}, {"status": 201}],
    ids=str,
)
def test_any_other_answer_is_an_error_with_words(web: responses.RequestsMock, answer: dict[str, Any]) -> None:
    web.post(ACTIVATIONS, **answer)

    with pytest.raises(PartnerRefused, match=f"crm answered {answer['status']}"):
        HttpCrm(partner("crm", bearer)).tell_activation("event-1", ACTIVATED)
