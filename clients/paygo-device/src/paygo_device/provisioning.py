"""How a device gets an identity of its own from its batch's claim certificate."""

import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from paygo_device import topics
from paygo_device.connection import Connection, MakeClient, Message, paho_client
from paygo_device.errors import ProvisioningRefused, UnexpectedMessage
from paygo_device.folder import CredentialFolder
from paygo_device.models import DeviceCredentials, Endpoint, KeyPair, NewCertificate

DEFAULT_TIMEOUT_SECONDS = 30.0


class _Certificate(BaseModel):
    certificate_id: str = Field(alias="certificateId")
    certificate_pem: str = Field(alias="certificatePem")
    private_key: str = Field(alias="privateKey", repr=False)
    ownership_token: str = Field(alias="certificateOwnershipToken", repr=False)

    def kept(self) -> NewCertificate:
        """Return it as a folder keeps it."""
        return NewCertificate(**self.model_dump())


class _Thing(BaseModel):
    thing_name: str = Field(alias="thingName")


class _Rejection(BaseModel):
    code: str = Field(alias="errorCode")
    message: str = Field(alias="errorMessage", default="")


def proof(secret_key: str, serial_number: str, certificate_id: str) -> str:
    """Return what shows that the device holds the secret of its serial number, for this certificate only.

    Parameters
    ----------
    secret_key
        The device's OpenPAYGO secret key, in hexadecimal.
    """
    text = f"{serial_number}:{certificate_id}"
    return hmac.new(bytes.fromhex(secret_key), text.encode(), hashlib.sha256).hexdigest()


def provision(
    endpoint: Endpoint,
    claim: KeyPair,
    *,
    template: str,
    serial_number: str,
    secret_key: str,
    folder: CredentialFolder | None = None,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    make_client: MakeClient = paho_client,
) -> DeviceCredentials:
    """Make the device's own certificate and thing; keep what is returned, it is not told again.

    A serial number is claimed once, by one certificate. When the answer to that is lost, only the same certificate may
    claim again: with a `folder` it outlives a restart, and the next call goes on with it.

    Parameters
    ----------
    claim
        The claim certificate that the whole batch shares.
    template
        The stack's provisioning template.
    folder
        Where the certificate is kept while it is claimed, and its credentials when they are there.
    timeout
        Seconds that connecting and each of the two exchanges may take.

    Raises
    ------
    ProvisioningRefused
        When the serial number is unknown or claimed already, or the proof is false.
    """
    # Lower case apart from the serial number, so it is never a thing's name and cannot push a device off.
    client_id = f"{endpoint.stack}-claim-{serial_number}"
    create, register = topics.create_certificate(), topics.provision(template)

    def claimed(connection: Connection, certificate: NewCertificate) -> DeviceCredentials:
        shown = proof(secret_key, serial_number, certificate.certificate_id)
        request = {
            "certificateOwnershipToken": certificate.ownership_token,
            "parameters": {"SerialNumber": serial_number, "Proof": shown},
        }
        thing = _ask(connection, register, request, _Thing, timeout)
        return DeviceCredentials(thing_name=thing.thing_name, **certificate.model_dump(exclude={"ownership_token"}))

    with Connection.open(endpoint, claim, client_id, timeout=timeout, make_client=make_client) as connection:
        connection.subscribe([*create.answers, *register.answers], timeout=timeout)
        credentials = None
        kept = folder.certificate() if folder else None
        if kept:
            # Its token may have expired before it was ever claimed: then another certificate may claim.
            with suppress(ProvisioningRefused):
                credentials = claimed(connection, kept)
        if credentials is None:
            certificate = _ask(connection, create, {}, _Certificate, timeout).kept()
            if folder and not kept:
                folder.keep_certificate(certificate)
            credentials = claimed(connection, certificate)
    if folder:
        folder.save(credentials)
    return credentials


def _ask[Model: BaseModel](
    connection: Connection, exchange: topics.Exchange, request: dict[str, Any], model: type[Model], timeout: float
) -> Model:
    connection.publish(exchange.request, json.dumps(request).encode(), timeout=timeout)
    answer = connection.take(exchange.answers, timeout=timeout)
    if answer.topic == exchange.rejected:
        rejection = _read(_Rejection, answer)
        raise ProvisioningRefused(rejection.code, rejection.message)
    return _read(model, answer)


def _read[Model: BaseModel](model: type[Model], answer: Message) -> Model:
    try:
        return model.model_validate_json(answer.payload)
    except ValidationError as error:
        message = f"{answer.topic} carried something else than it should."
        raise UnexpectedMessage(message) from error
