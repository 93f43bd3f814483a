import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import responses
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from partners.gateways import callbacks
from partners.handlers import mock_callbacks
from partners.model.callbacks import Callback, CallbackFailed, ForeignCallback, callback_path
from paygo.security import PartnerKeys, verify_partner
from paygo.signatures import NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from paygo.storage import Table
from tests.unit.conftest import SETTINGS

API = SETTINGS["API_URL"]
RESULTS = "/partners/identity-bureau/results"
BODY = {"reference": "2c3b7a54-2f44-4f6d-8a3e-6b1e0c9d2f10", "outcome": "approved"}
CALLBACK = Callback(partner="identity-bureau", url=f"{API}{RESULTS}", body=json.dumps(BODY))
SECRET = {"api_key": "api-key", "keys": {"current": "signing-key", "previous": ""}}


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    secret = f"{SETTINGS['STACK']}/partners/identity-bureau"
    boto3.client("secretsmanager").create_secret(Name=secret, SecretString=json.dumps(SECRET))
    with responses.RequestsMock() as mock:
        yield mock


def test_a_call_is_made_so_that_the_platform_believes_it(
    web: responses.RequestsMock, idempotency: Table, api_event: Any
) -> None:
    web.post(CALLBACK.url, status=204)

    mock_callbacks.tell(CALLBACK)

    [call] = web.calls
    body = call.request.body
    text = body.decode() if isinstance(body, bytes) else body
    assert json.loads(text or "") == BODY
    assert call.request.req_kwargs["timeout"] == callbacks.TIMEOUT  # type: ignore[attr-defined]
    sent = call.request.headers
    headers = {name: sent[name] for name in (TIMESTAMP_HEADER, NONCE_HEADER, SIGNATURE_HEADER)}
    event = api_event("POST", RESULTS, body=text, headers={**headers, "x-api-key": sent["X-Api-Key"]})
    verify_partner(APIGatewayProxyEvent(event), PartnerKeys.model_validate(SECRET), idempotency, datetime.now(UTC))


def test_each_try_has_a_nonce_of_its_own(web: responses.RequestsMock) -> None:
    web.post(CALLBACK.url, status=204)

    for _ in range(2):
        mock_callbacks.tell(CALLBACK)

    assert len({call.request.headers[NONCE_HEADER] for call in web.calls}) == 2


@pytest.mark.parametrize("status", [302, 401, 404, 409, 500])
def test_a_call_that_is_not_taken_has_failed(web: responses.RequestsMock, status: int) -> None:
    web.post(CALLBACK.url, status=status, headers={"Location": "https://elsewhere.example.org"})

    with pytest.raises(CallbackFailed, match=f"identity-bureau to {RESULTS} was refused with {status}"):
        mock_callbacks.tell(CALLBACK)

    assert len(web.calls) == 1


def test_nobody_outside_the_stack_is_called(web: responses.RequestsMock) -> None:
    with pytest.raises(ForeignCallback):
        mock_callbacks.tell(CALLBACK.model_copy(update={"url": "https://evil.example.org/results"}))

    assert len(web.calls) == 0


def test_the_queues_messages_are_calls(
    web: responses.RequestsMock, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.post(CALLBACK.url, status=204)
    record = {
        "messageId": "message-1",
        "receiptHandle": "handle-1",
        "body": CALLBACK.model_dump_json(),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795255500000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }

    assert mock_callbacks.handler({"Records": [record]}, context) == {"batchItemFailures": []}
    assert len(web.calls) == 1


def test_the_path_to_sign_is_the_contracts_without_the_stage() -> None:
    assert callback_path(f"{API}{RESULTS}", API) == RESULTS


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.org/live/partners/identity-bureau/results",
        "https://api.example.org/liver/partners",
        "https://api.example.org/live@evil.example.org/partners",
        f"{API}.evil.example.org/partners",
        f"{API}/../other/partners",
        f"{API}/partners?to=somebody",
        f"{API}/partners#part",
        f"{API}//evil.example.org",
        f"{API}/partners\n",
        f"{API}/%2e%2e/other",
        API,
        RESULTS,
        "",
    ],
)
def test_a_callback_that_is_no_plain_route_of_the_stack_is_refused(url: str) -> None:
    with pytest.raises(ForeignCallback):
        callback_path(url, API)
