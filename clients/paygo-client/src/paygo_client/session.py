"""A session of an app, from anonymous to a household's own."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import requests

from paygo_client.errors import NotDecidedInTime, retry_after
from paygo_client.models import (
    Credit,
    Device,
    DevicePage,
    DeviceStatus,
    Household,
    Money,
    PaymentRequest,
    PendingRegistration,
    Registration,
    SessionDetails,
    SessionStatus,
    Statement,
    StatementEntry,
    StatementPage,
)
from paygo_client.sigv4 import SessionAuth
from paygo_client.transport import Call, Clock, Proof, Query, RetryPolicy, Sleep, Transport, read, utc_now

REFRESH_BEFORE_EXPIRY = timedelta(minutes=5)
DEFAULT_POLL_SECONDS = 1.0
DEFAULT_PATIENCE_SECONDS = 300.0
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class _Polled:
    registration: Registration
    retry_after: float


class Session:
    """What an app may do at one stack, as one Cognito identity.

    Every call is signed with the session's credentials, which are replaced before they expire. A session may be used
    from several threads at once.

    Examples
    --------
    >>> with Session.open("https://abc123.execute-api.us-east-1.amazonaws.com/v") as session:
    ...     pending = session.register(household)
    ...     session.follow(pending.registration)
    ...     session.escalate()
    ...     device = session.register_device("SHS-000001", "K7QM-2X9D")
    """

    def __init__(self, transport: Transport, details: SessionDetails) -> None:
        self._transport = transport
        self._details = details
        # Held while credentials are replaced: a refresh token works once, and using it twice ends the session.
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        api_url: str,
        *,
        http: requests.Session | None = None,
        retries: RetryPolicy | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> Self:
        """Open an anonymous session.

        Parameters
        ----------
        api_url
            The API's address with its stage.
        """
        transport = Transport(api_url, http=http, retries=retries, clock=clock, sleep=sleep)
        # A second session is harmless: the first one, whose answer was lost, can do nothing and ends by itself.
        answer = transport.send(Call("POST", "/v1/sessions", repeatable=True))
        return cls(transport, read(SessionDetails, answer))

    @classmethod
    def resume(
        cls,
        api_url: str,
        details: SessionDetails,
        *,
        http: requests.Session | None = None,
        retries: RetryPolicy | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> Self:
        """Go on with a session whose `details` were kept."""
        return cls(Transport(api_url, http=http, retries=retries, clock=clock, sleep=sleep), details)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the session itself goes on until it expires."""
        self._transport.close()

    @property
    def details(self) -> SessionDetails:
        """The session as it was answered last, with its secrets."""
        with self._lock:
            return self._details

    def status(self) -> SessionStatus:
        """Ask for the session's state."""
        return read(SessionStatus, self.request("GET", "/v1/sessions/current"))

    def refresh(self) -> SessionDetails:
        """Replace the credentials now; calls do so by themselves before they expire."""
        with self._lock:
            body = _json({"refresh_token": self._details.refresh_token})
            answer = self._transport.send(Call("POST", "/v1/sessions/refresh", body=body, headers=JSON))
            self._details = read(SessionDetails, answer)
            return self._details

    def escalate(self) -> SessionDetails:
        """Become the registered household, once the registration is approved."""
        with self._lock:
            answer = self.request("POST", "/v1/sessions/current/credentials")
            self._details = read(SessionDetails, answer)
            return self._details

    def register(self, household: Household, *, idempotency_key: str | None = None) -> PendingRegistration:
        """Ask for registration; a third party decides it later.

        Parameters
        ----------
        idempotency_key
            Pass one that was kept when the same intent must survive a restart of the app; else one is made.
        """
        answer = self.request(
            "POST",
            "/v1/registrations",
            body=_json(household.model_dump(mode="json")),
            headers=JSON | _idempotent(idempotency_key),
            repeatable=True,
        )
        return PendingRegistration(
            registration=read(Registration, answer),
            location=answer.headers.get("Location", ""),
            retry_after=_wait(answer),
        )

    def registration(self, registration_id: uuid.UUID) -> Registration:
        """Ask where a registration stands."""
        return self._poll(registration_id).registration

    def follow(
        self,
        registration: Registration | PendingRegistration,
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    ) -> Registration:
        """Ask as often as the API says until the registration is decided, and return it.

        Raises
        ------
        NotDecidedInTime
            When `patience_seconds` pass before that.
        """
        if isinstance(registration, PendingRegistration):
            latest = _Polled(registration.registration, registration.retry_after)
        else:
            latest = _Polled(registration, 0.0)
        patience_ends = self._transport.clock() + timedelta(seconds=patience_seconds)
        while not latest.registration.state.is_decided:
            if self._transport.clock() + timedelta(seconds=latest.retry_after) > patience_ends:
                now_state = latest.registration.state.value
                message = f"Registration {latest.registration.registration_id} is still {now_state}."
                raise NotDecidedInTime(message)
            self._transport.sleep(latest.retry_after)
            latest = self._poll(latest.registration.registration_id)
        return latest.registration

    def register_device(self, serial_number: str, label_code: str, *, idempotency_key: str | None = None) -> Device:
        """Make the device with this serial number and label the household's own, and activate it."""
        answer = self.request(
            "POST",
            "/v1/devices",
            body=_json({"serial_number": serial_number, "label_code": label_code}),
            headers=JSON | _idempotent(idempotency_key),
            repeatable=True,
        )
        return read(Device, answer)

    def devices(self, *, page_size: int | None = None) -> Iterator[Device]:
        """Go through the household's devices, asking for a page when it is needed."""
        cursor: str | None = None
        while True:
            page = read(DevicePage, self.request("GET", "/v1/devices", query=_page(cursor, page_size)))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def device(self, device_id: uuid.UUID) -> DeviceStatus:
        """Ask what a device was told and what it acknowledged."""
        return read(DeviceStatus, self.request("GET", f"/v1/devices/{device_id}"))

    def credit(self, device_id: uuid.UUID) -> Credit:
        """Ask until when a device is paid for."""
        return read(Credit, self.request("GET", f"/v1/devices/{device_id}/credit"))

    def request_payment(
        self, provider: str, serial_number: str, amount: Money, phone: str, *, idempotency_key: str | None = None
    ) -> PaymentRequest:
        """Ask that a provider collect a payment for one of the household's devices.

        Parameters
        ----------
        provider
            The name of one of the stack's providers.
        phone
            The payer's, who confirms the payment there.
        """
        wanted = {
            "provider": provider,
            "serial_number": serial_number,
            "amount": amount.model_dump(),
            "phone": phone,
        }
        answer = self.request(
            "POST",
            "/v1/payment-requests",
            body=_json(wanted),
            headers=JSON | _idempotent(idempotency_key),
            repeatable=True,
        )
        return read(PaymentRequest, answer)

    def payment_request(self, payment_request_id: uuid.UUID) -> PaymentRequest:
        """Ask how far a payment request has come."""
        return read(PaymentRequest, self.request("GET", f"/v1/payment-requests/{payment_request_id}"))

    def statement_pages(self, *, page_size: int | None = None) -> Iterator[StatementPage]:
        """Go through the household's account page by page, newest first."""
        cursor: str | None = None
        while True:
            page = read(StatementPage, self.request("GET", "/v1/statement", query=_page(cursor, page_size)))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    def statement_entries(self, *, page_size: int | None = None) -> Iterator[StatementEntry]:
        """Go through the lines of the household's account, newest first."""
        for page in self.statement_pages(page_size=page_size):
            yield from page.items

    def statement(self, *, page_size: int | None = None) -> Statement:
        """Ask for the balance and every line; the balance is that of the first page."""
        pages = tuple(self.statement_pages(page_size=page_size))
        return Statement(balance=pages[0].balance, entries=tuple(entry for page in pages for entry in page.items))

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> requests.Response:
        """Send a signed request that has no method of its own here, and return its good answer.

        Parameters
        ----------
        repeatable
            Whether it may be sent again after an answer was lost; by default only when it is a GET.
        """
        call = Call(
            method=method,
            path=path,
            query=query,
            body=body,
            headers=headers or {},
            repeatable=method == "GET" if repeatable is None else repeatable,
        )
        return self._transport.send(call, self._sign)

    def _sign(self) -> Proof:
        with self._lock:
            now = self._transport.clock()
            if now >= self._details.credentials.expires_at - REFRESH_BEFORE_EXPIRY:
                self.refresh()
            return Proof(auth=SessionAuth(self._details.credentials, self._details.region, now))

    def _poll(self, registration_id: uuid.UUID) -> _Polled:
        answer = self.request("GET", f"/v1/registrations/{registration_id}")
        return _Polled(read(Registration, answer), _wait(answer))


def _idempotent(key: str | None) -> dict[str, str]:
    # Made before the first attempt, so every attempt of one intent carries the same.
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _page(cursor: str | None, page_size: int | None) -> Query:
    pairs = {"cursor": cursor, "limit": None if page_size is None else str(page_size)}
    return [(name, value) for name, value in pairs.items() if value is not None]


def _wait(answer: requests.Response) -> float:
    asked = retry_after(answer.headers)
    return asked or DEFAULT_POLL_SECONDS
