from dataclasses import dataclass
from typing import Any

import pytest

from identity.model import Outcome, Registration
from identity.repository import RegistrationTable
from identity.sessions_table import SessionTable
from identity.usecases.sessions import Opened, open_session
from paygo.storage import Table
from tests.unit.identity.fakes import FakeCredentials, FakeUsers
from tests.unit.identity.session_fakes import makers
from tests.unit.identity.stage import CAUSE, NOW, Stage


@pytest.fixture
def users() -> FakeUsers:
    return FakeUsers()


@pytest.fixture
def maker() -> FakeCredentials:
    return FakeCredentials()


@pytest.fixture
def session_table(sessions: Table, table: Table, idempotency: Table) -> SessionTable:
    return SessionTable(sessions, table, idempotency)


@pytest.fixture
def registrations(table: Table, sessions: Table) -> RegistrationTable:
    return RegistrationTable(table, sessions)


@pytest.fixture
def stage(table: Table, sessions: Table, registrations: RegistrationTable, users: FakeUsers) -> Stage:
    """Registrations over the tables, with the rest in memory."""
    return Stage(table, sessions, registrations, users)


@dataclass
class Identity:
    """The service with its tables, a user pool and an identity pool in memory."""

    sessions: SessionTable
    maker: FakeCredentials
    stage: Stage

    def open(self) -> Opened:
        return open_session(self.sessions, makers(self.maker), limit=1000, cause=CAUSE, now=NOW)

    def register(self, identity_id: str, **given: Any) -> Registration:
        session = self.sessions.find(identity_id)
        assert session
        return self.stage.register(session, **given)

    def answer(self, registration: Registration, outcome: Outcome = Outcome.APPROVED) -> None:
        self.stage.confirm(registration)
        self.stage.answer(registration, outcome)

    def approved(self) -> Opened:
        opened = self.open()
        self.answer(self.register(opened.session.identity_id))
        return opened


@pytest.fixture
def identity(session_table: SessionTable, maker: FakeCredentials, stage: Stage) -> Identity:
    return Identity(session_table, maker, stage)
