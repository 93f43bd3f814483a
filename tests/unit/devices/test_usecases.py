from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.messages import Credit, Shadow
from devices.model import (
    CreditRefused,
    DeviceNotKnown,
    DeviceNotProvisioned,
    ProvisioningRefused,
    RegisteredDevice,
    ShadowChanged,
    State,
    UnknownDevice,
)
from devices.usecases import (
    answer_credit,
    apply_credit,
    claim_device,
    import_manifest,
    read_device,
    register_device,
    tell_credit,
)
from paygo.problems import Problem
from tests.unit.callers import household
from tests.unit.devices.fakes import FakeCertificates, FakeDevices, FakeThings
from tests.unit.devices.makers import CERTIFICATE_ID, NOW, SECRET_KEY, claim, credit, proof, registered, row

THING = "paygo-test-SHS-000001"


class Crash(Exception):
    pass


class World:
    """The devices of a stack with one provisioned device."""

    def __init__(self) -> None:
        self.devices = FakeDevices()
        self.certificates = FakeCertificates()
        self.things = FakeThings()
        self.devices.add([row(), row("SHS-000002")])
        claim_device("SHS-000001", proof(), claim(), self.devices)

    def register(self, household_id: str = "household-1", **changes: str) -> RegisteredDevice:
        sent = {"serial_number": "SHS-000001", "label_code": "K7QM-2X9D"} | changes
        return register_device(
            **sent,
            household=household(household_id),
            devices=self.devices,
            certificates=self.certificates,
            things=self.things,
            source="/paygo-test/devices",
            correlation_id="request-1",
            now=NOW,
        )

    def apply(self, version: int, device: RegisteredDevice) -> None:
        apply_credit(credit(version, device.device_id), self.devices, self.things)

    def crash_next_telling(self) -> None:
        def crash() -> None:
            self.things.before_telling = lambda: None
            raise Crash

        self.things.before_telling = crash

    def told(self) -> Credit | None:
        shadow = self.things.shadow(THING)
        return shadow.state.desired if shadow else None


@pytest.fixture
def world() -> World:
    return World()


def test_a_manifest_is_imported_and_reported() -> None:
    devices = FakeDevices()
    devices.add([row("SHS-000002")])
    header = "serial_number,model,label_code,starting_code,secret_key"
    rest = f"solar-home-50,K7QM-2X9D,012345678,{SECRET_KEY}"
    body = f"{header}\nSHS-000001,{rest}\nSHS-000002,{rest}\nSHS-000003\n".encode()

    report = import_manifest(body, devices)

    assert (report.imported, report.known) == (1, 1)
    assert [rejection.line for rejection in report.rejected] == [4]
    assert devices.find("SHS-000001")


@pytest.mark.parametrize(
    ("serial_number", "sent", "reason"),
    [
        ("SHS-000009", proof("SHS-000009"), "in no manifest"),
        ("SHS-000002", proof("SHS-000001"), "not made with the device's secret"),
        ("SHS-000002", "", "not made with the device's secret"),
    ],
)
def test_a_device_that_does_not_prove_itself_gets_no_certificate(
    world: World, serial_number: str, sent: str, reason: str
) -> None:
    with pytest.raises(ProvisioningRefused, match=reason):
        claim_device(serial_number, sent, claim(serial_number), world.devices)

    device = world.devices.find("SHS-000002")
    assert device
    assert device.state is State.MANUFACTURED


def test_a_device_whose_answer_was_lost_may_claim_again(world: World) -> None:
    claim_device("SHS-000001", proof(), claim(), world.devices)

    device = world.devices.find("SHS-000001")
    assert device
    assert (device.state, device.claim) == (State.PROVISIONED, claim())


def test_a_second_certificate_is_refused_though_the_proof_is_good(world: World) -> None:
    other = "d" * 64

    with pytest.raises(ProvisioningRefused, match="claimed already"):
        claim_device("SHS-000001", proof(certificate_id=other), claim(certificate_id=other), world.devices)


def test_an_active_certificate_is_not_claimed_again(world: World) -> None:
    world.register()

    with pytest.raises(ProvisioningRefused, match="claimed already"):
        claim_device("SHS-000001", proof(), claim(), world.devices)


def test_a_registered_device_may_connect_and_knows_its_id(world: World) -> None:
    device = world.register()

    assert (device.state, device.household_id, device.registered_at) == (State.ACTIVE, "household-1", NOW)
    assert world.devices.read(device.device_id) == device
    assert world.certificates.active == {CERTIFICATE_ID}
    assert world.told() == credit(0, device.device_id)


def test_a_registration_is_told_to_other_services(world: World) -> None:
    device = world.register()

    (event,) = world.devices.events
    assert (event.type, event.subject) == ("devices.device-activated.v1", device.device_id)
    assert (event.source, event.correlationid, event.time) == ("/paygo-test/devices", "request-1", NOW)
    assert event.data.model_dump() == {
        "device_id": device.device_id,
        "serial_number": "SHS-000001",
        "model": "solar-home-50",
        "household_id": "household-1",
        "activated_at": NOW,
    }


def test_the_same_household_is_answered_alike_again(world: World) -> None:
    assert world.register() == world.register(label_code="k7qm2x9d")
    assert len(world.devices.events) == 1


@pytest.mark.parametrize(
    ("household_id", "sent"),
    [
        ("household-1", {"label_code": "K7QM-2X9E"}),
        ("household-1", {"serial_number": "SHS-000009"}),
        ("household-1", {"serial_number": "SHS-000002", "label_code": "K7QM-2X9E"}),
    ],
)
def test_a_stranger_does_not_learn_what_was_wrong(world: World, household_id: str, sent: dict[str, str]) -> None:
    world.register()

    with pytest.raises(UnknownDevice):
        world.register(household_id, **sent)


def test_a_device_of_another_household_is_told_of_as_of_none(world: World) -> None:
    world.register()

    with pytest.raises(Problem, match="not-found"):
        world.register("household-2")


def test_a_device_that_never_connected_is_not_registered(world: World) -> None:
    with pytest.raises(DeviceNotProvisioned):
        world.register(serial_number="SHS-000002")


def test_whoever_registers_second_at_the_same_moment_is_a_stranger(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = world.devices.find("SHS-000001")
    assert seen
    world.register()
    monkeypatch.setattr(world.devices, "find", lambda _: seen)

    with pytest.raises(Problem, match="not-found"):
        world.register("household-2")

    assert len(world.devices.events) == 1


def test_a_household_that_registers_twice_at_the_same_moment_has_one_device(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = world.devices.find("SHS-000001")
    first = world.register()
    monkeypatch.setattr(world.devices, "find", lambda _: seen)

    assert world.register() == first


def test_what_a_crash_left_undone_is_done_by_the_next_try(world: World) -> None:
    world.crash_next_telling()
    with pytest.raises(Crash):
        world.register()
    world.certificates.active.clear()

    device = world.register()

    assert world.certificates.active == {CERTIFICATE_ID}
    assert world.told() == credit(0, device.device_id)
    assert len(world.devices.events) == 1


def test_a_late_try_leaves_a_later_credit_alone(world: World) -> None:
    device = world.register()
    world.apply(1, device)

    world.register()

    assert world.told() == credit(1, device.device_id)


@pytest.mark.parametrize("state", [State.SUSPENDED, State.RETIRED])
def test_registering_again_does_not_bring_a_device_back(world: World, state: State) -> None:
    device = world.register()
    world.devices._change("SHS-000001", registered=device.model_copy(update={"state": state}))
    world.certificates.active.clear()

    assert world.register().state is state
    assert world.certificates.active == set()


def test_a_credit_is_kept_and_told(world: World) -> None:
    device = world.register()

    world.apply(1, device)

    assert world.devices.credit(device) == world.told() == credit(1, device.device_id)


def test_a_credit_for_an_unknown_device_is_not_ready(world: World) -> None:
    with pytest.raises(DeviceNotKnown, match="no-such-device"):
        apply_credit(credit(1, "no-such-device"), world.devices, world.things)


def test_a_crash_between_keeping_and_telling_is_made_good_by_the_next_delivery(world: World) -> None:
    device = world.register()
    world.crash_next_telling()
    with pytest.raises(Crash):
        world.apply(1, device)

    world.apply(1, device)

    assert world.told() == credit(1, device.device_id)


def test_an_old_event_makes_good_what_a_newer_one_left_undone(world: World) -> None:
    device = world.register()
    world.crash_next_telling()
    with pytest.raises(Crash):
        world.apply(2, device)

    world.apply(1, device)

    assert world.told() == credit(2, device.device_id)


def test_a_newer_credit_that_comes_between_reading_and_telling_stays(world: World) -> None:
    device = world.register()

    def come_between() -> None:
        world.things.before_telling = lambda: None
        world.apply(2, device)

    world.things.before_telling = come_between
    world.apply(1, device)

    assert world.devices.credit(device) == world.told() == credit(2, device.device_id)


def test_a_device_is_not_told_an_older_credit_in_between(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    device = world.register()

    def shadow_after_a_newer_credit(thing_name: str) -> Shadow | None:
        monkeypatch.undo()
        world.apply(2, device)
        return world.things.shadow(thing_name)

    monkeypatch.setattr(world.things, "shadow", shadow_after_a_newer_credit)
    world.apply(1, device)

    assert [told.credit_version for told in world.things.told] == [0, 2]


def test_a_credit_that_comes_while_the_first_shadow_is_written_stays(world: World) -> None:
    def come_between() -> None:
        world.things.before_telling = lambda: None
        world.apply(1, world.devices._registered()[0])

    world.things.before_telling = come_between
    device = world.register()

    assert world.told() == credit(1, device.device_id)


def test_a_device_cannot_give_itself_credit_for_longer_than_until_it_is_told_again(world: World) -> None:
    device = world.register()
    world.things.write(THING, desired=credit(9, device.device_id))

    world.apply(1, device)

    assert world.told() == credit(1, device.device_id)


def test_nothing_is_told_twice(world: World) -> None:
    device = world.register()
    before = world.things.shadow(THING)

    tell_credit(device, world.devices, world.things)

    assert world.things.shadow(THING) == before


def test_a_shadow_that_keeps_changing_is_tried_again_later(world: World) -> None:
    device = world.register()
    world.things.before_telling = lambda: world.things.write(THING, reported=credit(0, device.device_id))

    with pytest.raises(ShadowChanged):
        world.apply(1, device)


steps = st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["done", "crash before telling", "device reports"])))


@given(st.permutations(range(1, 7)), steps)
def test_events_in_any_order_and_number_with_crashes_end_in_the_highest_version(
    order: list[int], extra: list[tuple[int, str]]
) -> None:
    world = World()
    device = world.register()
    for version, fate in extra:
        if fate == "crash before telling":
            world.crash_next_telling()
        if fate == "device reports":
            world.things.write(THING, reported=credit(version, device.device_id))
        try:
            world.apply(version, device)
        except Crash:
            # A queue delivers it again; here that is left to the deliveries below.
            continue
        finally:
            world.things.before_telling = lambda: None

    for version in order:
        world.apply(version, device)
        kept = world.devices.credit(device)
        assert kept.credit_version >= version
        assert world.told() == kept

    assert world.told() == credit(6, device.device_id)


def test_a_household_reads_what_its_device_was_told_and_acknowledged(world: World) -> None:
    device = world.register()
    world.apply(1, device)
    world.things.write(THING, reported=credit(0, device.device_id))

    status = read_device(device.device_id, household(), world.devices, world.things)

    assert status.device.device_id == device.device_id
    assert status.desired == credit(1, device.device_id)
    assert status.reported == credit(0, device.device_id)


def test_a_device_that_never_connected_has_acknowledged_nothing(world: World) -> None:
    device = world.register()

    status = read_device(device.device_id, household(), world.devices, world.things)

    assert status.reported is None


def test_a_device_without_a_shadow_was_told_nothing(world: World) -> None:
    device = world.register()
    world.things.shadows.clear()

    status = read_device(device.device_id, household(), world.devices, world.things)

    assert (status.desired, status.reported) == (credit(0, device.device_id), None)


def test_a_device_that_broke_its_own_shadow_was_told_nothing(world: World) -> None:
    device = world.register()
    world.things.shadows.clear()
    world.things.write(THING, reported=credit(1, device.device_id))

    status = read_device(device.device_id, household(), world.devices, world.things)

    assert (status.desired, status.reported) == (credit(0, device.device_id), credit(1, device.device_id))


def test_a_household_reads_no_others_device(world: World) -> None:
    device = world.register()

    for device_id, household_id in ((device.device_id, "household-2"), ("no-such-device", "household-1")):
        with pytest.raises(Problem, match="not-found"):
            read_device(device_id, household(household_id), world.devices, world.things)


def test_a_device_is_answered_its_credit(world: World) -> None:
    device = world.register()
    world.apply(2, device)

    answer = answer_credit(THING, THING, device.device_id, world.devices, stack="paygo-test")

    assert answer == credit(2, device.device_id)


@pytest.mark.parametrize("client_id", ["paygo-test-SHS-000002", "n/a", "", None])
def test_a_question_in_another_things_name_is_rejected(world: World, client_id: str | None) -> None:
    device = world.register()

    with pytest.raises(CreditRefused) as refused:
        answer_credit(THING, client_id, device.device_id, world.devices, stack="paygo-test")

    assert refused.value.code == "not-yours"


@pytest.mark.parametrize(
    ("thing", "device_id"),
    [
        (THING, registered().device_id),
        (THING, None),
        (THING, 5),
        (THING, {"device_id": 1}),
        ("paygo-test-SHS-000002", None),
        ("paygo-test-SHS-000009", None),
        ("SHS-000003", None),
    ],
)
def test_a_question_about_another_device_is_rejected(world: World, thing: str, device_id: Any) -> None:
    world.register()

    with pytest.raises(CreditRefused) as refused:
        answer_credit(thing, thing, device_id, world.devices, stack="paygo-test")

    assert refused.value.code == "unknown-device"
    assert "device_id" in refused.value.message
