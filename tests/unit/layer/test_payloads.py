import json
from typing import Any

import boto3
import pytest

from paygo import composition
from paygo.messages import Message, size, text
from paygo.payloads import KEPT_FREE_BYTES, MAX_MESSAGE_BYTES, UnknownPayload, is_too_large, refers
from paygo.queues import REASON_BYTES, Queue
from tests.unit.layer.fakes import NOW, FakeQueue, FakeSqs

TYPE = {"type": text("meters.meter-read.v1")}


def event(data: Any) -> str:
    return json.dumps({"id": "e-1", "datacontenttype": "application/json", "data": data}, ensure_ascii=False)


def message_of(length: int) -> str:
    return "x" * (length - size("", TYPE))


def test_a_message_at_the_limit_carries_its_data_and_one_byte_more_refers_to_it() -> None:
    assert not is_too_large(message_of(MAX_MESSAGE_BYTES - KEPT_FREE_BYTES), TYPE)
    assert is_too_large(message_of(MAX_MESSAGE_BYTES - KEPT_FREE_BYTES + 1), TYPE)


def test_the_limit_is_in_bytes_and_not_in_characters() -> None:
    half = "é" * ((MAX_MESSAGE_BYTES - KEPT_FREE_BYTES) // 2)

    assert is_too_large(half, TYPE)


def test_a_copy_of_a_message_at_the_limit_is_what_a_queue_takes() -> None:
    queue = FakeQueue()
    sqs = FakeSqs(queue, "queue", "dead")
    body = message_of(MAX_MESSAGE_BYTES - KEPT_FREE_BYTES)
    queue.send(body, TYPE)
    (received,) = queue.receive()
    message = Message(received.record())

    Queue(sqs, "queue", "dead").put_back(  # type: ignore[arg-type]
        message, 4 * (NOW - NOW.replace(hour=1)), NOW, reason="ü" * REASON_BYTES, times_not_ready=10**6
    )

    copy = queue.messages[-1]
    assert len(copy.attributes) == 5
    assert MAX_MESSAGE_BYTES - KEPT_FREE_BYTES < size(copy.body, copy.attributes) <= MAX_MESSAGE_BYTES


def test_an_event_refers_to_its_data_and_gets_it_back(payloads: str) -> None:
    whole = event({"name": "Ämina", "readings": [1, 2]})

    referring = composition.payloads().keep(whole)

    assert json.loads(referring) == {
        "id": "e-1",
        "datacontenttype": "application/json",
        "dataref": f"s3://{payloads}/events/e-1",
    }
    assert refers(referring)
    assert json.loads(composition.payloads().fetch(referring)) == json.loads(whole)
    kept = boto3.client("s3").get_object(Bucket=payloads, Key="events/e-1")
    assert kept["ContentType"] == "application/json"
    assert json.loads(kept["Body"].read()) == {"name": "Ämina", "readings": [1, 2]}


def test_an_event_kept_twice_is_kept_once(payloads: str) -> None:
    for _ in range(2):
        composition.payloads().keep(event({"name": "Amina"}))

    assert len(boto3.client("s3").list_objects_v2(Bucket=payloads)["Contents"]) == 1


def test_an_event_that_refers_to_nothing_stays_as_it_is() -> None:
    for whole in (event({"name": "Amina"}), "[1]", event({"dataref": "s3://elsewhere/1"})):
        assert composition.payloads().fetch(whole) is whole


@pytest.mark.parametrize("reference", ["s3://another/events/e-1", "https://example.org/e-1", "events/e-1", None])
def test_data_is_fetched_from_the_stacks_own_bucket_only(payloads: str, reference: str | None) -> None:
    with pytest.raises(UnknownPayload, match=f"The data of the event is not in {payloads}"):
        composition.payloads().fetch(json.dumps({"id": "e-1", "dataref": reference}))
