"""Paygo's HTTPS API from Python.

`Session` is for apps that act for a household, `PartnerClient` for third parties with a restricted route.
"""

from paygo_client.errors import ApiUnreachable, NotDecidedInTime, PaygoProblem, Place, UnexpectedAnswer
from paygo_client.models import (
    Credentials,
    Credit,
    Device,
    DeviceCredit,
    DeviceState,
    DeviceStatus,
    Household,
    ManifestReport,
    Money,
    Payment,
    PaymentRequest,
    PaymentRequestState,
    PaymentState,
    PendingRegistration,
    Registration,
    RegistrationState,
    RejectedRow,
    SessionDetails,
    SessionState,
    SessionStatus,
    Statement,
    StatementEntry,
)
from paygo_client.partner import PartnerClient
from paygo_client.session import Session
from paygo_client.transport import RetryPolicy

__all__ = [
    "ApiUnreachable",
    "Credentials",
    "Credit",
    "Device",
    "DeviceCredit",
    "DeviceState",
    "DeviceStatus",
    "Household",
    "ManifestReport",
    "Money",
    "NotDecidedInTime",
    "PartnerClient",
    "PaygoProblem",
    "Payment",
    "PaymentRequest",
    "PaymentRequestState",
    "PaymentState",
    "PendingRegistration",
    "Place",
    "Registration",
    "RegistrationState",
    "RejectedRow",
    "RetryPolicy",
    "Session",
    "SessionDetails",
    "SessionState",
    "SessionStatus",
    "Statement",
    "StatementEntry",
    "UnexpectedAnswer",
]
