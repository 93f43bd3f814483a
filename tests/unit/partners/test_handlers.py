import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import responses

from partners import composition, gateways
from partners.gateways import AnswerQueue, SignedCallback
from partners.handlers import bureau, bureau_answers
from partners.model import Answer, Outcome
from paygo.security import PartnerKeys, verify_partner
from paygo.signatures import NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from paygo.storage import Table

ROUTE = "/mocks/identity-bureau/checks"
RESULTS = "/partners/identity-bureau/results"
CALLBACK = f"https://api.example.org/live{RESULTS}"
REFERENCE = "2c3b7a54-2f44-4f6d-8a3e-6b1e0c9d2f10"
CHECK = {
    "reference": REFERENCE,
    "given_name": "Amina",
    "family_name": "Odhiambo",
    "phone": "+254700000001",
    "callback_url": CALLBACK,
}
SECRET = {"api_key": "api-key", "keys": {"current": "signing-key", "previous": ""}}

type Ask = Callable[..., dict[str, Any]]


class Queue:
    """A queue of SQS, whose messages are seen with the delay they were given."""

    def __init__(self, delay_seconds: int = 0) -> None:
        self.client = boto3.client("sqs")
        self.url = self.client.create_queue(QueueName="answers")["QueueUrl"]
        self.answers = AnswerQueue(self.client, self.url, delay_seconds)

    def messages(self) -> list[dict[str, Any]]:
        received = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        return [json.loads(each["Body"]) for each in received.get("Messages", [])]

    def delayed(self) -> str:
        wanted = self.client.get_queue_attributes(
            QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
        )
        return wanted["Attributes"]["ApproximateNumberOfMessagesDelayed"]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    made = Queue()
    monkeypatch.setattr(bureau, "ANSWERS", made.answers)
    return made


@pytest.fixture
def ask(api_event: Any, context: Any) -> Ask:
    def ask_(body: object = CHECK) -> dict[str, Any]:
        return bureau.handler(api_event("POST", ROUTE, body=body), context)

    return ask_


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    boto3.client("secretsmanager").create_secret(Name="paygo-test/bureau", SecretString=json.dumps(SECRET))
    with responses.RequestsMock() as mock:
        yield mock


def batch(**changes: str) -> dict[str, Any]:
    answer = {"reference": REFERENCE, "outcome": "approved", "callback_url": CALLBACK} | changes
    return {"Records": [{"messageId": "message-1", "body": json.dumps(answer), "eventSource": "aws:sqs"}]}


def test_a_question_is_taken_and_its_answer_waits(ask: Ask, queue: Queue) -> None:
    answered = ask()

    assert (answered["statusCode"], answered["body"]) == (202, "")
    assert queue.messages() == [{"reference": REFERENCE, "outcome": "approved", "callback_url": CALLBACK}]


def test_a_person_named_rejected_will_be_rejected(ask: Ask, queue: Queue) -> None:
    ask({**CHECK, "family_name": "Rejected"})

    assert [message["outcome"] for message in queue.messages()] == ["rejected"]


def test_an_answer_waits_for_its_delay() -> None:
    queue = Queue(delay_seconds=60)

    queue.answers.put(Answer(reference=REFERENCE, outcome=Outcome.APPROVED, callback_url=CALLBACK))

    assert queue.messages() == []
    assert queue.delayed() == "1"


@pytest.mark.parametrize(("setting", "delay"), [(None, 2), ("0", 0), ("30", 30)])
def test_the_delay_is_a_setting(monkeypatch: pytest.MonkeyPatch, setting: str | None, delay: int) -> None:
    if setting is not None:
        monkeypatch.setenv("ANSWER_DELAY_SECONDS", setting)
    made: list[int] = []

    def note(_client: object, _url: str, delay_seconds: int) -> None:
        made.append(delay_seconds)

    monkeypatch.setattr(composition, "AnswerQueue", note)

    composition.answers.__wrapped__()

    assert made == [delay]


def test_a_callback_outside_the_stack_is_pointed_at(ask: Ask, queue: Queue) -> None:
    refused = ask({**CHECK, "callback_url": "https://evil.example.org/results"})

    assert refused["statusCode"] == 400
    assert json.loads(refused["body"])["errors"][0]["pointer"] == "/callback_url"
    assert queue.messages() == []


@pytest.mark.parametrize(("field", "value"), [("reference", "one"), ("family_name", None), ("age", 30)])
def test_a_question_against_the_contract_is_pointed_at(ask: Ask, queue: Queue, field: str, value: object) -> None:
    refused = ask({**CHECK, field: value})

    assert refused["statusCode"] == 400
    assert json.loads(refused["body"])["errors"][0]["pointer"] == f"/{field}"
    assert queue.messages() == []


def test_an_answer_is_delivered_so_that_the_platform_believes_it(
    web: responses.RequestsMock, idempotency: Table, api_event: Any, context: Any
) -> None:
    web.post(CALLBACK, status=204)

    handled = bureau_answers.handler(batch(), context)

    assert handled == {"batchItemFailures": []}
    [call] = web.calls
    body = call.request.body
    text = body.decode() if isinstance(body, bytes) else body
    assert json.loads(text or "") == {"reference": REFERENCE, "outcome": "approved"}
    assert call.request.req_kwargs["timeout"] == gateways.TIMEOUT  # type: ignore[attr-defined]
    sent = call.request.headers
    headers = {name: sent[name] for name in (TIMESTAMP_HEADER, NONCE_HEADER, SIGNATURE_HEADER)}
    event = api_event("POST", RESULTS, body=text, headers={**headers, "x-api-key": sent["X-Api-Key"]})
    verify_partner(proxy_event(event), PartnerKeys.model_validate(SECRET), idempotency, datetime.now(UTC))


def proxy_event(event: dict[str, Any]) -> Any:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

    return APIGatewayProxyEvent(event)


def test_each_try_has_a_nonce_of_its_own(web: responses.RequestsMock, context: Any) -> None:
    web.post(CALLBACK, status=204)

    for _ in range(2):
        bureau_answers.handler(batch(), context)

    assert len({call.request.headers[NONCE_HEADER] for call in web.calls}) == 2


@pytest.mark.parametrize("status", [302, 401, 404, 409, 500])
def test_an_answer_that_is_not_taken_goes_back_to_the_queue(
    web: responses.RequestsMock, context: Any, status: int
) -> None:
    web.post(CALLBACK, status=status, headers={"Location": "https://elsewhere.example.org"})

    handled = bureau_answers.handler(batch(), context)

    assert handled == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}


def test_an_answer_is_never_sent_outside_the_stack(web: responses.RequestsMock, context: Any) -> None:
    handled = bureau_answers.handler(batch(callback_url="https://evil.example.org/results"), context)

    assert handled == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert len(web.calls) == 0


def test_the_asker_is_told_with_the_secret_of_the_setting() -> None:
    assert isinstance(composition.asker(), SignedCallback)
    assert isinstance(composition.answers(), AnswerQueue)
