"""Devices over MQTT: what each certificate may do, and what it may not."""

import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.journey import Story, connect, provision_kit, provisioning_refusal
from demo.stage import Stage
from paygo_device import (
    ConnectionLost,
    ConnectionRefused,
    Device,
    KeyPair,
    NotAllowed,
    ProvisioningRefused,
    proof,
    provision,
    topics,
)
from paygo_device.connection import Connection
from tests.e2e.refusals import Neighbour

SECONDS = 10.0
REFUSED = (NotAllowed, ConnectionLost)


@pytest.fixture
def own(story: Story, neighbour: Neighbour) -> Iterator[Connection]:
    """Give a bare connection with the neighbour's device certificate, under its own name."""
    with Connection.open(
        story.stage.access.endpoint, neighbour.credentials, neighbour.credentials.thing_name, timeout=SECONDS
    ) as connection:
        yield connection


@pytest.fixture
def claimed(stage: Stage) -> Iterator[Connection]:
    """Give a bare connection with the claim certificate."""
    with Connection.open(
        stage.access.endpoint, stage.claim, f"{stage.access.stack}-claim-test", timeout=SECONDS
    ) as connection:
        yield connection


def topics_of(story: Story) -> dict[str, list[str]]:
    """Topics of the story's own device: where it sends and where it hears."""
    thing = story.credentials.thing_name
    credit, get = topics.credit_get(story.stage.access.stack, thing), topics.shadow_get(thing)
    update = topics.shadow_update(thing)
    return {
        "sends": [credit.request, get.request, update.request],
        "hears": [*credit.answers, *get.answers, *update.answers, topics.shadow_delta(thing)],
    }


@pytest.mark.parametrize("number", range(3))
def test_a_device_does_not_speak_for_another(own: Connection, story: Story, number: int) -> None:
    with pytest.raises(REFUSED):
        own.publish(topics_of(story)["sends"][number], b"{}", timeout=SECONDS)


@pytest.mark.parametrize("number", range(7))
def test_a_device_does_not_listen_to_another(own: Connection, story: Story, number: int) -> None:
    with pytest.raises(REFUSED):
        own.subscribe([topics_of(story)["hears"][number]], timeout=SECONDS)


@pytest.mark.parametrize(
    "topic",
    ["#", "paygo/#", "paygo/+/+/credit/get", "paygo/+/+/credit/get/accepted", "$aws/things/+/shadow/#", "$aws/#"],
)
def test_a_device_does_not_listen_to_all(own: Connection, topic: str) -> None:
    with pytest.raises(REFUSED):
        own.subscribe([topic], timeout=SECONDS)


@pytest.mark.parametrize("topic", ["$aws/certificates/create/json", "elsewhere"])
def test_a_device_publishes_nowhere_else(own: Connection, topic: str) -> None:
    with pytest.raises(REFUSED):
        own.publish(topic, b"{}", timeout=SECONDS)


def test_a_device_does_not_call_the_rules_directly(own: Connection, story: Story) -> None:
    rule = story.stage.access.stack.replace("-", "_") + "_answer-credit"

    with pytest.raises(REFUSED):
        own.publish(f"$aws/rules/{rule}", b"{}", timeout=SECONDS)


def test_a_device_does_not_forge_its_own_answers(own: Connection, story: Story, neighbour: Neighbour) -> None:
    answers = topics.credit_get(story.stage.access.stack, neighbour.credentials.thing_name)

    with pytest.raises(REFUSED):
        own.publish(answers.accepted, b"{}", timeout=SECONDS)


def test_a_device_connects_under_its_own_name_only(story: Story, neighbour: Neighbour) -> None:
    for name in (story.credentials.thing_name, f"{story.stage.access.stack}-anything", "anything"):
        with pytest.raises(ConnectionRefused):
            Connection.open(story.stage.access.endpoint, neighbour.credentials, name, timeout=SECONDS)


def test_a_device_asks_about_its_own_credit_only(own: Connection, story: Story, neighbour: Neighbour) -> None:
    exchange = topics.credit_get(story.stage.access.stack, neighbour.credentials.thing_name)
    own.subscribe(exchange.answers, timeout=SECONDS)

    own.publish(exchange.request, json.dumps({"device_id": str(story.registered.device_id)}).encode(), timeout=SECONDS)

    answer = own.take(exchange.answers, timeout=SECONDS)
    assert answer.topic == exchange.rejected
    assert {"code", "message"} <= json.loads(answer.payload).keys()


@pytest.mark.parametrize("number", range(3))
def test_a_claim_certificate_does_not_speak_for_a_device(claimed: Connection, story: Story, number: int) -> None:
    with pytest.raises(REFUSED):
        claimed.publish(topics_of(story)["sends"][number], b"{}", timeout=SECONDS)


@pytest.mark.parametrize("number", range(7))
def test_a_claim_certificate_does_not_listen_to_a_device(claimed: Connection, story: Story, number: int) -> None:
    with pytest.raises(REFUSED):
        claimed.subscribe([topics_of(story)["hears"][number]], timeout=SECONDS)


def test_a_claim_certificate_does_not_push_a_device_off(story: Story, neighbour: Neighbour) -> None:
    with connect(story.stage, neighbour.credentials) as device:
        with pytest.raises(ConnectionRefused):
            Connection.open(
                story.stage.access.endpoint, story.stage.claim, neighbour.credentials.thing_name, timeout=SECONDS
            )
        assert not device.wait_until_disconnected(0.5)


def test_a_serial_number_is_claimed_once(story: Story) -> None:
    with pytest.raises(ProvisioningRefused):
        provision_kit(story.stage, story.kit)


def test_a_serial_number_without_its_own_secret_is_refused(story: Story, neighbour: Neighbour) -> None:
    unclaimed = story.manifest.good_kits[5]

    assert provisioning_refusal(story, unclaimed.serial_number, neighbour.kit.secret_key).code == "AccessDenied"


def test_an_unknown_and_a_false_claim_are_refused_alike(story: Story) -> None:
    unclaimed = story.manifest.good_kits[5]

    unknown = provisioning_refusal(story, f"SHS-{story.run}-9998", unclaimed.secret_key)
    false = provisioning_refusal(story, unclaimed.serial_number, secrets.token_hex(16))

    assert (unknown.code, unknown.message) == (false.code, false.message)


def test_a_bad_row_of_the_manifest_made_no_device(story: Story) -> None:
    bad = next(kit for kit in story.manifest.kits if kit not in story.manifest.good_kits)

    assert provisioning_refusal(story, bad.serial_number, bad.secret_key).code == "AccessDenied"


def test_a_proof_serves_one_certificate(claimed: Connection, story: Story) -> None:
    kit = story.manifest.good_kits[5]
    create, register = topics.create_certificate(), topics.provision(story.stage.access.provisioning_template)
    claimed.subscribe([*create.answers, *register.answers], timeout=SECONDS)
    certificates = []
    for _ in range(2):
        claimed.publish(create.request, b"{}", timeout=SECONDS)
        certificates.append(json.loads(claimed.take([create.accepted], timeout=SECONDS).payload))
    overheard, mine = certificates
    request = {
        "certificateOwnershipToken": mine["certificateOwnershipToken"],
        "parameters": {
            "SerialNumber": kit.serial_number,
            "Proof": proof(kit.secret_key, kit.serial_number, overheard["certificateId"]),
        },
    }

    claimed.publish(register.request, json.dumps(request).encode(), timeout=SECONDS)

    assert claimed.take(register.answers, timeout=SECONDS).topic == register.rejected


def test_a_device_that_no_household_registered_does_not_connect(story: Story) -> None:
    kit = story.manifest.good_kits[6]
    credentials = provision_kit(story.stage, kit)

    with pytest.raises(ConnectionRefused):
        Device.connect(story.stage.access.endpoint, credentials)


def test_a_device_certificate_does_not_provision(story: Story, neighbour: Neighbour) -> None:
    kit = story.manifest.good_kits[7]
    access = story.stage.access

    with pytest.raises(ConnectionRefused):
        provision(
            access.endpoint,
            neighbour.credentials,
            template=access.provisioning_template,
            serial_number=kit.serial_number,
            secret_key=kit.secret_key,
        )


def test_a_certificate_that_nobody_issued_does_not_connect(story: Story) -> None:
    with pytest.raises(ConnectionRefused):
        Connection.open(story.stage.access.endpoint, self_made(), story.credentials.thing_name, timeout=SECONDS)


def self_made() -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AWS IoT Certificate")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    return KeyPair(
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        private_key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


def test_nobody_connects_without_a_certificate(story: Story) -> None:
    endpoint = story.stage.access.endpoint
    name = story.credentials.thing_name.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2) + name
    context = ssl.create_default_context(cafile=endpoint.ca_file)

    answer = b""
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout=SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host) as secure,
        ):
            secure.sendall(b"\x10" + bytes([len(body)]) + body)
            answer = secure.recv(64)
    except (ssl.SSLError, ConnectionError):
        pass  # the server ended it, which is what a refusal looks like here

    assert not (answer[:1] == b"\x20" and answer[3:4] == b"\x00"), "The connection was accepted."
