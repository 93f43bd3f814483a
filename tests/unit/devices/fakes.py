from collections.abc import Callable, Sequence
from typing import Any

from devices.manifest import ManifestRow
from devices.messages import Credit, Shadow
from devices.model import Claim, Device, DevicePage, Overtaken, RegisteredDevice, ShadowChanged, State
from paygo.events import DeviceActivated, Event


class FakeDevices:
    """Devices in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Device] = {}
        self.events: list[Event[DeviceActivated]] = []

    def add(self, rows: Sequence[ManifestRow]) -> int:
        new = [row for row in rows if row.serial_number not in self.kept]
        self.kept |= {
            row.serial_number: Device(**row.model_dump(exclude={"starting_code"}), state=State.MANUFACTURED)
            for row in new
        }
        return len(new)

    def find(self, serial_number: str) -> Device | None:
        return self.kept.get(serial_number)

    def read(self, device_id: str) -> RegisteredDevice | None:
        return next((device for device in self._registered() if device.device_id == device_id), None)

    def credit(self, device: RegisteredDevice) -> Credit:
        found = self.kept[device.serial_number].registered
        assert found
        return found.credit

    def page(self, household_id: str, *, limit: int, cursor: str | None) -> DevicePage:
        ids = sorted(device.device_id for device in self._registered() if device.household_id == household_id)
        after = [device_id for device_id in ids if device_id > (cursor or "")]
        found = [self.read(device_id) for device_id in after[:limit]]
        rest = after[limit:]
        return DevicePage(tuple(device for device in found if device), after[limit - 1] if rest else None)

    def claim(self, serial_number: str, claim: Claim) -> None:
        device = self.kept[serial_number]
        again = device.state is State.PROVISIONED and device.claim == claim
        if device.state is not State.MANUFACTURED and not again:
            raise Overtaken
        self._change(serial_number, state=State.PROVISIONED, claim=claim)

    def activate(self, device: RegisteredDevice, event: Event[DeviceActivated]) -> RegisteredDevice:
        known = self.kept[device.serial_number].registered
        if known is None:
            self._change(device.serial_number, state=device.state, registered=device)
            self.events.append(event)
        return known or device

    def keep_credit(self, device: RegisteredDevice, credit: Credit) -> None:
        known = self.kept[device.serial_number].registered
        assert known
        if credit.credit_version > known.credit_version:
            self._change(device.serial_number, registered=known.model_copy(update=dict(credit)))

    def _change(self, serial_number: str, **changes: Any) -> None:
        self.kept[serial_number] = self.kept[serial_number].model_copy(update=changes)

    def _registered(self) -> list[RegisteredDevice]:
        return [device.registered for device in self.kept.values() if device.registered]


class FakeCertificates:
    """Certificates in memory."""

    def __init__(self) -> None:
        self.active: set[str] = set()

    def activate(self, certificate_id: str) -> None:
        self.active.add(certificate_id)


class FakeThings:
    """Shadows in memory; `before_telling` happens between a read and a write."""

    def __init__(self) -> None:
        self.shadows: dict[str, Shadow] = {}
        self.told: list[Credit] = []
        self.before_telling: Callable[[], None] = lambda: None

    def shadow(self, thing_name: str) -> Shadow | None:
        return self.shadows.get(thing_name)

    def tell(self, thing_name: str, credit: Credit, version: int | None) -> None:
        self.before_telling()
        known = self.shadows.get(thing_name, Shadow(version=0))
        if version is not None and version != known.version:
            raise ShadowChanged
        self.told.append(credit)
        self.write(thing_name, desired=credit)

    def write(self, thing_name: str, **sections: Credit) -> None:
        """Change the shadow as anyone may who does not look first."""
        known = self.shadows.get(thing_name, Shadow(version=0))
        state = known.state.model_copy(update=sections)
        self.shadows[thing_name] = Shadow(state=state, version=known.version + 1)
