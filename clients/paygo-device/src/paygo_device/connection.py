"""One MQTT connection over mutual TLS, waited on without polling."""

import ssl
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from paygo_device.errors import ConnectionLost, ConnectionRefused, NotAllowed, TimedOut
from paygo_device.models import Endpoint, KeyPair

AT_LEAST_ONCE = 1
KEEP_ALIVE_SECONDS = 60
CLOSE_SECONDS = 2.0
MAX_WAITING_MESSAGES = 100
MAX_TOPICS_IN_SUBSCRIBE = 8
"""https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits"""

type MakeClient = Callable[[str], Client]


def paho_client(client_id: str) -> Client:
    """Return a client that says why it is refused (MQTT 5) and leaves connecting again to its caller."""
    return Client(
        CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
    )


@dataclass(frozen=True, slots=True)
class Message:
    """A message that arrived."""

    topic: str
    payload: bytes


class Connection:
    """A live connection. Messages wait per topic until they are asked for; the oldest go when too many wait."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._changed = threading.Condition()
        self._refusal: str | None = None
        self._connected = False
        self._ended: str | None = None
        self._closing = False
        self._acknowledged: dict[int, tuple[ReasonCode, ...]] = {}
        self._waiting: deque[Message] = deque(maxlen=MAX_WAITING_MESSAGES)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message

    @classmethod
    def open(
        cls,
        endpoint: Endpoint,
        key_pair: KeyPair,
        client_id: str,
        *,
        timeout: float,
        make_client: MakeClient = paho_client,
    ) -> Self:
        """Connect and wait until the stack lets the client in.

        Raises
        ------
        ConnectionRefused
            When it does not.
        TimedOut
            When it says nothing in `timeout` seconds.
        """
        client = make_client(client_id)
        client.tls_set_context(_tls(endpoint, key_pair))
        client.connect_timeout = timeout
        connection = cls(client)
        ends = time.monotonic() + timeout
        try:
            client.connect(endpoint.host, endpoint.port, KEEP_ALIVE_SECONDS, clean_start=True)
        except TimeoutError as error:
            message = f"{endpoint.host}:{endpoint.port} did not answer in {timeout:g} s."
            raise TimedOut(message) from error
        except OSError as error:  # refused by the network, or by TLS
            message = f"{endpoint.host}:{endpoint.port} did not take the connection: {error}"
            raise ConnectionRefused(message) from error
        client.loop_start()
        try:
            connection._wait_until_connected(ends)
        except BaseException:
            connection.close()
            raise
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and end the network thread; harmless when it has ended."""
        with self._changed:
            self._closing = True
            was_live = self._connected and self._ended is None
        if was_live:
            self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, topics: Sequence[str], *, timeout: float) -> None:
        """Subscribe, and wait until the stack has said that it is allowed."""
        ends = time.monotonic() + timeout
        for start in range(0, len(topics), MAX_TOPICS_IN_SUBSCRIBE):
            chunk = topics[start : start + MAX_TOPICS_IN_SUBSCRIBE]
            result, packet = self._client.subscribe([(topic, SubscribeOptions(qos=AT_LEAST_ONCE)) for topic in chunk])
            if result != MQTT_ERR_SUCCESS or packet is None:
                raise ConnectionLost(self._why_ended())
            reasons = self._acknowledgement(packet, ends, f"subscribing to {', '.join(chunk)}")
            for topic, reason in zip(chunk, reasons, strict=False):
                if reason.is_failure:
                    message = f"Subscribing to {topic} was refused: {reason}."
                    raise NotAllowed(message)

    def publish(self, topic: str, payload: bytes, *, timeout: float) -> None:
        """Publish, and wait until the stack has it."""
        ends = time.monotonic() + timeout
        sent = self._client.publish(topic, payload, AT_LEAST_ONCE)
        if sent.rc != MQTT_ERR_SUCCESS:
            raise ConnectionLost(self._why_ended())
        for reason in self._acknowledgement(sent.mid, ends, f"publishing to {topic}"):
            if reason.is_failure:
                message = f"Publishing to {topic} was refused: {reason}."
                raise NotAllowed(message)

    def take(
        self,
        topics: Collection[str],
        *,
        timeout: float,
        matches: Callable[[Message], bool] = lambda _: True,
    ) -> Message:
        """Return the oldest waiting message of `topics` that `matches`, waiting for one if need be."""

        def find() -> Message | None:
            return next((one for one in self._waiting if one.topic in topics and matches(one)), None)

        with self._changed:
            self._changed.wait_for(lambda: find() is not None or self._ended is not None, timeout)
            found = find()
            if found is not None:
                self._waiting.remove(found)
                return found
            if self._ended is not None:
                raise ConnectionLost(self._ended)
        message = f"Nothing came on {', '.join(sorted(topics))} in {timeout:g} s."
        raise TimedOut(message)

    def forget(self, topics: Collection[str]) -> None:
        """Drop waiting messages, so that an old answer is not taken for a new one."""
        with self._changed:
            for message in [one for one in self._waiting if one.topic in topics]:
                self._waiting.remove(message)

    def wait_until_ended(self, timeout: float) -> bool:
        """Return whether the connection ended within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended is not None, timeout)

    def _wait_until_connected(self, ends: float) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._connected or self._refusal is not None or self._ended is not None, _left(ends)
            )
            if self._connected:
                return
            refusal = self._refusal
            if refusal is None and self._ended is not None:
                # AWS IoT says nothing to a certificate that it does not know or that is not active.
                refusal = "The stack closed the connection without a word: the certificate is unknown or inactive."
        if refusal is None:
            message = "The stack did not answer the connection request in time."
            raise TimedOut(message)
        raise ConnectionRefused(refusal)

    def _acknowledgement(self, packet: int, ends: float, doing: str) -> tuple[ReasonCode, ...]:
        with self._changed:
            self._changed.wait_for(lambda: packet in self._acknowledged or self._ended is not None, _left(ends))
            reasons = self._acknowledged.pop(packet, None)
            if reasons is not None:
                return reasons
            if self._ended is not None:
                # AWS IoT ends the connection of a client that does what its policy does not allow.
                message = f"The connection ended while {doing}: {self._ended}"
                raise ConnectionLost(message)
        message = f"No acknowledgement came while {doing}."
        raise TimedOut(message)

    def _why_ended(self) -> str:
        with self._changed:
            return self._ended or "The connection is closed."

    # The callbacks run on paho's network thread; they note what happened and wake whoever waits.

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        with self._changed:
            if reason.is_failure:
                self._refusal = f"The stack refused the connection: {reason}."
            else:
                self._connected = True
            self._changed.notify_all()

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        with self._changed:
            self._ended = (
                "The connection was closed." if self._closing else f"The stack ended the connection: {reason}."
            )
            self._changed.notify_all()

    def _on_subscribe(
        self, _client: Client, _data: Any, packet: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self._acknowledge(packet, tuple(reasons))

    def _on_publish(
        self, _client: Client, _data: Any, packet: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._acknowledge(packet, (reason,))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self._changed:
            self._waiting.append(Message(message.topic, bytes(message.payload)))
            self._changed.notify_all()

    def _acknowledge(self, packet: int, reasons: tuple[ReasonCode, ...]) -> None:
        with self._changed:
            self._acknowledged[packet] = reasons
            self._changed.notify_all()


def _left(ends: float) -> float:
    return max(0.0, ends - time.monotonic())


def _tls(endpoint: Endpoint, key_pair: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.ca_file)
    # OpenSSL reads key pairs from files only; this one is the user's alone and gone right after.
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as pem:
        pem.write(f"{key_pair.certificate_pem.strip()}\n{key_pair.private_key.strip()}\n")
        pem.flush()
        context.load_cert_chain(pem.name)
    return context
