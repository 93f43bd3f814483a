"""The proxy forwards the requests of a partner's contract, to the partner's own address, and nothing else."""

import base64
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from partners.gateways import partner_network
from partners.gateways.partner_network import PartnerNetwork
from partners.handlers import proxy
from partners.model.forwarding import NotForwarded, Proxied, check_addresses
from partners.usecases.proxy import Answered, forward
from paygo.proxy_messages import MAX_BODY_BYTES, ProxyAnswer, ProxyRequest, Refusal, Refused

OPERATIONS = ("POST /customers/verifications", "GET /customers/{customer_id}/accounts/{account_id}")
BANK = {"bank": Proxied(url="https://bank.example.org/api", operations=OPERATIONS)}


def asking(**given: Any) -> ProxyRequest:
    body = base64.b64encode(given.pop("body", b"{}"))
    request: dict[str, Any] = {"partner": "bank", "method": "POST", "path": "/customers/verifications", "body": body}
    return ProxyRequest.model_validate(request | given)


class Recorder:
    """A network that takes everything and notes it."""

    def __init__(self) -> None:
        self.sent: list[tuple[ProxyRequest, Proxied]] = []

    def send(self, request: ProxyRequest, partner: Proxied) -> Answered:
        self.sent.append((request, partner))
        return Answered(200, {"Content-Type": "application/json"}, b'{"ok":true}')


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/customers/verifications"), ("GET", "/customers/BANK-7/accounts/a.b_c~d-e")],
)
def test_a_request_of_the_contract_is_forwarded(method: str, path: str) -> None:
    network, request = Recorder(), asking(method=method, path=path, headers={"Idempotency-Key": "event-1"})

    answer = forward(BANK, network, request)

    assert network.sent == [(request, BANK["bank"])]
    assert isinstance(answer, ProxyAnswer)
    assert (answer.status, answer.body) == (200, b'{"ok":true}')


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"partner": "crm"}, Refusal.UNKNOWN_PARTNER),
        ({"partner": "http://169.254.169.254"}, Refusal.UNKNOWN_PARTNER),
        ({"partner": "BANK"}, Refusal.UNKNOWN_PARTNER),
        ({"method": "GET"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "post"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "POST /customers/verifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers"}, Refusal.UNKNOWN_OPERATION),
        ({"path": ""}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers/verifications/"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers/verifications/7"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers/verifications?a=b"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers/verifications#a"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers/verifications\n"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers/verifications HTTP/1.1\r\nHost: forger.example.org\r\n"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers/%76erifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers//verifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "/customers/../customers/verifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "\\customers\\verifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "//forger.example.org/customers/verifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "@forger.example.org/customers/verifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": ".forger.example.org/customers/verifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": ":80/customers/verifications"}, Refusal.UNKNOWN_OPERATION),
        ({"path": "http://169.254.169.254/latest/meta-data/"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "GET", "path": "/customers/../accounts/7"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "GET", "path": "/customers/%2e%2e/accounts/7"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "GET", "path": "/customers/a%2Fb/accounts/7"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "GET", "path": "/customers/a;b/accounts/7"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "GET", "path": "/customers/a/b/accounts/7"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "GET", "path": f"/customers/{'a' * 129}/accounts/7"}, Refusal.UNKNOWN_OPERATION),
        ({"method": "GET", "path": "/customers/\u212a/accounts/7"}, Refusal.UNKNOWN_OPERATION),
        ({"headers": {"Host": "forger.example.org"}}, Refusal.HEADER),
        ({"headers": {"host": "forger.example.org"}}, Refusal.HEADER),
        ({"headers": {"Connection": "Upgrade"}}, Refusal.HEADER),
        ({"headers": {"Transfer-Encoding": "chunked"}}, Refusal.HEADER),
        ({"headers": {"Content-Length": "5"}}, Refusal.HEADER),
        ({"headers": {"X-Forwarded-Host": "forger.example.org"}}, Refusal.HEADER),
        ({"headers": {"Accept\r\nHost": "forger.example.org"}}, Refusal.HEADER),
        ({"headers": {"Accept": "a\r\nHost: forger.example.org"}}, Refusal.HEADER),
        ({"headers": {"Accept": "\u4f60"}}, Refusal.HEADER),
        ({"body": bytes(MAX_BODY_BYTES + 1)}, Refusal.TOO_LARGE),
    ],
)
def test_nothing_else_is_forwarded(given: dict[str, Any], refusal: Refusal) -> None:
    network = Recorder()

    assert forward(BANK, network, asking(**given)) == Refused(refused=refusal)
    assert network.sent == []


def test_a_body_may_be_as_large_as_was_agreed() -> None:
    assert isinstance(forward(BANK, Recorder(), asking(body=bytes(MAX_BODY_BYTES))), ProxyAnswer)


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",  # noqa: S104 (nothing is bound to it)
        "::",
        "224.0.0.1",
        "ff02::1",
        "240.0.0.1",
    ],
)
def test_a_name_that_leads_where_no_partner_is_is_not_followed(address: str) -> None:
    with pytest.raises(NotForwarded) as refused:
        check_addresses("bank.example.org", ["192.0.2.10", address])

    assert refused.value.refusal is Refusal.ADDRESS


@pytest.mark.parametrize(
    "address", ["10.20.0.7", "172.16.0.7", "192.168.1.7", "198.51.100.7", "2001:db8::7", "fd12::7"]
)
def test_a_partners_own_network_is_followed(address: str) -> None:
    check_addresses("bank.internal", [address])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_this_machine_is_meant_where_it_is_named(host: str) -> None:
    check_addresses(host, ["127.0.0.1", "::1"])


def test_a_link_local_address_is_refused_even_where_it_is_named() -> None:
    with pytest.raises(NotForwarded):
        check_addresses("169.254.169.254", ["169.254.169.254"])


# Over the network


class Bank(ThreadingHTTPServer):
    """A partner on this machine, which answers as a test says and notes what it was asked."""

    daemon_threads = True

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        bank = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                bank.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
                answer(self)

            do_GET = do_POST = _do  # noqa: N815 (its names are those that the server calls)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def settings(self) -> Proxied:
        return Proxied(url=f"http://127.0.0.1:{self.server_port}/mocks/bank", operations=OPERATIONS)


@contextmanager
def playing(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Bank]:
    bank = Bank(answer)
    threading.Thread(target=bank.serve_forever, daemon=True).start()
    yield bank
    bank.shutdown()
    bank.server_close()


def saying(
    status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b"{}"
) -> Callable[[BaseHTTPRequestHandler], None]:
    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return say


def refusal_of(send: Callable[[], object]) -> Refusal:
    with pytest.raises(NotForwarded) as refused:
        send()
    return refused.value.refusal


def test_the_partner_is_sent_what_was_asked_and_its_answer_comes_back() -> None:
    headers = {"Authorization": "Bearer credential", "Content-Type": "application/json", "Idempotency-Key": "event-1"}
    told = {"Content-Type": "application/json", "Retry-After": "7", "Set-Cookie": "a=b", "Location": "http://x"}
    with playing(saying(422, told, b'{"type":"about:blank"}')) as bank:
        answered = PartnerNetwork().send(asking(headers=headers, body=b'{"a":1}'), bank.settings)

    assert answered == Answered(
        422, {"Content-Type": "application/json", "Retry-After": "7"}, b'{"type":"about:blank"}'
    )
    [(method, path, sent, body)] = bank.asked
    assert (method, path, body) == ("POST", "/mocks/bank/customers/verifications", b'{"a":1}')
    assert sent.items() >= headers.items()
    assert sent["Host"] == f"127.0.0.1:{bank.server_port}"


def test_a_request_without_a_body_has_none() -> None:
    with playing(saying()) as bank:
        PartnerNetwork().send(asking(method="GET", path="/customers/1/accounts/2", body=b""), bank.settings)

    assert "Content-Length" not in bank.asked[0][2]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with playing(saying()) as elsewhere:
        target = f"http://127.0.0.1:{elsewhere.server_port}/latest/meta-data"
        with playing(saying(status, {"Location": target})) as bank:
            answered = PartnerNetwork().send(asking(), bank.settings)

    assert (answered.status, dict(answered.headers)) == (status, {})
    assert elsewhere.asked == []


@pytest.mark.parametrize(("more", "is_too_large"), [(0, False), (1, True)])
def test_an_answer_may_be_as_large_as_was_agreed(more: int, is_too_large: bool) -> None:
    body = bytes(MAX_BODY_BYTES + more)
    with playing(saying(body=body)) as bank:
        if is_too_large:
            assert refusal_of(lambda: PartnerNetwork().send(asking(), bank.settings)) is Refusal.ANSWER_TOO_LARGE
        else:
            assert PartnerNetwork().send(asking(), bank.settings).body == body


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Length": "100"}, b'{"approved": true}'),
        ({"Transfer-Encoding": "chunked"}, b'64\r\n{"approved"'),
    ],
    ids=["by its length", "in chunks"],
)
def test_half_an_answer_is_none(headers: Mapping[str, str], body: bytes) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    with playing(hang_up) as bank:
        assert refusal_of(lambda: PartnerNetwork().send(asking(), bank.settings)) is Refusal.UNREACHABLE


def trickle(*, closing: bool) -> Callable[[BaseHTTPRequestHandler], None]:
    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if closing:
            handler.send_header("Connection", "close")
        else:
            handler.send_header("Content-Length", "1000")
        handler.end_headers()
        try:
            for _ in range(100):
                handler.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            handler.close_connection = True

    return say


def silence(_: BaseHTTPRequestHandler) -> None:
    time.sleep(2)


@pytest.mark.parametrize("slow", [trickle(closing=True), trickle(closing=False), silence])
def test_an_answer_that_takes_too_long_is_given_up(slow: Callable[[BaseHTTPRequestHandler], None]) -> None:
    began = time.monotonic()
    with playing(slow) as bank:
        refusal = refusal_of(lambda: PartnerNetwork(within=0.4).send(asking(), bank.settings))

    assert refusal is Refusal.TOO_SLOW
    assert time.monotonic() - began < 3


def test_a_network_that_swallows_everything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def swallow(*_: object) -> None:
        time.sleep(0.3)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", swallow)
    partner = Proxied(url="http://127.0.0.1:9", operations=OPERATIONS)

    assert refusal_of(lambda: PartnerNetwork(within=0.1).send(asking(), partner)) is Refusal.TOO_SLOW


def test_a_partner_that_is_not_there_is_not_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nobody = Proxied(url=f"http://127.0.0.1:{port}", operations=OPERATIONS)

    assert refusal_of(lambda: PartnerNetwork().send(asking(), nobody)) is Refusal.UNREACHABLE


def test_a_partner_without_an_address_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])

    refusal = refusal_of(lambda: PartnerNetwork().send(asking(), BANK["bank"]))

    assert refusal is Refusal.UNREACHABLE


def test_what_is_no_http_is_no_answer() -> None:
    def garble(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        handler.close_connection = True

    with playing(garble) as bank:
        assert refusal_of(lambda: PartnerNetwork().send(asking(), bank.settings)) is Refusal.UNREACHABLE


def test_a_name_that_leads_to_a_link_local_address_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", lambda *given: connected.append(given))

    assert refusal_of(lambda: PartnerNetwork().send(asking(), BANK["bank"])) is Refusal.ADDRESS
    assert connected == []


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    with playing(saying()) as bank:
        settings = Proxied(url=f"http://localhost:{bank.server_port}", operations=OPERATIONS)
        with monkeypatch.context() as resolving:
            resolving.setattr(socket, "getaddrinfo", resolve)
            connect = socket.create_connection
            to: list[tuple[str, int]] = []

            def noting(address: tuple[str, int], timeout: float) -> socket.socket:
                to.append(address)
                resolving.undo()
                return connect(address, timeout)

            resolving.setattr(socket, "create_connection", noting)
            PartnerNetwork().send(asking(), settings)

    assert asked == ["localhost"]
    assert to == [("127.0.0.1", bank.server_port)]


def test_a_partner_is_known_by_its_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Context:
        def wrap_socket(self, plain: socket.socket, *, server_hostname: str) -> socket.socket:
            shown.append(server_hostname)
            return plain

    monkeypatch.setattr(partner_network, "_context", Context)
    with playing(saying()) as bank:
        url = bank.settings.url.replace("http://", "https://")
        assert PartnerNetwork().send(asking(), Proxied(url=url, operations=OPERATIONS)).status == HTTPStatus.OK

    assert shown == ["127.0.0.1"]


def test_certificates_are_checked() -> None:
    context = partner_network._context()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


# The function


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(proxy, "NETWORK", recorder)
    return recorder


def invoked(context: Any, **given: Any) -> dict[str, Any]:
    answer = proxy.handler(json.loads(asking(**given).model_dump_json()), context)
    json.dumps(answer)
    return answer


def test_the_function_answers_with_the_partners_answer(network: Recorder, context: Any, log: io.StringIO) -> None:
    answer = invoked(context, headers={"X-Correlation-Id": "request-7", "Authorization": "Bearer secret"})

    assert answer["status"] == 200
    assert base64.b64decode(answer["body"]) == b'{"ok":true}'
    assert len(network.sent) == 1
    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["message"], line["correlation_id"], line["status"]) == ("Forwarded", "request-7", 200)
    assert "secret" not in log.getvalue()


def test_the_function_says_why_it_does_not_forward(network: Recorder, context: Any, log: io.StringIO) -> None:
    answer = invoked(context, path="/customers")

    assert answer == {"refused": "unknown-operation"}
    assert network.sent == []
    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["level"], line["message"], line["refused"]) == ("WARNING", "Not forwarded", "unknown-operation")
