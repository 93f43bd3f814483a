"""Asking for payments: a household asks us, and we ask its provider."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import NAMESPACE_OID, uuid5

from paygo.events import Event, PaymentRequested
from paygo.money import Money
from paygo.security import Household, owned
from payments.model import (
    Device,
    PaymentRequest,
    RequestRefused,
    RequestState,
    UnknownPaymentRequest,
)


class Requests(Protocol):
    """Where payment requests are kept, with the devices they are for."""

    def device(self, serial_number: str) -> Device | None:
        """Return the device behind the serial number."""

    def request(self, payment_request_id: str) -> PaymentRequest | None:
        """Return the request."""

    def ask(self, request: PaymentRequest, event: Event[PaymentRequested]) -> None:
        """Keep a new request and the event; do nothing when it is kept already."""

    def move(self, request: PaymentRequest, state: RequestState) -> None:
        """Note the request's new state; do nothing when it may no longer come to that state."""


class Provider(Protocol):
    """A third party that takes money from people."""

    def request(self, request: PaymentRequest, intent: str) -> None:
        """Ask the payer; the same intent again asks nobody twice.

        Raises
        ------
        RequestRefused
            When the provider will not ask this payer for this amount.
        """


def ask_for_payment(
    requests: Requests,
    *,
    household: Household,
    provider: str,
    serial_number: str,
    amount: Money,
    phone: str,
    key: str,
    source: str,
    correlation_id: str,
    now: datetime,
) -> PaymentRequest:
    """Take a household's request for its own device; the same one under the same key returns what the first made."""
    household_id = household.household_id
    device = owned(household, requests.device(serial_number), "device")
    # Derived and not drawn, so that a retry after a crash finds what the first try has kept.
    intent = (household_id, key, provider, serial_number, amount.currency, str(amount.amount), phone)
    request = PaymentRequest(
        payment_request_id=str(uuid5(NAMESPACE_OID, "/".join(intent))),
        household_id=household_id,
        device_id=device.device_id,
        provider=provider,
        account=serial_number,
        amount=amount,
        phone=phone,
        state=RequestState.REQUESTED,
        requested_at=now,
    )
    data = PaymentRequested(
        payment_request_id=request.payment_request_id,
        provider=provider,
        household_id=household_id,
        device_id=device.device_id,
        amount=amount,
    )
    event = Event[PaymentRequested].about(
        request.payment_request_id, data, source=source, time=now, correlation_id=correlation_id
    )
    requests.ask(request, event)
    return requests.request(request.payment_request_id) or request


def read_request(payment_request_id: str, household: Household, requests: Requests) -> PaymentRequest:
    """Return the household's own request; raise as `owned` does for any other."""
    return owned(household, requests.request(payment_request_id), "payment request")


def request_payment(
    payment_request_id: str, requests: Requests, provider: Callable[[str], Provider], intent: str
) -> None:
    """Ask the provider of a request; one that went further is left alone."""
    request = requests.request(payment_request_id)
    if request is None:
        raise UnknownPaymentRequest
    if request.state is not RequestState.REQUESTED:
        return
    try:
        provider(request.provider).request(request, intent)
    except RequestRefused:
        requests.move(request, RequestState.REFUSED)
    else:
        requests.move(request, RequestState.SENT)
