"""What every keeper of devices does: the fake of the other tests and the table."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from devices.model import Overtaken, State
from devices.repository import DeviceTable
from paygo.storage import Table
from tests.unit.devices.fakes import FakeDevices
from tests.unit.devices.makers import DEVICE_ID, SECRET_KEY, activated, claim, credit, registered, row

if TYPE_CHECKING:
    from devices.usecases import Devices


@pytest.fixture(params=["fake", "table"])
def devices(request: pytest.FixtureRequest, table: Table) -> "Devices":
    return FakeDevices() if request.param == "fake" else DeviceTable(table)


@pytest.fixture
def published(devices: "Devices") -> Callable[[], list[str]]:
    """Return the devices that events were kept about."""

    def read() -> list[str]:
        if isinstance(devices, FakeDevices):
            return [event.subject for event in devices.events]
        items = boto3.client("dynamodb").scan(TableName="paygo-test")["Items"]
        return [json.loads(item["event"]["S"])["subject"] for item in items if "event" in item]

    return read


@pytest.fixture
def active(devices: "Devices") -> "Devices":
    """One device, in a household's hands."""
    devices.add([row()])
    devices.claim("SHS-000001", claim())
    devices.activate(registered(), activated(registered()))
    return devices


def test_nothing_is_found_before_it_is_kept(devices: "Devices") -> None:
    assert devices.find("SHS-000001") is None
    assert devices.read(DEVICE_ID) is None
    assert devices.page("household-1", limit=20, cursor=None).devices == ()


def test_an_imported_device_is_manufactured_and_nobodys(devices: "Devices") -> None:
    assert devices.add([row()]) == 1

    device = devices.find("SHS-000001")
    assert device
    assert (device.serial_number, device.model, device.state) == ("SHS-000001", "solar-home-50", State.MANUFACTURED)
    assert (device.label_code, device.secret_key) == ("K7QM2X9D", SECRET_KEY)
    assert (device.claim, device.registered) == (None, None)


def test_a_known_row_stays_as_it_is(devices: "Devices") -> None:
    devices.add([row("SHS-000002")])

    assert devices.add([row(), row("SHS-000002", model="pump"), row("SHS-000003")]) == 2

    known = devices.find("SHS-000002")
    assert known
    assert known.model == "solar-home-50"
    assert devices.find("SHS-000001")
    assert devices.find("SHS-000003")


def test_more_rows_than_a_transaction_takes_are_kept(devices: "Devices", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.repository.MAX_TRANSACTION_WRITES", 5)
    rows = [row(f"SHS-{number:06}") for number in range(12)]
    devices.add(rows[3:7])

    assert devices.add(rows) == 8
    assert devices.add(rows) == 0
    assert devices.add([]) == 0
    assert all(devices.find(each.serial_number) for each in rows)


def test_a_claimed_device_is_provisioned(devices: "Devices") -> None:
    devices.add([row()])

    devices.claim("SHS-000001", claim())

    device = devices.find("SHS-000001")
    assert device
    assert (device.state, device.claim, device.registered) == (State.PROVISIONED, claim(), None)


def test_the_same_claim_may_come_again_and_another_may_not(devices: "Devices") -> None:
    devices.add([row()])
    devices.claim("SHS-000001", claim())

    devices.claim("SHS-000001", claim())
    with pytest.raises(Overtaken):
        devices.claim("SHS-000001", claim(certificate_id="d" * 64))

    device = devices.find("SHS-000001")
    assert device
    assert device.claim == claim()


def test_a_device_in_use_cannot_be_claimed(active: "Devices") -> None:
    with pytest.raises(Overtaken):
        active.claim("SHS-000001", claim())

    assert active.read(DEVICE_ID) == registered()


def test_a_registered_device_is_found_by_serial_number_id_and_household(
    active: "Devices", published: Callable[[], list[str]]
) -> None:
    device = active.find("SHS-000001")
    assert device
    assert (device.state, device.claim, device.registered) == (State.ACTIVE, claim(), registered())
    assert active.read(DEVICE_ID) == registered()
    assert active.page("household-1", limit=20, cursor=None).devices == (registered(),)
    assert published() == [DEVICE_ID]


def test_a_device_is_registered_once(active: "Devices", published: Callable[[], list[str]]) -> None:
    second = registered("household-2", device_id="another-id")

    assert active.activate(second, activated(second)) == registered()

    assert active.read(DEVICE_ID) == registered()
    assert active.read("another-id") is None
    assert active.page("household-2", limit=20, cursor=None).devices == ()
    assert published() == [DEVICE_ID]


def test_a_households_devices_are_paged(devices: "Devices") -> None:
    kept = [registered(device_id=f"id-{number}", serial_number=f"SHS-00000{number}") for number in range(3)]
    for device in kept:
        devices.add([row(device.serial_number)])
        devices.claim(device.serial_number, claim(device.serial_number))
        devices.activate(device, activated(device))

    first = devices.page("household-1", limit=2, cursor=None)
    second = devices.page("household-1", limit=2, cursor=first.next_cursor)

    assert first.devices == tuple(kept[:2])
    assert second.devices == tuple(kept[2:])
    assert first.next_cursor
    assert second.next_cursor is None


def test_a_registered_device_has_no_credit_at_first(active: "Devices") -> None:
    assert active.credit(registered()) == credit(0)


def test_only_a_later_credit_is_kept(active: "Devices") -> None:
    active.keep_credit(registered(), credit(2))
    active.keep_credit(registered(), credit(1))
    active.keep_credit(registered(), credit(2).model_copy(update={"credit_until": None}))

    assert active.credit(registered()) == credit(2)
    device = active.read(DEVICE_ID)
    assert device
    assert device.credit == credit(2)


def test_a_credit_of_an_earlier_registration_is_not_kept(table: Table) -> None:
    devices = DeviceTable(table)
    devices.add([row()])
    devices.claim("SHS-000001", claim())
    devices.activate(registered(), activated(registered()))

    devices.keep_credit(registered(device_id="an-earlier-id"), credit(5))

    assert devices.credit(registered()) == credit(0)


def test_a_registration_is_kept_only_for_the_certificate_that_was_read(table: Table) -> None:
    devices = DeviceTable(table)
    devices.add([row()])
    devices.claim("SHS-000001", claim())
    other = registered(certificate_id="d" * 64)

    with pytest.raises(ValueError, match="device_id"):
        devices.activate(other, activated(other))

    assert table.get(pk=f"DEVICE#{DEVICE_ID}", sk="SERIAL") is None


def test_what_was_bought_is_kept_for_tokens(table: Table) -> None:
    DeviceTable(table).add([row()])

    item = table.get(pk="SERIAL#SHS-000001", sk="DEVICE")

    assert item
    assert item["starting_code"] == "012345678"


def test_a_write_that_fails_otherwise_is_no_answer(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "TransactWriteItems")

    monkeypatch.setattr(table, "transact", fail)

    with pytest.raises(ClientError):
        DeviceTable(table).add([row()])
