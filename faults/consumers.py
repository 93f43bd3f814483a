"""Every consumer of the stack: how to make events for it, and how to see what became of each.

What is there before an event comes is written straight into the tables; what an event did is read from them, from the
outbox and from the requests that the mock of a partner recorded, and never from what the consumer says of itself.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

from devices.messages import Credit as DeviceCredit
from faults.stage import DeployedStack
from faults.verdicts import Seen, Verdict
from ledger.model import Credit
from ledger.plans import price_per_day
from ledger.repository import AccountTable
from notifications.model import Contact
from notifications.repository import ContactTable
from paygo.events import (
    CreditChanged,
    DeviceActivated,
    Event,
    HouseholdRegistered,
    PaymentConfirmed,
    PaymentRequested,
)
from paygo.mail import MESSAGE_ID_HEADER
from paygo.money import Money
from paygo.outbox import outbox_write
from paygo.storage import sortable

MODEL = "solar-home-50"
AMOUNT = Money(amount=25_000, currency="KES")
MANY = 100
"""Reading more items than this one by one takes longer than reading the table."""


@dataclass(frozen=True)
class Household:
    """A household with one device, so far in nobody's tables."""

    household_id: str = field(default_factory=lambda: str(uuid4()))
    device_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def serial_number(self) -> str:
        """What stands on the device's label."""
        return f"FAULT-{self.device_id[:23].upper()}"

    @property
    def email(self) -> str:
        """Where the household is reached."""
        return f"{self.household_id}@example.org"

    def thing(self, stack: DeployedStack) -> str:
        """Return what the device is called in AWS IoT."""
        return f"{stack.name}-{self.serial_number}"


@dataclass(frozen=True)
class Case:
    """An event under test, and what it is about."""

    id: str
    body: str
    home: Household
    about: str = ""
    """The id of the payment, registration or request."""
    event: Event[Any] | None = None


def as_case(event: Event[Any], home: Household, about: str = "") -> Case:
    """Return an event as a case."""
    return Case(event.id, event.model_dump_json(), home, about, event)


class Consumer:
    """A consumer of a queue.

    Attributes
    ----------
    name
        `<service>/<function>`.
    partners
        Whom it calls.
    leans_on
        Who else has to be well, so that its events come to it.
    entry
        The queue that its cases are sent to, when it is not its own.
    deletes_again
        Whether it deletes a message that came before by a call of its own, as the layer's consumers do.
    """

    name: str
    partners: ClassVar[tuple[str, ...]] = ()
    leans_on: ClassVar[tuple[str, ...]] = ()
    entry: str | None = None
    deletes_again: bool = True

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Make events that can be handled, and all that they need."""
        raise NotImplementedError

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Return what is found of each event, dead letters aside."""
        raise NotImplementedError

    def calling(self, partner: str) -> "Consumer":  # noqa: ARG002 (mostly there is but one)
        """Return the consumer of events that make it call this partner."""
        return self

    @property
    def mostly_waits(self) -> bool:
        """Whether killing it takes more time than processor."""
        return bool(self.partners or self.leans_on)

    @property
    def queue(self) -> str:
        """The name of its own queue, without the stack's."""
        return self.name.replace("/", "-")

    def send(self, stack: DeployedStack, cases: Sequence[Case], delays: Iterable[int] | None = None) -> None:
        """Deliver the events."""
        stack.send(self.entry or self.queue, [case.body for case in cases], delays=delays, **self.attributes(cases))

    def attributes(self, cases: Sequence[Case]) -> dict[str, str]:
        """Return what the topic says of its messages."""
        return {"type": cases[0].event.type} if cases[0].event else {}

    def seen(self, stack: DeployedStack, cases: Sequence[Case]) -> dict[str, Seen]:
        """Return what became of each event."""
        found = dict(self.look(stack, cases)) if cases else {}
        missing = [case for case in cases if found[case.id].verdict is Verdict.LOST]
        if missing:
            letters = list(stack.letters(self.name))
            for case in missing:
                reason = next((why for body, why in letters if case.id in body), None)
                found[case.id] = Seen(found[case.id].effects, found[case.id].outside, reason)
        return found


def activated(stack: DeployedStack, home: Household) -> Event[DeviceActivated]:
    """Tell that a household registered its device."""
    return stack.event(
        "devices",
        home.device_id,
        DeviceActivated(
            device_id=home.device_id,
            serial_number=home.serial_number,
            model=MODEL,
            household_id=home.household_id,
            activated_at=datetime.now(UTC),
        ),
    )


def _credit_changed(stack: DeployedStack, home: Household) -> Event[CreditChanged]:
    return stack.event(
        "ledger",
        home.device_id,
        CreditChanged(
            device_id=home.device_id,
            household_id=home.household_id,
            payment_id=str(uuid4()),
            amount=AMOUNT,
            credit_until=datetime.now(UTC) + timedelta(days=5),
            credit_version=1,
        ),
    )


def open_account(stack: DeployedStack, home: Household) -> None:
    """Open the ledger's account of the device."""
    AccountTable(stack.table("ledger")).open(
        Credit(
            device_id=home.device_id, household_id=home.household_id, model=MODEL, price_per_day=price_per_day(MODEL)
        )
    )


def keep_contact(stack: DeployedStack, home: Household) -> None:
    """Let notifications know how the household is reached."""
    ContactTable(stack.table("notifications")).keep(
        Contact(household_id=home.household_id, given_name="Amina", email=home.email)
    )


def register_device(stack: DeployedStack, home: Household) -> None:
    """Let devices know the device as its registration leaves it."""
    table = stack.table("devices")
    table.put(
        {
            "pk": f"SERIAL#{home.serial_number}",
            "sk": "DEVICE",
            "serial_number": home.serial_number,
            "model": MODEL,
            "label_code": "FAULTSUITE",
            "starting_code": "123456789",
            "secret_key": "00" * 16,
            "certificate_id": "0" * 64,
            "thing_name": home.thing(stack),
            "device_id": home.device_id,
            "state": "active",
            "household_id": home.household_id,
            "registered_at": datetime.now(UTC).isoformat(),
            "credit_until": None,
            "credit_version": 0,
        }
    )
    table.put({"pk": f"DEVICE#{home.device_id}", "sk": "SERIAL", "serial_number": home.serial_number})


def follow_device(stack: DeployedStack, home: Household) -> None:
    """Let payments know whose the device is."""
    known = {"serial_number": home.serial_number, "device_id": home.device_id, "household_id": home.household_id}
    stack.table("payments").put(
        {"pk": f"SERIAL#{home.serial_number}", "sk": "DEVICE", **known, "activated_at": sortable(datetime.now(UTC))}
    )


def settle_in(stack: DeployedStack, home: Household) -> None:
    """Let every service know the household and its device."""
    open_account(stack, home)
    keep_contact(stack, home)
    register_device(stack, home)


class OpenAccounts(Consumer):
    """Opens the account of an activated device."""

    name = "ledger/open-accounts"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Activate devices that the ledger does not know."""
        homes = [Household() for _ in range(count)]
        return [as_case(activated(stack, home), home) for home in homes]

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Look for accounts: for many in one scan, for few one by one."""
        keys = {case.id: f"DEVICE#{case.home.device_id}" for case in cases}
        if len(cases) > MANY:
            there = stack.partitions("ledger", sk="CREDIT")
        else:
            there = {pk for pk in keys.values() if stack.table("ledger").get(pk=pk, sk="CREDIT")}
        return {event_id: Seen(effects=int(pk in there)) for event_id, pk in keys.items()}


class TrackDevices(Consumer):
    """Keeps the device behind a serial number and confirms a payment that came before it."""

    name = "payments/track-devices"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Activate devices for which a payment waits."""
        found = []
        for _ in range(count):
            home, payment_id = Household(), str(uuid4())
            settle_in(stack, home)
            self._pay(stack, home, payment_id)
            found.append(as_case(activated(stack, home), home, payment_id))
        return found

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count the confirmations of each payment."""
        confirmed = Counter(item["event"]["data"].get("payment_id") for item in stack.outbox("payments"))
        table = stack.table("payments")
        return {
            case.id: Seen(
                effects=confirmed[case.about] if table.get(pk=f"SERIAL#{case.home.serial_number}", sk="DEVICE") else 0
            )
            for case in cases
        }

    def _pay(self, stack: DeployedStack, home: Household, payment_id: str) -> None:
        payment = {
            "provider": "mobile-money",
            "reference": payment_id,
            "account": home.serial_number,
            "amount": AMOUNT.model_dump(),
            "paid_at": datetime.now(UTC).isoformat(),
            "payment_id": payment_id,
            "state": "unmatched",
            "answered": "unmatched",
            "device": None,
        }
        table = stack.table("payments")
        table.transact(
            [
                table.putting({"pk": f"PROVIDER#mobile-money#{payment_id}", "sk": "PAYMENT", **payment}),
                table.putting(
                    {"pk": f"SERIAL#{home.serial_number}", "sk": f"UNMATCHED#mobile-money#{payment_id}", **payment}
                ),
            ]
        )


class BookPayments(Consumer):
    """Books a payment and tells the new credit."""

    name = "ledger/book-payments"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Confirm payments of households that everybody knows."""
        found = [self.payment(stack, Household()) for _ in range(count)]
        for case in found:
            settle_in(stack, case.home)
        return found

    def payment(self, stack: DeployedStack, home: Household) -> Case:
        """Confirm a payment of a household that nobody may know yet."""
        payment_id = str(uuid4())
        data = PaymentConfirmed(
            payment_id=payment_id,
            provider="mobile-money",
            provider_reference=payment_id,
            household_id=home.household_id,
            device_id=home.device_id,
            amount=AMOUNT,
            paid_at=datetime.now(UTC),
        )
        return as_case(stack.event("payments", payment_id, data), home, payment_id)

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count a payment's transaction, its entries, its credit and its events: all of them have to agree."""
        told = Counter(item["event"]["data"].get("payment_id") for item in stack.outbox("ledger"))
        return {case.id: Seen(effects=self._effects(stack, case, told[case.about])) for case in cases}

    def _effects(self, stack: DeployedStack, case: Case, told: int) -> int:
        ledger = stack.table("ledger")
        transaction = ledger.get(pk=f"TRANSACTION#{case.about}", sk="TRANSACTION")
        credit = ledger.get(pk=f"DEVICE#{case.home.device_id}", sk="CREDIT") or {"version": 0}
        entries = ledger.query(f"HOUSEHOLD#{case.home.household_id}", prefix="ENTRY#", limit=100).items
        # A household of a case has one payment: two entries, one for the money and one for the credit it bought.
        counts = [int(transaction is not None), credit["version"], (len(entries) + 1) // 2, told]
        return 0 if min(counts) == 0 else max(counts)


class KeepContacts(Consumer):
    """Keeps how a household is reached."""

    name = "notifications/keep-contacts"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Register households."""
        homes = [Household() for _ in range(count)]
        return [
            as_case(
                stack.event(
                    "identity",
                    home.household_id,
                    HouseholdRegistered(household_id=home.household_id, given_name="Amina", email=home.email),
                ),
                home,
            )
            for home in homes
        ]

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Look for contacts."""
        table = stack.table("notifications")
        return {
            case.id: Seen(effects=int(table.get(pk=f"HOUSEHOLD#{case.home.household_id}", sk="CONTACT") is not None))
            for case in cases
        }


class MailPayments(Consumer):
    """Tells a household by mail what its payment gave it: an effect outside."""

    name = "notifications/mail-payments"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Change the credit of households that can be reached."""
        homes = [Household() for _ in range(count)]
        for home in homes:
            keep_contact(stack, home)
        return [as_case(_credit_changed(stack, home), home) for home in homes]

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count the mails that carry the event's id."""
        sent = Counter(mail.get("Headers", {}).get(MESSAGE_ID_HEADER) for mail in stack.mails())
        return {case.id: Seen(outside=sent[case.id]) for case in cases}


class ApplyCredit(Consumer):
    """Keeps a device's credit and tells the device."""

    name = "devices/apply-credit"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Change the credit of devices in households' hands."""
        homes = [Household() for _ in range(count)]
        for home in homes:
            register_device(stack, home)
        return [as_case(_credit_changed(stack, home), home) for home in homes]

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Compare the device's row and its desired state with the version that the event told."""
        return {case.id: Seen(effects=int(self._is_told(stack, case.home))) for case in cases}

    def _is_told(self, stack: DeployedStack, home: Household) -> bool:
        row = stack.table("devices").get(pk=f"SERIAL#{home.serial_number}", sk="DEVICE")
        data = stack.client("iot-data")
        try:
            shadow = data.get_thing_shadow(thingName=home.thing(stack))["payload"].read()
        except data.exceptions.ResourceNotFoundException:
            return False
        told = DeviceCredit.model_validate(_desired(shadow))
        return row is not None and row["credit_version"] == 1 and told.credit_version == 1


class FeedCrm(Consumer):
    """Tells the CRM of an activation: an effect outside."""

    name = "partners/feed-crm"
    partners: ClassVar[tuple[str, ...]] = ("crm",)

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Activate devices."""
        homes = [Household() for _ in range(count)]
        return [as_case(activated(stack, home), home) for home in homes]

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count the calls that the CRM took under the event's id."""
        told = calls(stack, "crm")
        return {case.id: Seen(outside=told[case.id]) for case in cases}


class RequestPayments(Consumer):
    """Asks a provider to collect a payment."""

    name = "payments/request-payments"
    partners: ClassVar[tuple[str, ...]] = ("mobile-money", "mobile-wallet")

    def __init__(self, provider: str = "mobile-money") -> None:
        self._provider = provider

    def calling(self, partner: str) -> Consumer:
        """Return the consumer of requests for this provider."""
        return RequestPayments(partner)

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Request payments of households that everybody knows."""
        found = []
        for _ in range(count):
            home, request_id = Household(), str(uuid4())
            settle_in(stack, home)
            follow_device(stack, home)
            asked = {
                "payment_request_id": request_id,
                "provider": self._provider,
                "household_id": home.household_id,
                "device_id": home.device_id,
                "amount": AMOUNT.model_dump(),
            }
            stack.table("payments").put(
                {
                    "pk": f"REQUEST#{request_id}",
                    "sk": "REQUEST",
                    **asked,
                    "account": home.serial_number,
                    "phone": "+254700000001",
                    "state": "requested",
                    "requested_at": datetime.now(UTC).isoformat(),
                }
            )
            found.append(
                as_case(stack.event("payments", request_id, PaymentRequested.model_validate(asked)), home, request_id)
            )
        return found

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Look at the request's state, and for calls with the event's id."""
        asked = calls(stack, self._provider)
        states = {
            case.id: (stack.table("payments").get(pk=f"REQUEST#{case.about}", sk="REQUEST") or {}).get("state")
            for case in cases
        }
        return {
            case.id: Seen(effects=int(states[case.id] in {"sent", "paid"}), outside=asked[case.id]) for case in cases
        }


class ArchiveDeadLetters(Consumer):
    """Archives dead letters; here those of the consumer that books payments."""

    name = "operations/archive-dead-letters"
    entry = "ledger-book-payments-dead"
    deletes_again = False
    source = "ledger/book-payments"
    reason = "fault suite"

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Make letters of payments that nobody made."""
        return [BookPayments().payment(stack, Household()) for _ in range(count)]

    def attributes(self, cases: Sequence[Case]) -> dict[str, str]:
        """Say why they are dead, as a consumer does."""
        return {**super().attributes(cases), "reason": self.reason}

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Count the letters, with their reason."""
        bodies = [body for body, reason in stack.letters(self.source) if reason.startswith(self.reason)]
        return {case.id: Seen(effects=sum(case.id in body for body in bodies)) for case in cases}


class PublishOutbox(Consumer):
    """Publishes a service's events from its table's stream; what shows it is the effect at one of their consumers."""

    deletes_again = False
    mostly_waits = True

    def __init__(self, service: str, consumer: Consumer, *arranged: Callable[[DeployedStack, Household], None]) -> None:
        self.name = f"{service}/publish-outbox"
        self.service = service
        self._consumer = consumer
        self._arranged = arranged

    def cases(self, stack: DeployedStack, count: int) -> list[Case]:
        """Make events and all that their consumers need."""
        found = self._consumer.cases(stack, count)
        for case in found:
            for arrange in self._arranged:
                arrange(stack, case.home)
        return found

    def send(self, stack: DeployedStack, cases: Sequence[Case], delays: Iterable[int] | None = None) -> None:  # noqa: ARG002
        """Write the events into the outbox, all at once: a stream delays nothing."""
        table = stack.table(self.service)
        for case in cases:
            if case.event:
                table.transact([outbox_write(table, case.event)])

    def look(self, stack: DeployedStack, cases: Sequence[Case]) -> Mapping[str, Seen]:
        """Look for the effect, and for the mark of what is published."""
        marked = {item["event_id"] for item in stack.outbox(self.service) if "unpublished" not in item}
        found = self._consumer.look(stack, cases)
        return {case.id: found[case.id] if case.id in marked else Seen(effects=0) for case in cases}


CONSUMERS: tuple[Consumer, ...] = (
    ApplyCredit(),
    TrackDevices(),
    OpenAccounts(),
    BookPayments(),
    KeepContacts(),
    MailPayments(),
    RequestPayments(),
    FeedCrm(),
    ArchiveDeadLetters(),
    PublishOutbox("identity", KeepContacts()),
    PublishOutbox("devices", TrackDevices()),
    PublishOutbox("payments", BookPayments()),
    PublishOutbox("ledger", ApplyCredit(), keep_contact),
)


def calls(stack: DeployedStack, partner: str) -> Counter[str | None]:
    """Count the calls that a partner took, by the key that makes repetitions harmless."""
    return Counter(request.idempotency_key for request in stack.mocks.requests(partner) if request.status < 300)


def _desired(shadow: bytes) -> dict[str, Any]:
    return json.loads(shadow)["state"]["desired"] or {}
