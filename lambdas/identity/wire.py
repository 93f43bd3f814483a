"""The contract's bodies."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, SecretStr

from identity.model import Applicant, Outcome, Registration, RegistrationState
from identity.usecases.sessions import Opened
from paygo.http import WireModel
from paygo.security import Session, SessionState


class CredentialsBody(WireModel):
    """The contract's Credentials."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime


class SessionStateBody(WireModel):
    """The contract's SessionState."""

    session_id: str
    state: SessionState
    household_id: str | None
    expires_at: datetime

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return the session as the contract shows it."""
        return cls(
            session_id=session.session_id,
            state=session.state,
            household_id=session.household_id,
            expires_at=session.ends_at,
        )


class SessionBody(SessionStateBody):
    """The contract's Session."""

    identity_id: str
    region: str
    credentials: CredentialsBody
    refresh_token: str

    @classmethod
    def opened(cls, opened: Opened, region: str) -> Self:
        """Return what the caller of a session needs to go on."""
        session, made = opened.session, opened.credentials
        return cls(
            **dict(SessionStateBody.of(session)),
            identity_id=session.identity_id,
            region=region,
            credentials=CredentialsBody(
                access_key_id=made.access_key_id,
                secret_access_key=made.secret_access_key,
                session_token=made.session_token,
                expires_at=made.expires_at,
            ),
            refresh_token=str(opened.refresh_token),
        )


class SessionRefreshBody(WireModel):
    """The contract's SessionRefresh."""

    refresh_token: str


class RegistrationRequestBody(WireModel):
    """The contract's RegistrationRequest."""

    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
    password: Annotated[SecretStr, Field(min_length=12, max_length=128)]
    given_name: Annotated[str, Field(min_length=1, max_length=100)]
    family_name: Annotated[str, Field(min_length=1, max_length=100)]
    phone: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]

    def applicant(self) -> Applicant:
        """Return who asks to be registered."""
        return Applicant(email=self.email, given_name=self.given_name, family_name=self.family_name, phone=self.phone)


class RegistrationBody(WireModel):
    """The contract's Registration."""

    registration_id: str
    state: RegistrationState
    submitted_at: datetime

    @classmethod
    def of(cls, registration: Registration) -> Self:
        """Return the registration as the contract shows it."""
        return cls(
            registration_id=registration.registration_id,
            state=registration.state,
            submitted_at=registration.submitted_at,
        )


class CheckResultBody(WireModel):
    """The contract's CheckResult."""

    reference: UUID
    outcome: Outcome
