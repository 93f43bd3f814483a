"""A device at work: what it was told, what it asks and what it acknowledges."""

import json
import time
import uuid
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from paygo_device import topics
from paygo_device.connection import Connection, MakeClient, Message, paho_client
from paygo_device.errors import CreditRefused, ShadowRefused, UnexpectedMessage
from paygo_device.models import Credit, DeviceCredentials, Endpoint

DEFAULT_TIMEOUT_SECONDS = 30.0


class _State(BaseModel):
    desired: dict[str, Any] = {}


class _Shadow(BaseModel):
    version: int
    state: _State


class _Delta(BaseModel):
    version: int
    state: dict[str, Any]


class _ShadowRejection(BaseModel):
    code: int
    message: str = ""


class _CreditRejection(BaseModel):
    code: str
    message: str = ""


class Device:
    """A provisioned device that is connected with its own certificate. Use it from one thread.

    When the connection is lost every call raises `ConnectionLost`: connect again, at a pace of your own, and read
    `desired`, which holds whatever was missed.

    Examples
    --------
    >>> with Device.connect(endpoint, credentials) as device:
    ...     credit = device.desired()
    ...     device.acknowledge(credit)
    ...     while True:
    ...         device.acknowledge(device.next_credit(timeout=3600))
    """

    def __init__(self, connection: Connection, stack: str, thing_name: str, timeout: float) -> None:
        self.thing_name = thing_name
        self._connection = connection
        self._timeout = timeout
        self._get = topics.shadow_get(thing_name)
        self._update = topics.shadow_update(thing_name)
        self._delta = topics.shadow_delta(thing_name)
        self._credit_get = topics.credit_get(stack, thing_name)
        self._told: dict[str, Any] = {}
        self._shadow_version = 0

    @classmethod
    def connect(
        cls,
        endpoint: Endpoint,
        credentials: DeviceCredentials,
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        make_client: MakeClient = paho_client,
    ) -> Self:
        """Connect with the device's own certificate and listen to its own topics.

        Parameters
        ----------
        timeout
            Seconds that connecting, and later every question, may take.

        Raises
        ------
        ConnectionRefused
            When the certificate is not active: no household has registered the device, or it was suspended.
        """
        thing = credentials.thing_name
        connection = Connection.open(endpoint, credentials, thing, timeout=timeout, make_client=make_client)
        try:
            device = cls(connection, endpoint.stack, thing, timeout)
            device._listen()
        except BaseException:
            connection.close()
            raise
        return device

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def desired(self) -> Credit:
        """Read the shadow: what the device is told, also while it was away."""
        shadow = _read(_Shadow, self._shadow_exchange(self._get, {}))
        if self._is_news(shadow.version):
            self._told = shadow.state.desired
        return self._credit()

    def ask_credit(self) -> Credit:
        """Ask the stack for the device's credit.

        Raises
        ------
        CreditRefused
            When the stack does not answer it, with its reason.
        """
        device_id = self._told.get("device_id") or self.desired().device_id
        exchange = self._credit_get
        self._connection.forget(exchange.answers)
        self._connection.publish(exchange.request, _json({"device_id": device_id}), timeout=self._timeout)
        answer = self._connection.take(exchange.answers, timeout=self._timeout)
        if answer.topic == exchange.rejected:
            rejection = _read(_CreditRejection, answer)
            raise CreditRefused(rejection.code, rejection.message)
        return _read(Credit, answer)

    def next_credit(self, *, timeout: float) -> Credit:
        """Wait for a credit that is newer than what the device was told so far, and return it.

        Raises
        ------
        TimedOut
            When none comes in `timeout` seconds.
        """
        known = self._told.get("credit_version", -1)
        ends = time.monotonic() + timeout
        while True:
            left = max(0.0, ends - time.monotonic())
            delta = _read(_Delta, self._connection.take([self._delta], timeout=left))
            if not self._is_news(delta.version):
                continue
            self._told |= delta.state
            # A delta holds only what differs from what was acknowledged, maybe by an earlier run of this device.
            credit = self._credit() if {"device_id", "credit_version"} <= self._told.keys() else self.desired()
            if credit.credit_version > known:
                return credit

    def acknowledge(self, credit: Credit) -> None:
        """Report that the device works by this credit, and wait until the shadow has it."""
        self._shadow_exchange(self._update, {"state": {"reported": credit.model_dump(mode="json")}})

    def wait_until_disconnected(self, timeout: float) -> bool:
        """Return whether the stack ended the connection within `timeout` seconds."""
        return self._connection.wait_until_ended(timeout)

    def _listen(self) -> None:
        listened = [*self._get.answers, *self._update.answers, self._delta, *self._credit_get.answers]
        self._connection.subscribe(listened, timeout=self._timeout)

    def _shadow_exchange(self, exchange: topics.Exchange, request: dict[str, Any]) -> Message:
        # Everyone who updates the shadow is answered on the same topics; the token marks the answer to this request.
        token = uuid.uuid4().hex
        self._connection.publish(exchange.request, _json({**request, "clientToken": token}), timeout=self._timeout)
        answer = self._connection.take(
            exchange.answers, timeout=self._timeout, matches=lambda message: token.encode() in message.payload
        )
        # Answers to others (the platform updates the desired state) would otherwise pile up.
        self._connection.forget(exchange.answers)
        if answer.topic == exchange.rejected:
            rejection = _read(_ShadowRejection, answer)
            raise ShadowRefused(str(rejection.code), rejection.message)
        return answer

    def _is_news(self, version: int) -> bool:
        # Messages may come twice and out of order; the shadow's version says which is newer.
        is_news = version >= self._shadow_version
        self._shadow_version = max(version, self._shadow_version)
        return is_news

    def _credit(self) -> Credit:
        try:
            return Credit.model_validate(self._told)
        except ValidationError as error:
            message = f"The shadow of {self.thing_name} holds no credit."
            raise UnexpectedMessage(message) from error


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _read[Model: BaseModel](model: type[Model], message: Message) -> Model:
    try:
        return model.model_validate_json(message.payload)
    except ValidationError as error:
        text = f"{message.topic} carried something else than it should."
        raise UnexpectedMessage(text) from error
