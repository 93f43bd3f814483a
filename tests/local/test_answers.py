"""What an answer looks like on the wire."""

import socket
from urllib.parse import urlsplit

import pytest

from tests.conftest import Cloud

LARGEST = 65_536


@pytest.fixture
def wire(cloud: Cloud) -> socket.socket:
    place = urlsplit(cloud.endpoint_url)
    return socket.create_connection((place.hostname or "", place.port or 0), timeout=10)


def asked(wire: socket.socket, method: str, path: str) -> tuple[str, bytes, bytes]:
    """Send a request and take what comes in one piece: the status line, the head and the body."""
    wire.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    head, _, body = wire.recv(LARGEST).partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), head, body


def length(head: bytes) -> int:
    [line] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(line.partition(b":")[2])


def test_an_answers_head_comes_with_its_body(wire: socket.socket) -> None:
    for _ in range(50):
        status, head, body = asked(wire, "POST", "/_ministack/nothing")

        assert status == "HTTP/1.1 405 Method Not Allowed"
        assert len(body) == length(head) > 0


def test_an_answer_without_a_body_comes_too_and_the_next_one_after_it(wire: socket.socket) -> None:
    for _ in range(3):
        status, _, body = asked(wire, "HEAD", "/no-bucket-of-this-name/key")

        assert status.startswith("HTTP/1.1 4")
        assert body == b""
