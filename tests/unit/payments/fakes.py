from collections.abc import Iterable

from paygo.events import Event, PaymentConfirmed, PaymentRequested
from payments.model import MOVES, Contended, Device, Payment, PaymentRequest, RequestState, State


class FakePayments:
    """Payments in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Payment] = {}
        self.devices: dict[str, Device] = {}
        self.events: list[Event[PaymentConfirmed]] = []
        self.requests: dict[str, PaymentRequest] = {}
        self.requested: list[Event[PaymentRequested]] = []

    def find(self, provider: str, reference: str) -> Payment | None:
        return self.kept.get((provider, reference))

    def device(self, serial_number: str) -> Device | None:
        return self.devices.get(serial_number)

    def request(self, payment_request_id: str) -> PaymentRequest | None:
        return self.requests.get(payment_request_id)

    def ask(self, request: PaymentRequest, event: Event[PaymentRequested]) -> None:
        if request.payment_request_id not in self.requests:
            self.requests[request.payment_request_id] = request
            self.requested.append(event)

    def move(self, request: PaymentRequest, state: RequestState) -> None:
        kept = self.requests[request.payment_request_id]
        if state in MOVES[kept.state]:
            self.requests[request.payment_request_id] = kept.model_copy(update={"state": state})

    def take(self, payment: Payment, event: Event[PaymentConfirmed] | None, paid: PaymentRequest | None) -> None:
        if self.find(payment.provider, payment.reference) or self.device(payment.account) != payment.device:
            raise Contended
        if paid:
            if self.requests[paid.payment_request_id].state is RequestState.PAID:
                raise Contended
            self.move(paid, RequestState.PAID)
        self.kept[payment.provider, payment.reference] = payment
        self.events += [event] if event else []

    def follow(self, device: Device) -> Device:
        known = self.devices.get(device.serial_number, device)
        self.devices[device.serial_number] = max(device, known, key=lambda each: each.activated_at)
        return self.devices[device.serial_number]

    def unmatched(self, serial_number: str) -> Iterable[Payment]:
        return [
            payment
            for payment in self.kept.values()
            if payment.account == serial_number and payment.state is State.UNMATCHED
        ]

    def confirm(self, payment: Payment, event: Event[PaymentConfirmed]) -> None:
        if self.kept[payment.provider, payment.reference].state is State.UNMATCHED:
            self.kept[payment.provider, payment.reference] = payment
            self.events.append(event)
