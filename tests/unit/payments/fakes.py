from collections.abc import Iterable

from paygo.events import Event, PaymentConfirmed
from payments.model import Contended, Device, Payment, State


class FakePayments:
    """Payments in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Payment] = {}
        self.devices: dict[str, Device] = {}
        self.events: list[Event[PaymentConfirmed]] = []

    def find(self, provider: str, reference: str) -> Payment | None:
        return self.kept.get((provider, reference))

    def device(self, serial_number: str) -> Device | None:
        return self.devices.get(serial_number)

    def take(self, payment: Payment, event: Event[PaymentConfirmed] | None) -> None:
        if self.find(payment.provider, payment.reference) or self.device(payment.account) != payment.device:
            raise Contended
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
