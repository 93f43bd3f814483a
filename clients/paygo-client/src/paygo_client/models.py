"""What the API answers, typed.

Fields that a later version of the API adds are ignored, so that an installed client keeps working.
"""

from enum import StrEnum
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


class RegistrationState(StrEnum):
    """How far a registration has come; the last two are final."""

    SUBMITTED = "submitted"
    CHECKING = "checking"
    APPROVED = "approved"
    REJECTED = "rejected"

    @property
    def is_decided(self) -> bool:
        """Whether nothing will change any more."""
        return self in {RegistrationState.APPROVED, RegistrationState.REJECTED}


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


class SessionStatus(Answer):
    """A session, without its secrets."""

    session_id: UUID
    state: SessionState
    household_id: UUID | None
    expires_at: AwareDatetime


class SessionDetails(SessionStatus):
    """A session with its credentials, as opening, escalating and refreshing answer it."""

    identity_id: str
    region: str
    credentials: Credentials
    refresh_token: str = Field(repr=False)


class Household(Answer):
    """The person who registers, as the identity bureau will check them."""

    email: str
    password: str = Field(repr=False)
    given_name: str
    family_name: str
    phone: str


class Registration(Answer):
    """Where a registration stands."""

    registration_id: UUID
    state: RegistrationState
    submitted_at: AwareDatetime


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
