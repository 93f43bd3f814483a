"""Payments, devices and payment requests in DynamoDB.

    PROVIDER#<provider>#<reference>  PAYMENT                             a payment, for good
    SERIAL#<serial number>           DEVICE                              the device that is behind the serial number
    SERIAL#<serial number>           UNMATCHED#<provider>#<reference>    a copy of a payment that waits for the device
    REQUEST#<payment request id>     REQUEST                             a household's request and its state

The transaction that takes a payment checks the DEVICE item that the payment was matched against. So a payment is either
taken before the device is kept, and then whoever keeps the device sees its UNMATCHED item, or it is taken as matched.
"""

from collections.abc import Iterator

from boto3.dynamodb.conditions import Attr, ConditionBase

from paygo.events import Event, PaymentConfirmed, PaymentRequested
from paygo.outbox import outbox_write
from paygo.storage import ABSENT, ConditionFailed, Table, TransactionRefused, Write, sortable
from payments.model import Contended, Device, Notification, Payment, PaymentRequest, RequestState, State, sources


class PaymentTable:
    """The payments and devices of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, provider: str, reference: str) -> Payment | None:
        """Return the payment with the provider's reference."""
        item = self._table.get(**_payment_key(provider, reference))
        return Payment.model_validate(item) if item else None

    def device(self, serial_number: str) -> Device | None:
        """Return the device that payments for the serial number belong to."""
        item = self._table.get(**_device_key(serial_number))
        return Device.model_validate(item) if item else None

    def request(self, payment_request_id: str) -> PaymentRequest | None:
        """Return the payment request."""
        item = self._table.get(**_request_key(payment_request_id))
        return PaymentRequest.model_validate(item) if item else None

    def ask(self, request: PaymentRequest, event: Event[PaymentRequested]) -> None:
        """Keep a new request and the event; do nothing when it is kept already."""
        item = {**_request_key(request.payment_request_id), **request.model_dump(mode="json")}
        try:
            self._table.transact([self._table.putting(item, ABSENT), outbox_write(self._table, event)])
        except TransactionRefused:
            return

    def move(self, request: PaymentRequest, state: RequestState) -> None:
        """Note the request's new state; do nothing when it may no longer come to that state."""
        try:
            self._table.update(_request_key(request.payment_request_id), {"state": state}, _may_become(state))
        except ConditionFailed:
            return

    def take(self, payment: Payment, event: Event[PaymentConfirmed] | None, paid: PaymentRequest | None) -> None:
        """Keep a new payment and what follows from it; raise `Contended` when any of it was overtaken."""
        seen = Attr("device_id").eq(payment.device.device_id) if payment.device else ABSENT
        content = payment.model_dump(mode="json")
        try:
            self._table.transact(
                [
                    self._table.putting({**_payment_key(payment.provider, payment.reference), **content}, ABSENT),
                    self._table.checking(_device_key(payment.account), seen),
                    outbox_write(self._table, event)
                    if event
                    else self._table.putting({**_unmatched_key(payment), **content}, ABSENT),
                    *self._paying(paid),
                ]
            )
        except TransactionRefused as error:
            raise Contended from error

    def _paying(self, request: PaymentRequest | None) -> Iterator[Write]:
        if request:
            key = _request_key(request.payment_request_id)
            yield self._table.updating(key, {"state": RequestState.PAID}, _may_become(RequestState.PAID))

    def follow(self, device: Device) -> Device:
        """Keep the device unless a later activation is known, and return the one that is kept."""
        activated_at = sortable(device.activated_at)
        item = {**_device_key(device.serial_number), **device.model_dump(), "activated_at": activated_at}
        try:
            self._table.put(item, ABSENT | Attr("activated_at").lte(activated_at))
        except ConditionFailed:
            return Device.model_validate(self._table.get(**_device_key(device.serial_number)))
        return device

    def unmatched(self, serial_number: str) -> Iterator[Payment]:
        """Return the serial number's payments that wait for its device."""
        cursor: str | None = None
        while True:
            page = self._table.query(_serial(serial_number), prefix="UNMATCHED#", limit=_PAGE, cursor=cursor)
            for item in page.items:
                yield Payment.model_validate(item)
            cursor = page.next_cursor
            if cursor is None:
                return

    def confirm(self, payment: Payment, event: Event[PaymentConfirmed]) -> None:
        """Replace the unmatched payment and keep the event; do nothing when it was confirmed before."""
        key = _payment_key(payment.provider, payment.reference)
        try:
            self._table.transact(
                [
                    self._table.putting({**key, **payment.model_dump(mode="json")}, Attr("state").eq(State.UNMATCHED)),
                    self._table.deleting(_unmatched_key(payment)),
                    outbox_write(self._table, event),
                ]
            )
        except TransactionRefused:
            return


_PAGE = 100


def _payment_key(provider: str, reference: str) -> dict[str, str]:
    return {"pk": f"PROVIDER#{provider}#{reference}", "sk": "PAYMENT"}


def _request_key(payment_request_id: str) -> dict[str, str]:
    return {"pk": f"REQUEST#{payment_request_id}", "sk": "REQUEST"}


def _may_become(state: RequestState) -> ConditionBase:
    return Attr("state").is_in([str(source) for source in sources(state)])


def _serial(serial_number: str) -> str:
    return f"SERIAL#{serial_number}"


def _device_key(serial_number: str) -> dict[str, str]:
    return {"pk": _serial(serial_number), "sk": "DEVICE"}


def _unmatched_key(payment: Notification) -> dict[str, str]:
    return {"pk": _serial(payment.account), "sk": f"UNMATCHED#{payment.provider}#{payment.reference}"}
