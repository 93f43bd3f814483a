"""A stand-in of paho's client that plays the stack's side of MQTT in this process, and a key pair to connect with."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import MQTT_ERR_NO_CONN, MQTT_ERR_SUCCESS, Client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

NOT_AUTHORIZED = "Not authorized"

type Answers = Callable[[dict[str, Any]], list[tuple[str, Any]]]


def silence(_request: dict[str, Any]) -> list[tuple[str, Any]]:
    """Answer nothing."""
    return []


@cache
def key_pair() -> tuple[str, str]:
    """A certificate and its private key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


@dataclass
class FakeStack:
    """What the stack does; tests change it before connecting and send messages after."""

    connect_error: OSError | None = None
    connack: str | None = "Success"
    suback: dict[str, str] = field(default_factory=dict)
    puback: str | None = "Success"
    ends_on_publish: bool = False
    answers: dict[str, Answers] = field(default_factory=dict)
    clients: list["FakeClient"] = field(default_factory=list)

    def make_client(self, client_id: str) -> Client:
        client = FakeClient(self, client_id)
        self.clients.append(client)
        return cast("Client", client)

    @property
    def client(self) -> "FakeClient":
        return self.clients[-1]

    def send(self, topic: str, document: Any) -> None:
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.client.on_message(self.client, None, SimpleNamespace(topic=topic, payload=payload))


class FakeClient:
    """The part of paho's client that the device uses; callbacks are called at once."""

    on_connect: Callable[..., None]
    on_disconnect: Callable[..., None]
    on_subscribe: Callable[..., None]
    on_publish: Callable[..., None]
    on_message: Callable[..., None]

    def __init__(self, stack: FakeStack, client_id: str) -> None:
        self.stack = stack
        self.client_id = client_id
        self.connect_timeout = 0.0
        self.address: tuple[str, int] | None = None
        self.subscribed: list[list[str]] = []
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.calls: list[str] = []
        self.is_live = False
        self._packet = 0

    def tls_set_context(self, context: object) -> None:
        self.context = context

    def connect(self, host: str, port: int, _keepalive: int, *, clean_start: bool) -> None:
        assert clean_start
        self.address = (host, port)
        if self.stack.connect_error:
            raise self.stack.connect_error

    def loop_start(self) -> None:
        self.calls.append("loop_start")
        if self.stack.connack == "closed":
            self.end()
        elif self.stack.connack:
            self.is_live = self.stack.connack == "Success"
            self.on_connect(self, None, None, ReasonCode(PacketTypes.CONNACK, self.stack.connack), None)

    def loop_stop(self) -> None:
        self.calls.append("loop_stop")

    def disconnect(self) -> None:
        self.calls.append("disconnect")
        self.end("Normal disconnection")

    def end(self, reason: str = NOT_AUTHORIZED) -> None:
        self.is_live = False
        self.on_disconnect(self, None, None, ReasonCode(PacketTypes.DISCONNECT, reason), None)

    def subscribe(self, topics: list[tuple[str, Any]]) -> tuple[int, int | None]:
        if not self.is_live:
            return MQTT_ERR_NO_CONN, None
        names = [topic for topic, _ in topics]
        self.subscribed.append(names)
        self._packet += 1
        granted = [self.stack.suback.get(name, "Granted QoS 1") for name in names]
        reasons = [ReasonCode(PacketTypes.SUBACK, one) for one in granted]
        self.on_subscribe(self, None, self._packet, reasons, None)
        return MQTT_ERR_SUCCESS, self._packet

    def publish(self, topic: str, payload: bytes, _qos: int) -> SimpleNamespace:
        if not self.is_live:
            return SimpleNamespace(rc=MQTT_ERR_NO_CONN, mid=0)
        document = json.loads(payload)
        self.published.append((topic, document))
        self._packet += 1
        if self.stack.ends_on_publish:
            self.end()
        elif self.stack.puback:
            self.on_publish(self, None, self._packet, ReasonCode(PacketTypes.PUBACK, self.stack.puback), None)
            for answer_topic, answer in self.stack.answers.get(topic, silence)(document):
                self.stack.send(answer_topic, answer)
        return SimpleNamespace(rc=MQTT_ERR_SUCCESS, mid=self._packet)
