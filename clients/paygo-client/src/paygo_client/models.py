"""What the API answers, typed.

Fields that a later version of the API adds are ignored, so that an installed client keeps working.
"""

from datetime import date
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """What every answer has in common."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SessionState(StrEnum):
    """How far a session has come."""

    ANONYMOUS = "anonymous"
    REGISTERING = "registering"
    APPROVED = "approved"
    AUTHENTICATED = "authenticated"
    REVOKED = "revoked"


class RegistrationKind(StrEnum):
    """Who vouches for a household: we, after a check, or a third party whose customer it is."""

    OWN = "own"
    PARTNER = "partner"


class RegistrationState(StrEnum):
    """How far a registration has come; the last three are final."""

    UNCONFIRMED = "unconfirmed"
    SUBMITTED = "submitted"
    CHECKING = "checking"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self in {RegistrationState.APPROVED, RegistrationState.REJECTED, RegistrationState.EXPIRED}


class DeviceState(StrEnum):
    """Where a household's device is in its life."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class PaymentState(StrEnum):
    """Whether a payment found the device it pays for."""

    UNMATCHED = "unmatched"
    CONFIRMED = "confirmed"


class PaymentRequestState(StrEnum):
    """How far a payment request has come; `refused` means that the provider does not ask this payer."""

    REQUESTED = "requested"
    SENT = "sent"
    REFUSED = "refused"
    PAID = "paid"


class Money(Answer):
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount: int
    currency: str


class Credentials(Answer):
    """Temporary IAM credentials of a session."""

    access_key_id: str
    secret_access_key: str = Field(repr=False)
    session_token: str = Field(repr=False)
    expires_at: AwareDatetime


class BearerToken(Answer):
    """A token that is sent instead of a signature, for the routes that its scopes open; it is opaque."""

    token: str = Field(repr=False)
    expires_at: AwareDatetime
    scopes: frozenset[str]


class SessionStatus(Answer):
    """A session, without its secrets."""

    session_id: UUID
    state: SessionState
    household_id: UUID | None
    opened_at: AwareDatetime
    expires_at: AwareDatetime


class SessionDetails(SessionStatus):
    """A session with its credentials, as opening, escalating, signing in and refreshing answer it."""

    identity_id: str
    region: str
    credentials: Credentials
    bearer: BearerToken
    refresh_token: str = Field(repr=False)


class SessionEntry(Answer):
    """One of the household's sessions; `user_agent` is what its app called itself when it opened it."""

    session_id: UUID
    state: SessionState
    opened_at: AwareDatetime
    expires_at: AwareDatetime
    current: bool
    user_agent: str | None


class SessionPage(Answer):
    """A page of sessions."""

    items: tuple[SessionEntry, ...]
    next_cursor: str | None


class Configuration(Answer):
    """What an app must know of a stack: the user pool to sign in at, and who issues bearer tokens."""

    region: str
    user_pool_id: str
    user_pool_client_id: str
    issuer: str
    audience: str
    jwks_uri: str


class Household(Answer):
    """A person who registers with us: we send a code to the e-mail address, and the identity bureau checks them."""

    kind: Literal["own"] = "own"
    email: str
    password: str = Field(repr=False)
    given_name: str
    family_name: str
    date_of_birth: date
    phone: str


class BankCustomer(Answer):
    """A person whom a bank knows, by the code that it gave them for this once."""

    kind: Literal["partner"] = "partner"
    partner: str = "bank"
    customer_number: str
    one_time_code: str = Field(repr=False)


class Registration(Answer):
    """Where a registration stands; undecided it lasts until `expires_at`."""

    registration_id: UUID
    kind: RegistrationKind
    state: RegistrationState
    submitted_at: AwareDatetime
    expires_at: AwareDatetime


class PendingRegistration(Answer):
    """An accepted registration and where to follow it."""

    registration: Registration
    location: str
    retry_after: float


class Device(Answer):
    """A device of the household."""

    device_id: UUID
    serial_number: str
    model: str
    state: DeviceState
    registered_at: AwareDatetime


class DevicePage(Answer):
    """A page of devices."""

    items: tuple[Device, ...]
    next_cursor: str | None


class DeviceCredit(Answer):
    """Until when a device works, in the version that the ledger gave it."""

    credit_until: AwareDatetime | None
    credit_version: int


class DeviceStatus(Device):
    """What a device was told (`desired`) and what it acknowledged (`reported`)."""

    desired: DeviceCredit
    reported: DeviceCredit | None

    @property
    def has_caught_up(self) -> bool:
        """Whether the device acknowledged what it was told last."""
        return self.reported == self.desired


class Credit(DeviceCredit):
    """A device's credit, as the ledger has it."""

    device_id: UUID
    price_per_day: Money


class StatementEntry(Answer):
    """A line of the household's account."""

    transaction_id: UUID
    booked_at: AwareDatetime
    amount: Money
    description: str
    device_id: UUID


class StatementPage(Answer):
    """The balance and a page of lines."""

    balance: Money
    items: tuple[StatementEntry, ...]
    next_cursor: str | None


class Statement(Answer):
    """The balance and every line, newest first."""

    balance: Money
    entries: tuple[StatementEntry, ...]


class PaymentRequest(Answer):
    """A payment that a provider was, or will be, asked to collect."""

    payment_request_id: UUID
    provider: str
    serial_number: str
    amount: Money
    state: PaymentRequestState
    requested_at: AwareDatetime


class RejectedRow(Answer):
    """A row of a manifest that was skipped, by its line in the file."""

    line: int
    reason: str


class ManifestReport(Answer):
    """What became of a manifest's rows."""

    imported: int
    known: int
    rejected: tuple[RejectedRow, ...]


class Payment(Answer):
    """A payment, as it was recorded the first time."""

    payment_id: UUID
    reference: str
    state: PaymentState
