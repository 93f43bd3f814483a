"""A partner as it is reached from its own network: one request, one answer, no redirect followed, all in ten seconds.

The address that was checked is the one that is connected to, so that a name cannot lead elsewhere in between.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

import certifi

from partners.model.forwarding import NotForwarded, Proxied, check_addresses
from partners.usecases.proxy import Answered
from paygo.proxy_messages import ANSWER_WITHIN, MAX_BODY_BYTES, RETURNED, ProxyRequest, Refusal

CONNECT_SECONDS = 3


class PartnerNetwork:
    """Sends over HTTP, to addresses that a partner may have.

    Parameters
    ----------
    within
        Seconds that an answer may take from beginning to end.
    """

    def __init__(self, within: float = ANSWER_WITHIN) -> None:
        self._within = within

    def send(self, request: ProxyRequest, partner: Proxied) -> Answered:
        """Send the request and return the answer; raise `NotForwarded` when there is none or it may not pass."""
        gives_up_at = time.monotonic() + self._within
        address = urlsplit(partner.url)
        host, secure = address.hostname or "", address.scheme == "https"
        port = address.port or (443 if secure else 80)
        try:
            sockets = _resolved(host, port)
            connection = _Pinned(host, port, sockets, secure=secure, gives_up_at=gives_up_at)
            with _Alarm(connection, gives_up_at) as alarm:
                connection.request(
                    request.method, address.path + request.path, request.body or None, dict(request.headers)
                )
                response = connection.getresponse()
                body = response.read(MAX_BODY_BYTES + 1)
        except TimeoutError as error:
            raise NotForwarded(Refusal.TOO_SLOW) from error
        except (OSError, HTTPException) as error:
            late = time.monotonic() >= gives_up_at
            raise NotForwarded(Refusal.TOO_SLOW if late else Refusal.UNREACHABLE) from error
        if alarm.rang:
            # Its end looks like the answer's.
            raise NotForwarded(Refusal.TOO_SLOW)
        if len(body) > MAX_BODY_BYTES:
            raise NotForwarded(Refusal.ANSWER_TOO_LARGE)
        if response.length:
            # It hung up before all that it promised: read with a limit, half an answer looks like a whole one.
            raise NotForwarded(Refusal.UNREACHABLE)
        return Answered(response.status, _returned(response), body)


class _Pinned(HTTPConnection):
    """A connection to one of the addresses that were checked."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], *, secure: bool, gives_up_at: float) -> None:
        super().__init__(host, port)
        self._addresses = addresses
        self._secure = secure
        self._gives_up_at = gives_up_at
        self.opened: socket.socket | None = None

    def connect(self) -> None:
        """Connect to the first address that answers."""
        connected = self._connected()
        connected.settimeout(max(0.1, self._gives_up_at - time.monotonic()))
        self.sock = _context().wrap_socket(connected, server_hostname=self.host) if self._secure else connected
        # The connection forgets its socket while the answer of a server that will close it is still read.
        self.opened = self.sock

    def _connected(self) -> socket.socket:
        failure = OSError("no address")
        for address in self._addresses:
            left = self._gives_up_at - time.monotonic()
            try:
                return socket.create_connection((address, self.port), min(CONNECT_SECONDS, max(0.1, left)))
            except OSError as error:
                failure = error
        raise failure


class _Alarm:
    """Ends a connection at its time, however slowly the answer trickles in."""

    def __init__(self, connection: _Pinned, at: float) -> None:
        self._connection = connection
        self._timer = threading.Timer(max(0.0, at - time.monotonic()), self._ring)
        self.rang = False

    def __enter__(self) -> "_Alarm":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._connection.close()

    def _ring(self) -> None:
        self.rang = True
        if self._connection.opened:
            # It may be over by itself just now.
            with suppress(OSError):
                self._connection.opened.shutdown(socket.SHUT_RDWR)


def _resolved(host: str, port: int) -> list[str]:
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    check_addresses(host, found)
    return found


def _returned(response: HTTPResponse) -> Mapping[str, str]:
    return {name: value for name, value in response.getheaders() if name.lower() in RETURNED}


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())
