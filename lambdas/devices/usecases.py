"""What the service does: imports manifests, lets devices claim, registers them and tells them their credit."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

from devices.manifest import ManifestRow, Rejection, read_manifest
from devices.messages import Credit, Shadow
from devices.model import (
    Claim,
    CreditRefused,
    Device,
    DeviceNotKnown,
    DeviceNotProvisioned,
    DevicePage,
    DeviceStatus,
    Overtaken,
    ProvisioningRefused,
    RegisteredDevice,
    ShadowChanged,
    State,
    UnknownDevice,
    serial_number_of,
)
from paygo.events import DeviceActivated, Event
from paygo.security import Household, owned

ATTEMPTS = 8
"""A shadow changes under a writer's hands while the device acknowledges or another event is applied: soon over."""


class Devices(Protocol):
    """Where devices are kept."""

    def add(self, rows: Sequence[ManifestRow]) -> int:
        """Keep the rows whose serial numbers are new, and return how many those were."""

    def find(self, serial_number: str) -> Device | None:
        """Return the device with the serial number."""

    def read(self, device_id: str) -> RegisteredDevice | None:
        """Return the registered device with the id."""

    def credit(self, device: RegisteredDevice) -> Credit:
        """Return the device's credit as it is now."""

    def page(self, household_id: str, *, limit: int, cursor: str | None) -> DevicePage:
        """Return some of the household's devices."""

    def claim(self, serial_number: str, claim: Claim) -> None:
        """Keep the device's certificate; the same claim may come again.

        Raises
        ------
        Overtaken
            When the device has been claimed by another certificate or is in use.
        """

    def activate(self, device: RegisteredDevice, event: Event[DeviceActivated]) -> RegisteredDevice:
        """Keep the registration and the event, and return the registration that is kept: it may be an earlier one."""

    def keep_credit(self, device: RegisteredDevice, credit: Credit) -> None:
        """Keep the credit unless this version or a later one is known."""


class Certificates(Protocol):
    """The certificates of devices."""

    def activate(self, certificate_id: str) -> None:
        """Let the certificate's holder connect."""


class Things(Protocol):
    """The shadows of devices."""

    def shadow(self, thing_name: str) -> Shadow | None:
        """Return the thing's shadow, if it has one."""

    def tell(self, thing_name: str, credit: Credit, version: int | None) -> None:
        """Set the desired state.

        Raises
        ------
        ShadowChanged
            When the shadow does not have this version any more.
        """


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a manifest's rows."""

    imported: int
    known: int
    rejected: tuple[Rejection, ...]


def import_manifest(body: bytes, devices: Devices) -> Report:
    """Keep the good rows of a supplier's manifest; a row that is known stays as it is."""
    manifest = read_manifest(body)
    imported = devices.add(manifest.rows)
    return Report(imported, len(manifest.rows) - imported, manifest.rejected)


def claim_device(serial_number: str, proof: str, claim: Claim, devices: Devices) -> None:
    """Let the device have the certificate, once.

    The same certificate may claim again while it has not been activated: the first answer may have been lost. Later it
    may not, because the provisioning template would turn an active certificate off.

    Raises
    ------
    ProvisioningRefused
        With the reason, which is for the log: the device is not told it.
    """
    device = devices.find(serial_number)
    if device is None:
        message = "The serial number is in no manifest."
        raise ProvisioningRefused(message)
    if not device.proves(proof, claim.certificate_id):
        message = "The proof was not made with the device's secret."
        raise ProvisioningRefused(message)
    try:
        devices.claim(serial_number, claim)
    except Overtaken as error:
        message = "The device has been claimed already."
        raise ProvisioningRefused(message) from error


def register_device(
    serial_number: str,
    label_code: str,
    *,
    household: Household,
    devices: Devices,
    certificates: Certificates,
    things: Things,
    source: str,
    correlation_id: str,
    now: datetime,
) -> RegisteredDevice:
    """Put the device into the household's hands.

    Again by the same household it answers alike and does again what a crash may have left undone.

    Raises
    ------
    UnknownDevice
        When serial number and label code do not belong together. That a device is another household's is told alike,
        by `owned`: a stranger does not learn which.
    DeviceNotProvisioned
        When the device has no certificate yet.
    """
    device = devices.find(serial_number)
    if device is None or not device.has_label(label_code):
        raise UnknownDevice
    if device.claim is None:
        raise DeviceNotProvisioned
    registered = device.registered or _activate(
        device, device.claim, household.household_id, devices, source=source, correlation_id=correlation_id, now=now
    )
    owned(household, registered, "device")
    if registered.state is State.ACTIVE:
        certificates.activate(registered.certificate_id)
        tell_credit(registered, devices, things)
    return registered


def _activate(
    device: Device,
    claim: Claim,
    household_id: str,
    devices: Devices,
    *,
    source: str,
    correlation_id: str,
    now: datetime,
) -> RegisteredDevice:
    registered = RegisteredDevice(
        **dict(claim),
        device_id=str(uuid4()),
        serial_number=device.serial_number,
        model=device.model,
        state=State.ACTIVE,
        household_id=household_id,
        registered_at=now,
    )
    data = DeviceActivated(
        device_id=registered.device_id,
        serial_number=device.serial_number,
        model=device.model,
        household_id=household_id,
        activated_at=now,
    )
    event = Event[DeviceActivated].about(
        registered.device_id, data, source=source, time=now, correlation_id=correlation_id
    )
    return devices.activate(registered, event)


def tell_credit(device: RegisteredDevice, devices: Devices, things: Things) -> None:
    """Make the device's desired state say what its row says.

    The shadow is read before the row, so a shadow that differs is behind the row or was not written here; it is
    replaced only while it is the one that was read. The first shadow has no such condition, so it is checked after.

    Raises
    ------
    ShadowChanged
        When others kept changing the shadow.
    """
    for _ in range(ATTEMPTS):
        shadow = things.shadow(device.thing_name)
        credit = devices.credit(device)
        if shadow is not None and shadow.state.desired == credit:
            return
        with suppress(ShadowChanged):
            things.tell(device.thing_name, credit, shadow.version if shadow is not None else None)
    raise ShadowChanged


def apply_credit(credit: Credit, devices: Devices, things: Things) -> None:
    """Keep a credit that the ledger worked out and tell the device, however often and late it comes.

    The device is told even when the credit is old news: whoever kept the newest may have crashed before telling.

    Raises
    ------
    DeviceNotKnown
        When the device's registration cannot be read yet.
    """
    device = devices.read(credit.device_id)
    if device is None:
        message = f"There is no device {credit.device_id} yet."
        raise DeviceNotKnown(message)
    devices.keep_credit(device, credit)
    tell_credit(device, devices, things)


def read_device(device_id: str, household: Household, devices: Devices, things: Things) -> DeviceStatus:
    """Return the household's own device, what it was told and what it acknowledged; raise as `owned` does."""
    device = owned(household, devices.read(device_id), "device")
    shadow = things.shadow(device.thing_name)
    told_nothing = Credit(device_id=device_id)
    if shadow is None:
        return DeviceStatus(device, told_nothing, None)
    return DeviceStatus(device, shadow.state.desired or told_nothing, shadow.state.reported)


def answer_credit(thing: str, client_id: str | None, device_id: Any, devices: Devices, *, stack: str) -> Credit:
    """Return the credit of the device that asks.

    Parameters
    ----------
    device_id
        As the device sent it, so it may be anything.

    Raises
    ------
    CreditRefused
        When it asks in another's name.
    """
    if client_id != thing:
        raise CreditRefused("not-yours", "Connect with the thing's name as client id and ask on the thing's own topic.")
    device = devices.find(serial_number_of(thing, stack))
    if device is None or device.registered is None or device.registered.device_id != device_id:
        raise CreditRefused("unknown-device", "Send the device_id that the shadow's desired state holds.")
    return device.registered.credit
