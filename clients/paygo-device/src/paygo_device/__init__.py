"""A Paygo device over MQTT: provision by claim, connect over mutual TLS, receive credit, acknowledge."""

from paygo_device.device import Device
from paygo_device.errors import (
    ConnectionLost,
    ConnectionRefused,
    CreditRefused,
    DeviceError,
    NotAllowed,
    ProvisioningRefused,
    ShadowRefused,
    TimedOut,
    UnexpectedMessage,
)
from paygo_device.folder import CredentialFolder
from paygo_device.models import Credit, DeviceCredentials, Endpoint, KeyPair
from paygo_device.provisioning import proof, provision

__all__ = [
    "ConnectionLost",
    "ConnectionRefused",
    "CredentialFolder",
    "Credit",
    "CreditRefused",
    "Device",
    "DeviceCredentials",
    "DeviceError",
    "Endpoint",
    "KeyPair",
    "NotAllowed",
    "ProvisioningRefused",
    "ShadowRefused",
    "TimedOut",
    "UnexpectedMessage",
    "proof",
    "provision",
]
