"""A device, from a line of a manifest to a household's hands."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from devices.messages import Credit
from paygo.outcomes import NotReady


class DevicesRefusal(Exception):
    """What the service refuses to do; each kind is a subclass."""


class UnknownDevice(DevicesRefusal):
    """There is no such device for whoever asks."""


class DeviceNotProvisioned(DevicesRefusal):
    """The device was never switched on within reach of the network, so it has no certificate to activate."""


class ManifestUnreadable(DevicesRefusal):
    """A manifest is not a CSV of the agreed columns; the message says why."""


class ManifestTooLarge(DevicesRefusal):
    """A manifest has more rows than one call takes."""


class ProvisioningRefused(DevicesRefusal):
    """A device does not get a certificate of its own; the message says why, for the log only."""


class CreditRefused(DevicesRefusal):
    """A question about credit is not answered."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DeviceNotKnown(NotReady):
    """Credit came for a device that the service does not know yet."""


class Overtaken(Exception):
    """The device is not in a state that allows the change any more."""


class ShadowChanged(Exception):
    """The shadow is another than the one that was read: read again."""


class State(StrEnum):
    """How far a device has come."""

    MANUFACTURED = "manufactured"
    PROVISIONED = "provisioned"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


MOVES: Mapping[State, frozenset[State]] = {
    State.MANUFACTURED: frozenset({State.PROVISIONED}),
    State.PROVISIONED: frozenset({State.ACTIVE}),
    State.ACTIVE: frozenset({State.SUSPENDED, State.RETIRED}),
    State.SUSPENDED: frozenset(),
    State.RETIRED: frozenset(),
}
"""Where a device may go from each state."""


def states_before(state: State) -> tuple[State, ...]:
    """Return the states that may move to `state`."""
    return tuple(before for before, after in MOVES.items() if state in after)


class Value(BaseModel):
    """Something that never changes; errors do not repeat its content, which may be a secret."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Claim(Value):
    """The certificate and the thing that provisioning made for a device."""

    certificate_id: str
    thing_name: str


class RegisteredDevice(Claim):
    """A device in a household's hands, without its secrets."""

    device_id: str
    serial_number: str
    model: str
    state: State
    household_id: str
    registered_at: AwareDatetime
    credit_until: AwareDatetime | None = None
    credit_version: int = 0

    @property
    def credit(self) -> Credit:
        """What the device is to be told."""
        return Credit(device_id=self.device_id, credit_until=self.credit_until, credit_version=self.credit_version)


class Device(Value):
    """What a manifest says of a device, and what became of it since."""

    serial_number: str
    model: str
    state: State
    label_code: str = Field(repr=False)
    secret_key: str = Field(repr=False)
    claim: Claim | None = None
    registered: RegisteredDevice | None = None

    def has_label(self, code: str) -> bool:
        """Tell, in constant time, whether the code is the one on the device's label."""
        return hmac.compare_digest(normalised_label(code).encode(), self.label_code.encode())

    def proves(self, proof: str, certificate_id: str) -> bool:
        """Tell, in constant time, whether the proof was made with the device's secret for this certificate."""
        text = f"{self.serial_number}:{certificate_id}"
        expected = hmac.new(bytes.fromhex(self.secret_key), text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), proof.encode())


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Some of a household's devices, and where the rest begins."""

    devices: tuple[RegisteredDevice, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """A device, what it was told and what it acknowledged."""

    device: RegisteredDevice
    desired: Credit
    reported: Credit | None


def normalised_label(code: str) -> str:
    """Return a label code as it is kept and compared: however it was typed, it is the same code."""
    return "".join(character for character in code.upper() if character != "-" and not character.isspace())


def thing_name(stack: str, serial_number: str) -> str:
    """Return the name of the device's thing, which is its MQTT client id as well."""
    return f"{stack}-{serial_number}"


def serial_number_of(thing: str, stack: str) -> str:
    """Return the serial number that the thing's name ends in."""
    return thing.removeprefix(thing_name(stack, ""))
