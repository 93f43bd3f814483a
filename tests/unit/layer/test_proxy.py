"""Calling a partner through the proxy is calling it, as far as whoever calls can tell."""

import base64
import io
import json
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from paygo import proxy
from paygo.composition import dynamodb
from paygo.config import setting
from paygo.partners import PartnerClient, PartnerRefused, PartnerSettings, PartnerUnavailable, bearer
from paygo.proxy import ProxyAdapter, ProxyRefused, proxy_client
from paygo.proxy_messages import FORWARDED, ProxyAnswer, ProxyRequest, Refusal, Refused
from paygo.storage import Table

ALIAS = "arn:aws:lambda:us-east-1:123456789012:function:paygo-test-partners-proxy:live"
URL = "https://bank.example.org/api"

type Said = ProxyAnswer | Refused | Exception | str


class FakeFunctions:
    """Lambda, with the proxy in it saying what it is told to."""

    def __init__(self, *answers: Said) -> None:
        self._answers = list(answers)
        self.asked: list[ProxyRequest] = []
        self.names: list[str] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        self.names.append(FunctionName)
        self.asked.append(ProxyRequest.model_validate_json(Payload))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(answer.encode())}
        return {"Payload": io.BytesIO(answer.model_dump_json().encode())}


def answered(status: int = 200, body: bytes = b"{}", **headers: str) -> ProxyAnswer:
    return ProxyAnswer(status=status, headers=headers, body=base64.b64encode(body))


def calling(monkeypatch: pytest.MonkeyPatch, *answers: Said) -> tuple[PartnerClient, FakeFunctions]:
    functions = FakeFunctions(*answers)
    monkeypatch.setattr(proxy, "proxy_client", lambda: functions)
    settings = PartnerSettings(url=URL, secret_arn="paygo-test/outbound/bank", proxy=ALIAS, calls_per_second=1000)
    return PartnerClient("bank", settings, bearer, dynamodb(), setting("PARTNER_CALLS_TABLE")), functions


def verify(client: PartnerClient) -> Any:
    answer = client.request("POST", "/customers/verifications", json={"a": 1}, idempotency_key="event-1")
    return json.loads(answer.body)


@pytest.fixture(autouse=True)
def calls(partner_calls: Table) -> None:
    """The table of calls, and our credential at the bank."""


def test_the_proxy_is_asked_for_the_partner_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    client, functions = calling(monkeypatch, answered(body=b'{"ok": true}'))

    assert verify(client) == {"ok": True}
    [request] = functions.asked
    assert functions.names == [ALIAS]
    assert (request.partner, request.method, request.path) == ("bank", "POST", "/customers/verifications")
    assert json.loads(request.body) == {"a": 1}
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert sent["authorization"] == "Bearer credential"
    assert sent["idempotency-key"] == "event-1"
    assert set(sent) <= FORWARDED


def test_a_request_without_a_body_is_asked_for_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    client, functions = calling(monkeypatch, answered())

    client.request("GET", "/customers/1")

    assert functions.asked[0].body == b""


@pytest.mark.parametrize("body", ["text", b"text", None])
def test_a_body_of_any_kind_is_carried(body: str | bytes | None) -> None:
    functions: Any = FakeFunctions(answered())
    adapter = ProxyAdapter(functions, ALIAS, "bank", URL)
    request = requests.Request("POST", f"{URL}/a", data=body).prepare()
    request.body = body

    answer = adapter.send(request)
    adapter.close()

    assert answer.url == f"{URL}/a"
    assert functions.asked[0].body == (b"text" if body else b"")


def test_a_partners_refusal_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = b'{"type": "https://bank.example.org/problems/code-refused"}'
    client, _ = calling(monkeypatch, answered(422, problem))

    with pytest.raises(PartnerRefused) as refused:
        verify(client)

    assert (refused.value.status, refused.value.problem) == (422, "https://bank.example.org/problems/code-refused")


def test_a_partners_outage_comes_through_with_when_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = calling(monkeypatch, answered(503, b"", **{"Retry-After": "60"}))

    with pytest.raises(PartnerUnavailable) as away:
        verify(client)

    assert away.value.retry_in
    assert 60 <= away.value.retry_in.total_seconds() <= 120


@pytest.mark.parametrize(
    "said",
    [
        Refused(refused=Refusal.UNREACHABLE),
        Refused(refused=Refusal.TOO_SLOW),
        "Task timed out after 15.00 seconds",
        ReadTimeoutError(endpoint_url="https://lambda"),
        ConnectTimeoutError(endpoint_url="https://lambda"),
        ClientError({"Error": {"Code": "TooManyRequestsException"}, "ResponseMetadata": {"HTTPStatusCode": 429}}, "I"),  # type: ignore[typeddict-item]
        ClientError({"Error": {"Code": "ServiceException"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "Invoke"),  # type: ignore[typeddict-item]
    ],
)
def test_what_passes_is_waited_for(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    client, _ = calling(monkeypatch, said)

    with pytest.raises(PartnerUnavailable):
        verify(client)


@pytest.mark.parametrize("refusal", sorted(set(Refusal) - {Refusal.UNREACHABLE, Refusal.TOO_SLOW}))
def test_what_the_proxy_never_forwards_is_an_error(monkeypatch: pytest.MonkeyPatch, refusal: Refusal) -> None:
    client, functions = calling(monkeypatch, Refused(refused=refusal))

    with pytest.raises(ProxyRefused, match=refusal.value):
        verify(client)

    assert len(functions.asked) == 1


def test_a_proxy_that_may_not_be_invoked_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    denied: Any = {"Error": {"Code": "AccessDeniedException"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    client, _ = calling(monkeypatch, ClientError(denied, "Invoke"))

    with pytest.raises(ClientError):
        verify(client)


def test_the_proxy_is_waited_for_as_long_as_it_may_take_and_asked_once() -> None:
    config: Any = proxy_client().meta.config

    assert config.read_timeout == 16
    assert config.retries["total_max_attempts"] == 1
