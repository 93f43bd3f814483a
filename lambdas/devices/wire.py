"""The contract's bodies."""

import re
from typing import Annotated, Self

from pydantic import AwareDatetime, Field

from devices.manifest import SerialNumber
from devices.messages import Credit
from devices.model import DeviceStatus as Status
from devices.model import RegisteredDevice, State
from devices.usecases import Report
from paygo.http import WireModel

DEVICE_ID = re.compile(r"[0-9a-f-]{36}")


class DeviceRegistration(WireModel):
    """What a household sends: both stand on the device's label."""

    serial_number: SerialNumber
    label_code: Annotated[str, Field(min_length=4, max_length=32, repr=False)]


class Device(WireModel):
    """A device in the household's hands."""

    device_id: str
    serial_number: str
    model: str
    state: State
    registered_at: AwareDatetime

    @classmethod
    def of(cls, device: RegisteredDevice) -> Self:
        """Return what the household is told of the device."""
        return cls(**device.model_dump(include=set(Device.model_fields)))


class DevicePage(WireModel):
    """A page of devices."""

    items: tuple[Device, ...]
    next_cursor: str | None


class DeviceCredit(WireModel):
    """What a device was told or acknowledged."""

    credit_until: AwareDatetime | None
    credit_version: int

    @classmethod
    def of(cls, credit: Credit) -> Self:
        """Return the credit without the device it is for."""
        return cls(credit_until=credit.credit_until, credit_version=credit.credit_version)


class DeviceStatus(Device):
    """A device, what it was told and what it acknowledged."""

    desired: DeviceCredit
    reported: DeviceCredit | None

    @classmethod
    def of_status(cls, status: Status) -> Self:
        """Return what the household is told of the device's status."""
        return cls(
            **dict(Device.of(status.device)),
            desired=DeviceCredit.of(status.desired),
            reported=DeviceCredit.of(status.reported) if status.reported else None,
        )


class Rejection(WireModel):
    """A row of a manifest that was skipped."""

    line: int
    reason: str


class ManifestReport(WireModel):
    """What became of a manifest's rows."""

    imported: int
    known: int
    rejected: tuple[Rejection, ...]

    @classmethod
    def of(cls, report: Report) -> Self:
        """Return what the supplier is told."""
        rejected = tuple(Rejection(line=each.line, reason=each.reason) for each in report.rejected)
        return cls(imported=report.imported, known=report.known, rejected=rejected)
