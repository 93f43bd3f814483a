import pytest

from devices.model import MOVES, Device, State, normalised_label, serial_number_of, states_before, thing_name
from tests.unit.devices.makers import CERTIFICATE_ID, SECRET_KEY, claim, credit, proof, registered


@pytest.fixture
def device() -> Device:
    return Device(
        serial_number="SHS-000001",
        model="solar-home-50",
        state=State.PROVISIONED,
        label_code="K7QM2X9D",
        secret_key=SECRET_KEY,
    )


def test_a_device_goes_from_the_factory_to_a_household_and_never_back() -> None:
    assert MOVES.keys() == set(State)
    assert states_before(State.MANUFACTURED) == ()
    assert states_before(State.PROVISIONED) == (State.MANUFACTURED,)
    assert states_before(State.ACTIVE) == (State.PROVISIONED,)
    assert states_before(State.SUSPENDED) == states_before(State.RETIRED) == (State.ACTIVE,)


@pytest.mark.parametrize("typed", ["K7QM-2X9D", "k7qm2x9d", " K7QM 2X9D\t", "K-7-Q-M-2X9D"])
def test_a_label_code_is_the_same_however_it_is_typed(device: Device, typed: str) -> None:
    assert device.has_label(typed)


@pytest.mark.parametrize("typed", ["K7QM-2X9E", "", "K7QM", "K7QM2X9DD", "ключ"])
def test_another_label_code_is_not_the_devices(device: Device, typed: str) -> None:
    assert not device.has_label(typed)


def test_a_proof_is_for_one_device_and_one_certificate(device: Device) -> None:
    assert device.proves(proof(), CERTIFICATE_ID)
    assert not device.proves(proof(), "d" * 64)
    assert not device.proves(proof("SHS-000002"), CERTIFICATE_ID)
    assert not device.proves("", CERTIFICATE_ID)
    assert not device.proves("é", CERTIFICATE_ID)


def test_secrets_are_not_printed(device: Device) -> None:
    assert SECRET_KEY not in repr(device)
    assert "K7QM2X9D" not in repr(device)


def test_a_registered_device_is_told_its_credit() -> None:
    assert registered().credit == credit(0)
    assert registered(credit_until=credit(2).credit_until, credit_version=2).credit == credit(2)


def test_a_things_name_ends_in_the_serial_number() -> None:
    assert thing_name("paygo-test", "SHS-000001") == claim().thing_name
    assert serial_number_of("paygo-test-SHS-000001", "paygo-test") == "SHS-000001"


def test_a_label_code_is_kept_in_capitals_without_separators() -> None:
    assert normalised_label("k7qm-2x9d ") == "K7QM2X9D"
