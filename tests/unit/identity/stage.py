"""Registering, with everything outside in memory: the bureau, the bank, the user pool, the mail and the time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from boto3.dynamodb.conditions import Attr

from identity.model import Applicant, BankCustomer, BankCustomerRefused, Outcome, Proof, Registration, RegistrationState
from identity.repository import RegistrationTable
from identity.sessions_table import SessionTable
from identity.usecases.causes import Cause
from identity.usecases.checking import decide, follow_check, request_check
from identity.usecases.confirming import confirm, mail_code, send_code
from identity.usecases.registrations import expire, register, register_customer, settle_account
from paygo.audit import Origin
from paygo.events import (
    CodeRequested,
    Event,
    HouseholdRegistered,
    RegistrationMoved,
    RegistrationSubmitted,
)
from paygo.mail import Mail
from paygo.security import Session, SessionState, session_key
from paygo.storage import Table
from tests.unit.identity.fakes import FakeUsers

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PASSWORD = "correct-horse-battery-9"
CAUSE = Cause("/paygo-test/identity", "request-1", Origin(source_ip="192.0.2.1", user_agent="curl"))
AMINA = Applicant(
    email="amina@example.org",
    given_name="Amina",
    family_name="Odhiambo",
    date_of_birth=date(1990, 5, 17),
    phone="+254700000001",
)
PROOF = Proof(customer_number="1002003004", one_time_code="493817")
WANJIRU = BankCustomer(
    customer_id="BANK-1002003004",
    given_name="Wanjiru",
    family_name="Kamau",
    email="wanjiru@example.org",
    phone="+254711000002",
)


class FakeBureau:
    """A bureau that notes whom it was asked about, and says what it was told to say."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Applicant, str]] = []
        self.outcomes: dict[str, Outcome] = {}
        self.polls = 0

    def ask(self, registration_id: str, applicant: Applicant, intent: str) -> None:
        self.asked.append((registration_id, applicant, intent))

    def outcome(self, registration_id: str) -> Outcome | None:
        self.polls += 1
        return self.outcomes.get(registration_id)


class FakeBank:
    """A bank with customers by their number, whose one-time code works once for each intent."""

    def __init__(self) -> None:
        self.customers = {PROOF.customer_number: WANJIRU}
        self.asked: list[str] = []

    def verify(self, customer_number: str, one_time_code: str, intent: str) -> BankCustomer:
        self.asked.append(intent)
        if one_time_code != PROOF.one_time_code or customer_number not in self.customers:
            raise BankCustomerRefused
        return self.customers[customer_number]


class FakePost:
    """A letter box."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.sent.append(mail)


@dataclass
class Stage:
    """The service's use cases over its tables."""

    table: Table
    sessions: Table
    registrations: RegistrationTable
    users: FakeUsers = field(default_factory=FakeUsers)
    bureau: FakeBureau = field(default_factory=FakeBureau)
    bank: FakeBank = field(default_factory=FakeBank)
    post: FakePost = field(default_factory=FakePost)
    now: datetime = NOW

    @property
    def tries(self) -> SessionTable:
        return SessionTable(self.sessions, self.table, self.table)

    def open(self) -> Session:
        session = Session(
            identity_id=f"us-east-1:{uuid4()}",
            session_id=str(uuid4()),
            state=SessionState.ANONYMOUS,
            opened_at=self.now,
            ends_at=self.now + timedelta(hours=24),
            user_agent="curl",
        )
        self.sessions.put(session_key(session.identity_id) | session.model_dump(mode="json"))
        return session

    def session(self, of: Session | Registration) -> Session:
        return Session.model_validate(self.sessions.get(**session_key(of.identity_id)))

    def revoke(self, of: Session | Registration) -> None:
        self.sessions.update(session_key(of.identity_id), {"state": SessionState.REVOKED.value})

    def register(
        self,
        session: Session | None = None,
        *,
        intent: str | None = None,
        applicant: Applicant = AMINA,
        password: str = PASSWORD,
    ) -> Registration:
        session = self.session(session) if session else self.open()
        intent = intent or str(uuid4())
        return register(
            self.registrations, self.users, session, applicant, password, intent=intent, cause=CAUSE, now=self.now
        )

    def register_customer(
        self, session: Session | None = None, *, intent: str | None = None, proof: Proof = PROOF
    ) -> Registration:
        session = self.session(session) if session else self.open()
        intent = intent or str(uuid4())
        return register_customer(
            self.registrations, self.tries, session, "bank", proof, intent=intent, cause=CAUSE, now=self.now
        )

    def code(self, registration: Registration) -> str:
        code = self.registrations.find_code(registration.registration_id)
        assert code
        return code.code

    def wrong_code(self, registration: Registration) -> str:
        return f"{(int(self.code(registration)) + 1) % 1_000_000:06}"

    def confirm(self, registration: Registration, text: str | None = None) -> Registration:
        text = text or self.code(registration)
        registration_id, session = registration.registration_id, self.session(registration)
        return confirm(self.registrations, registration_id, session, text, cause=CAUSE, now=self.now)

    def send_code(self, registration: Registration) -> Registration:
        session = self.session(registration)
        return send_code(self.registrations, registration.registration_id, session, cause=CAUSE, now=self.now)

    def confirmed(self, **given: Any) -> Registration:
        return self.confirm(self.register(**given))

    def answer(self, registration: Registration, outcome: Outcome = Outcome.APPROVED) -> None:
        decide(self.registrations, registration.registration_id, outcome, cause=CAUSE, now=self.now)

    def ask(self, registration: Registration, intent: str = "event-1") -> None:
        """Have it checked, as the consumer does."""
        request_check(
            self.registrations,
            lambda: self.bureau,
            lambda _: self.bank,
            registration.registration_id,
            intent,
            cause=CAUSE,
            now=self.now,
        )

    def poll(self, registration: Registration, since: datetime = NOW) -> None:
        follow_check(
            self.registrations,
            lambda: self.bureau,
            registration.registration_id,
            since=since,
            cause=CAUSE,
            now=self.now,
        )

    def expire(self, registration: Registration) -> None:
        expire(self.registrations, registration.registration_id, cause=CAUSE, now=self.now)

    def settle(self, registration: Registration) -> None:
        settle_account(self.registrations, lambda: self.users, registration.registration_id)

    def mail(self, registration: Registration, number: int = 1) -> None:
        wanted = CodeRequested(registration_id=registration.registration_id, number=number)
        mail_code(self.registrations, self.post, wanted, f"event-{number}", cause=CAUSE, now=self.now)

    def state(self, registration: Registration) -> RegistrationState:
        return self.find(registration).state

    def find(self, registration: Registration) -> Registration:
        found = self.registrations.find(registration.registration_id)
        assert found
        return found

    def household(self, registration: Registration) -> dict[str, Any] | None:
        return self.table.get(pk=f"HOUSEHOLD#{registration.household_id}", sk="HOUSEHOLD")

    def rows(self) -> Iterator[dict[str, Any]]:
        for page, _ in self.table.scan(Attr("pk").exists()):
            yield from page

    def outbox(self) -> list[dict[str, Any]]:
        """What was written to be published, in the order of its time, as it stands there."""
        return [row for row in self.rows() if str(row["pk"]).startswith("OUTBOX#")]

    def events(self) -> list[str]:
        """The events but for the audit's, sorted, each by its name and where it leads."""
        return sorted(self.names())

    def names(self) -> Iterator[str]:
        for row in self.outbox():
            match row["type"]:
                case RegistrationMoved.TYPE:
                    yield Event[RegistrationMoved].model_validate_json(row["event"]).data.state
                case RegistrationSubmitted.TYPE:
                    yield "submission"
                case HouseholdRegistered.TYPE:
                    yield "household"
                case CodeRequested.TYPE:
                    yield "code"
                case _:
                    pass
