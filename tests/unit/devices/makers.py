import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from devices.manifest import ManifestRow
from devices.messages import Credit
from devices.model import Claim, RegisteredDevice, State
from paygo.events import DeviceActivated, Event

NOW = datetime(2026, 11, 21, 10, 2, tzinfo=UTC)
SECRET_KEY = "000102030405060708090a0b0c0d0e0f"
DEVICE_ID = "9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d"
CERTIFICATE_ID = "c" * 64


def row(serial_number: str = "SHS-000001", **changes: Any) -> ManifestRow:
    return ManifestRow.model_validate(
        {
            "serial_number": serial_number,
            "model": "solar-home-50",
            "label_code": "K7QM-2X9D",
            "starting_code": "012345678",
            "secret_key": SECRET_KEY,
        }
        | changes
    )


def claim(serial_number: str = "SHS-000001", certificate_id: str = CERTIFICATE_ID) -> Claim:
    return Claim(certificate_id=certificate_id, thing_name=f"paygo-test-{serial_number}")


def proof(serial_number: str = "SHS-000001", certificate_id: str = CERTIFICATE_ID) -> str:
    message = f"{serial_number}:{certificate_id}".encode()
    return hmac.new(bytes.fromhex(SECRET_KEY), message, hashlib.sha256).hexdigest()


def registered(household_id: str = "household-1", **changes: Any) -> RegisteredDevice:
    serial_number = changes.get("serial_number", "SHS-000001")
    return RegisteredDevice.model_validate(
        dict(claim(serial_number))
        | {
            "device_id": DEVICE_ID,
            "serial_number": serial_number,
            "model": "solar-home-50",
            "state": State.ACTIVE,
            "household_id": household_id,
            "registered_at": NOW,
        }
        | changes
    )


def activated(device: RegisteredDevice) -> Event[DeviceActivated]:
    data = DeviceActivated(
        device_id=device.device_id,
        serial_number=device.serial_number,
        model=device.model,
        household_id=device.household_id,
        activated_at=NOW,
    )
    return Event[DeviceActivated].about(
        device.device_id, data, source="/paygo-test/devices", time=NOW, correlation_id="request-1"
    )


def credit(version: int, device_id: str = DEVICE_ID) -> Credit:
    until = datetime(2026, 11, 21 + version, 10, 5, tzinfo=UTC) if version else None
    return Credit(device_id=device_id, credit_until=until, credit_version=version)
