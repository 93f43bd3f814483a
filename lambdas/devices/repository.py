"""Devices in DynamoDB.

SERIAL#<serial number>    DEVICE                a device: its manifest row and all that became of it
DEVICE#<device id>        SERIAL                the serial number of a registered device
HOUSEHOLD#<household id>  DEVICE#<device id>    the same, for the household's list
"""

from collections.abc import Sequence
from itertools import batched
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from devices.manifest import ManifestRow
from devices.messages import Credit
from devices.model import Claim, Device, DevicePage, Overtaken, RegisteredDevice, State, states_before
from paygo.events import DeviceActivated, Event
from paygo.outbox import outbox_write
from paygo.storage import ABSENT, MAX_TRANSACTION_WRITES, ConditionFailed, Table, TransactionRefused

type Row = dict[str, Any]


class DeviceTable:
    """The devices of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, rows: Sequence[ManifestRow]) -> int:
        """Keep the rows whose serial numbers are new, and return how many those were."""
        return sum(self._add(batch) for batch in batched(rows, MAX_TRANSACTION_WRITES, strict=False))

    def _add(self, batch: tuple[ManifestRow, ...]) -> int:
        new = list(batch)
        while new:
            try:
                self._table.transact([self._table.putting(_manufactured(row), ABSENT) for row in new])
            except TransactionRefused as refused:
                new = [row for place, row in enumerate(new) if place not in refused.failed]
            else:
                break
        return len(new)

    def find(self, serial_number: str) -> Device | None:
        """Return the device with the serial number."""
        row = self._table.get(**_device_key(serial_number))
        return _device(row) if row else None

    def read(self, device_id: str) -> RegisteredDevice | None:
        """Return the registered device with the id."""
        pointer = self._table.get(**_id_key(device_id))
        return self._registered(pointer["serial_number"]) if pointer else None

    def credit(self, device: RegisteredDevice) -> Credit:
        """Return the device's credit as it is now."""
        return self._registered(device.serial_number).credit

    def page(self, household_id: str, *, limit: int, cursor: str | None) -> DevicePage:
        """Return some of the household's devices; raise `InvalidCursor` for a cursor of another list."""
        # Pointers only, so that a device's state stands in one place; a household has a handful of devices.
        page = self._table.query(_household(household_id), prefix="DEVICE#", limit=limit, cursor=cursor)
        return DevicePage(tuple(self._registered(item["serial_number"]) for item in page.items), page.next_cursor)

    def claim(self, serial_number: str, claim: Claim) -> None:
        """Keep the device's certificate, or raise `Overtaken`; the same claim may come again."""
        again = Attr("state").eq(State.PROVISIONED) & Attr("certificate_id").eq(claim.certificate_id)
        changes = {"state": State.PROVISIONED, **dict(claim)}
        try:
            self._table.update(_device_key(serial_number), changes, _may_become(State.PROVISIONED) | again)
        except ConditionFailed as error:
            raise Overtaken from error

    def activate(self, device: RegisteredDevice, event: Event[DeviceActivated]) -> RegisteredDevice:
        """Keep the registration and the event, and return the registration that is kept: it may be an earlier one."""
        pointer = {"serial_number": device.serial_number}
        changes = device.model_dump(mode="json", exclude={"serial_number", "model", "certificate_id", "thing_name"})
        # Only for the certificate that was read: it is the one to be activated.
        condition = _may_become(State.ACTIVE) & Attr("certificate_id").eq(device.certificate_id)
        try:
            self._table.transact(
                [
                    self._table.updating(_device_key(device.serial_number), changes, condition),
                    self._table.putting({**_id_key(device.device_id), **pointer}, ABSENT),
                    self._table.putting({**_household_key(device), **pointer}, ABSENT),
                    outbox_write(self._table, event),
                ]
            )
        except TransactionRefused:
            return self._registered(device.serial_number)
        return device

    def keep_credit(self, device: RegisteredDevice, credit: Credit) -> None:
        """Keep the credit unless this version or a later one is known."""
        changes = credit.model_dump(mode="json", exclude={"device_id"})
        older = Attr("device_id").eq(device.device_id) & Attr("credit_version").lt(credit.credit_version)
        try:
            self._table.update(_device_key(device.serial_number), changes, older)
        except ConditionFailed:
            return

    def _registered(self, serial_number: str) -> RegisteredDevice:
        return RegisteredDevice.model_validate(self._table.get(**_device_key(serial_number)))


def _may_become(state: State) -> ConditionBase:
    return Attr("state").is_in(list(states_before(state)))


def _manufactured(row: ManifestRow) -> Row:
    return {**_device_key(row.serial_number), **row.model_dump(), "state": State.MANUFACTURED}


def _device(row: Row) -> Device:
    claim = row if "certificate_id" in row else None
    registered = row if "device_id" in row else None
    return Device.model_validate({**row, "claim": claim, "registered": registered})


def _device_key(serial_number: str) -> dict[str, str]:
    return {"pk": f"SERIAL#{serial_number}", "sk": "DEVICE"}


def _id_key(device_id: str) -> dict[str, str]:
    return {"pk": f"DEVICE#{device_id}", "sk": "SERIAL"}


def _household(household_id: str) -> str:
    return f"HOUSEHOLD#{household_id}"


def _household_key(device: RegisteredDevice) -> dict[str, str]:
    return {"pk": _household(device.household_id), "sk": f"DEVICE#{device.device_id}"}
