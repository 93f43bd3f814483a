"""The contract's bodies."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, Secret, SecretStr

from identity.model import Applicant, Outcome, Proof, Registration, RegistrationKind, RegistrationState
from identity.tokens import BearerToken
from identity.usecases.sessions import Opened
from paygo.http import WireModel
from paygo.security import Session, SessionState

type CustomerNumber = Secret[Annotated[str, Field(pattern=r"^[0-9]{6,20}$")]]
type OneTimeCode = Secret[Annotated[str, Field(pattern=r"^[0-9]{6}$")]]


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
    opened_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return the session as the contract shows it."""
        return cls(
            session_id=session.session_id,
            state=session.state,
            household_id=session.household_id,
            opened_at=session.opened_at,
            expires_at=session.ends_at,
        )


class BearerTokenBody(WireModel):
    """The contract's BearerToken."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (it is a name)
    expires_at: datetime
    scopes: tuple[str, ...]

    @classmethod
    def of(cls, bearer: BearerToken) -> Self:
        """Return the token as the contract shows it."""
        return cls(token=bearer.token, expires_at=bearer.expires_at, scopes=bearer.scopes)


class SessionBody(SessionStateBody):
    """The contract's Session."""

    identity_id: str
    region: str
    credentials: CredentialsBody
    bearer: BearerTokenBody
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
            bearer=BearerTokenBody.of(opened.bearer),
            refresh_token=str(opened.refresh_token),
        )


class SessionEntryBody(WireModel):
    """The contract's SessionEntry."""

    session_id: str
    state: SessionState
    opened_at: datetime
    expires_at: datetime
    current: bool
    user_agent: str | None


class SessionPageBody(WireModel):
    """The contract's SessionPage."""

    items: tuple[SessionEntryBody, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, sessions: Iterable[Session], next_cursor: str | None, *, current: str) -> Self:
        """Return a page of a household's sessions, as the session `current` is shown it."""
        return cls(
            items=tuple(
                SessionEntryBody(
                    session_id=session.session_id,
                    state=session.state,
                    opened_at=session.opened_at,
                    expires_at=session.ends_at,
                    current=session.session_id == current,
                    user_agent=session.user_agent,
                )
                for session in sessions
            ),
            next_cursor=next_cursor,
        )


class SessionRefreshBody(WireModel):
    """The contract's SessionRefresh."""

    refresh_token: Annotated[str, Field(min_length=20, max_length=512)]


def _once_each(scopes: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(scopes)) < len(scopes):
        message = "names a scope twice"
        raise ValueError(message)
    return scopes


class TokenRequestBody(WireModel):
    """The contract's TokenRequest."""

    scopes: Annotated[
        tuple[Annotated[str, Field(pattern="^[a-z-]+:(read|write)$")], ...],
        Field(min_length=1, max_length=20),
        AfterValidator(_once_each),
    ]


class OwnSignInBody(WireModel):
    """The contract's OwnSignIn."""

    kind: Literal[RegistrationKind.OWN]
    id_token: Annotated[SecretStr, Field(min_length=20, max_length=8192)]


class PartnerSignInBody(WireModel):
    """The contract's PartnerSignIn."""

    kind: Literal[RegistrationKind.PARTNER]
    partner: Literal["bank"]
    customer_number: CustomerNumber
    one_time_code: OneTimeCode


class RegistrationKindBody(WireModel):
    """What tells the contract's two registration requests apart."""

    model_config = ConfigDict(extra="ignore")

    kind: RegistrationKind


_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(\.{_LABEL})+$"
"""HTML's valid e-mail address (https://html.spec.whatwg.org/#valid-e-mail-address) in a domain of two parts or more.

SES takes no other letters, and with some of them an address would name two:
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html"""


class OwnRegistrationBody(WireModel):
    """The contract's OwnRegistration."""

    kind: Literal[RegistrationKind.OWN]
    email: Annotated[str, Field(max_length=254, pattern=EMAIL)]
    password: Annotated[SecretStr, Field(min_length=12, max_length=128)]
    given_name: Annotated[str, Field(min_length=1, max_length=100)]
    family_name: Annotated[str, Field(min_length=1, max_length=100)]
    date_of_birth: Annotated[date, Field(strict=True)]
    phone: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]

    def applicant(self) -> Applicant:
        """Return who asks to be registered."""
        return Applicant(
            email=self.email,
            given_name=self.given_name,
            family_name=self.family_name,
            date_of_birth=self.date_of_birth,
            phone=self.phone,
        )


class PartnerRegistrationBody(WireModel):
    """The contract's PartnerRegistration."""

    kind: Literal[RegistrationKind.PARTNER]
    partner: Literal["bank"]
    customer_number: Annotated[str, Field(pattern=r"^[0-9]{6,20}$")]
    one_time_code: OneTimeCode

    def proof(self) -> Proof:
        """Return what the bank is to verify."""
        return Proof(customer_number=self.customer_number, one_time_code=self.one_time_code.get_secret_value())


class ConfirmationBody(WireModel):
    """The contract's Confirmation."""

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class RegistrationBody(WireModel):
    """The contract's Registration."""

    registration_id: str
    kind: RegistrationKind
    state: RegistrationState
    submitted_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, registration: Registration) -> Self:
        """Return the registration as the contract shows it."""
        return cls(
            registration_id=registration.registration_id,
            kind=registration.kind,
            state=registration.state,
            submitted_at=registration.submitted_at,
            expires_at=registration.undecided_until,
        )


class CheckResultBody(WireModel):
    """The contract's CheckResult."""

    reference: UUID
    outcome: Outcome


class ConfigurationBody(WireModel):
    """The contract's Configuration."""

    region: str
    user_pool_id: str
    user_pool_client_id: str
    issuer: str
    audience: str
    jwks_uri: str


class KeyBody(WireModel):
    """A JSON Web Key of the contract's KeySet."""

    kty: Literal["RSA"] = "RSA"
    use: Literal["sig"] = "sig"
    alg: Literal["RS256"] = "RS256"
    kid: str
    n: str
    e: str


class KeySetBody(WireModel):
    """The contract's KeySet."""

    keys: tuple[KeyBody, ...]
