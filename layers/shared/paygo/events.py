"""Event contracts: CloudEvents 1.0 envelopes around typed data.

A type's name ends in its version. A change that would break a consumer is a new version beside the old one; readers
ignore fields of `data` that they do not know, so adding one is no break; `Money` has its two and never more. See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md.
"""

from typing import Annotated, ClassVar, Literal, Self
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from paygo.money import Money


class EventData(BaseModel):
    """What an event says; each subclass is one type of event."""

    model_config = ConfigDict(frozen=True)

    TYPE: ClassVar[str]


class Event[Data: EventData](BaseModel):
    """A CloudEvents 1.0 envelope in JSON format."""

    # Errors are logged, and what they would repeat may be a person's data.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, description="Unique; consumers are idempotent on it.")]
    source: Annotated[str, Field(min_length=1, description="`/<stack>/<service>`.")]
    type: Annotated[str, Field(min_length=1)]
    subject: Annotated[str, Field(min_length=1, description="The id of what the event is about.")]
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    correlationid: Annotated[
        str, Field(min_length=1, description="Follows one request or message through every event it causes.")
    ]
    data: Data

    @classmethod
    def about(cls, subject: str, data: Data, *, source: str, time: AwareDatetime, correlation_id: str) -> Self:
        """Make a new event, with an id of its own."""
        return cls(
            id=str(uuid4()),
            source=source,
            type=data.TYPE,
            subject=subject,
            time=time,
            correlationid=correlation_id,
            data=data,
        )


class RegistrationMoved(EventData):
    """A registration began or went on to another state."""

    TYPE: ClassVar[str] = "identity.registration-moved.v1"

    registration_id: str
    session_id: str
    kind: Literal["own", "partner"]
    state: Annotated[str, Field(description="As the contract names it.")]
    previous: Annotated[str | None, Field(description="None of a registration that has just begun.")] = None


class CodeRequested(EventData):
    """A household is to be sent a code by which it confirms its e-mail address; the code itself is in no event."""

    TYPE: ClassVar[str] = "identity.code-requested.v1"

    registration_id: str
    number: Annotated[int, Field(ge=1, description="Which of the registration's codes; only the newest is sent.")]


class RegistrationSubmitted(EventData):
    """A household is ready to be registered; its identity has still to be checked."""

    TYPE: ClassVar[str] = "identity.registration-submitted.v1"

    registration_id: str


class HouseholdRegistered(EventData):
    """A household's identity was approved."""

    TYPE: ClassVar[str] = "identity.household-registered.v1"

    household_id: str
    given_name: str
    email: str


class DeviceActivated(EventData):
    """A household registered a device, which may connect from now on."""

    TYPE: ClassVar[str] = "devices.device-activated.v1"

    device_id: str
    serial_number: str
    model: str
    household_id: str
    activated_at: AwareDatetime


class PaymentRequested(EventData):
    """A household asked that a provider collect a payment; the provider has still to be asked."""

    TYPE: ClassVar[str] = "payments.payment-requested.v1"

    payment_request_id: str
    provider: str
    household_id: str
    device_id: str
    amount: Money


class PaymentConfirmed(EventData):
    """A provider's payment was matched to a household's device."""

    TYPE: ClassVar[str] = "payments.payment-confirmed.v1"

    payment_id: str
    provider: str
    provider_reference: str
    household_id: str
    device_id: str
    amount: Money
    paid_at: AwareDatetime


class CreditChanged(EventData):
    """The ledger booked a payment and worked out the device's credit anew."""

    TYPE: ClassVar[str] = "ledger.credit-changed.v1"

    device_id: str
    household_id: str
    payment_id: str
    amount: Money
    credit_until: AwareDatetime
    credit_version: Annotated[int, Field(ge=1, description="Grows with every change; the highest is the truth.")]


class AuditRecorded(EventData):
    """Something happened that matters to security: who did it, and from where. It never holds a secret."""

    TYPE: ClassVar[str] = "identity.audit-recorded.v1"

    act: Annotated[
        str, Field(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=64, description="What happened, as docs/audit.md lists.")
    ]
    session_id: str | None = None
    household_id: str | None = None
    identity_hash: str | None = None
    registration_id: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None
    detail: dict[str, str] = {}


EVENT_TYPES: tuple[type[EventData], ...] = (
    RegistrationMoved,
    CodeRequested,
    RegistrationSubmitted,
    HouseholdRegistered,
    DeviceActivated,
    PaymentRequested,
    PaymentConfirmed,
    CreditChanged,
    AuditRecorded,
)
