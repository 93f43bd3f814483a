"""What a household does with its devices and its account."""

import uuid
from collections.abc import Iterator

from paygo_client.caller import JSON, Caller, as_json, idempotent, page
from paygo_client.models import (
    Credit,
    Device,
    DevicePage,
    DeviceStatus,
    Money,
    PaymentRequest,
    Statement,
    StatementEntry,
    StatementPage,
)
from paygo_client.transport import pages, read


class HouseholdCalls(Caller):
    """The routes that open once a session is a household's own."""

    def register_device(self, serial_number: str, label_code: str, *, idempotency_key: str | None = None) -> Device:
        """Make the device with this serial number and label the household's own, and activate it."""
        answer = self.request(
            "POST",
            "/v1/devices",
            body=as_json({"serial_number": serial_number, "label_code": label_code}),
            headers=JSON | idempotent(idempotency_key),
            repeatable=True,
        )
        return read(Device, answer)

    def devices(self, *, page_size: int | None = None) -> Iterator[Device]:
        """Go through the household's devices, asking for a page when it is needed."""
        for found in pages(
            lambda cursor: read(DevicePage, self.request("GET", "/v1/devices", query=page(cursor, page_size)))
        ):
            yield from found.items

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
            body=as_json(wanted),
            headers=JSON | idempotent(idempotency_key),
            repeatable=True,
        )
        return read(PaymentRequest, answer)

    def payment_request(self, payment_request_id: uuid.UUID) -> PaymentRequest:
        """Ask how far a payment request has come."""
        return read(PaymentRequest, self.request("GET", f"/v1/payment-requests/{payment_request_id}"))

    def statement_pages(self, *, page_size: int | None = None) -> Iterator[StatementPage]:
        """Go through the household's account page by page, newest first."""
        return pages(
            lambda cursor: read(StatementPage, self.request("GET", "/v1/statement", query=page(cursor, page_size)))
        )

    def statement_entries(self, *, page_size: int | None = None) -> Iterator[StatementEntry]:
        """Go through the lines of the household's account, newest first."""
        for found in self.statement_pages(page_size=page_size):
            yield from found.items

    def statement(self, *, page_size: int | None = None) -> Statement:
        """Ask for the balance and every line; the balance is that of the first page."""
        pages = tuple(self.statement_pages(page_size=page_size))
        return Statement(balance=pages[0].balance, entries=tuple(entry for found in pages for entry in found.items))
