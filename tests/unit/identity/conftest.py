from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import boto3
import pytest

from identity.model import Applicant, Outcome, Registration
from identity.repository import RegistrationTable
from identity.sessions_table import SessionTable
from identity.usecases.causes import Cause
from identity.usecases.registrations import decide, submit
from identity.usecases.sessions import Opened, open_session
from paygo.storage import Table
from tests.unit.identity.fakes import FakeCredentials, FakeUsers

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PASSWORD = "correct-horse-battery-9"
CAUSE = Cause("/paygo-test/identity", "request-1")
AMINA = Applicant(email="amina@example.org", given_name="Amina", family_name="Odhiambo", phone="+254700000001")


@pytest.fixture
def users() -> FakeUsers:
    return FakeUsers()


@pytest.fixture
def maker() -> FakeCredentials:
    return FakeCredentials()


@pytest.fixture
def session_table(sessions: Table) -> SessionTable:
    return SessionTable(sessions)


@pytest.fixture
def registrations(table: Table, sessions: Table) -> RegistrationTable:
    return RegistrationTable(table, sessions)


@dataclass
class Identity:
    """The service with its tables, a user pool and an identity pool in memory."""

    sessions: SessionTable
    registrations: RegistrationTable
    maker: FakeCredentials
    users: FakeUsers

    def open(self) -> Opened:
        return open_session(self.sessions, self.maker, NOW)

    def register(
        self, identity_id: str, *, intent: str | None = None, applicant: Applicant = AMINA, password: str = PASSWORD
    ) -> Registration:
        session = self.sessions.find(identity_id)
        assert session
        return submit(
            self.registrations,
            self.users,
            session,
            applicant,
            password,
            intent=intent or str(uuid4()),
            cause=CAUSE,
            now=NOW,
        )

    def answer(self, registration_id: str, outcome: Outcome = Outcome.APPROVED) -> None:
        decide(self.registrations, self.users, registration_id, outcome, cause=CAUSE, now=NOW)

    def approved(self) -> Opened:
        opened = self.open()
        self.answer(self.register(opened.session.identity_id).registration_id)
        return opened


@pytest.fixture
def identity(
    session_table: SessionTable, registrations: RegistrationTable, maker: FakeCredentials, users: FakeUsers
) -> Identity:
    return Identity(session_table, registrations, maker, users)


@pytest.fixture
def events(table: Table) -> Callable[[], list[str]]:
    """Return the types of the events that the service would publish, sorted."""

    client = boto3.client("dynamodb")

    def types() -> list[str]:
        rows = client.scan(TableName=table.name)["Items"]
        return sorted(row["type"]["S"] for row in rows if row["pk"]["S"].startswith("OUTBOX#"))

    return types
