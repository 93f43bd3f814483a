"""A removal holds a stack's lock like a deploy, and lets go of it by itself."""

import os
import platform
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy import lock, process
from janitor import storage
from janitor.clients import Clients
from janitor.locks import Locks, lease_is_over

STACK = "paygo-demo"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEPLOY = {
    "host": "elsewhere",
    "pid": 7,
    "began": "then",
    "who": "ada",
    "doing": "deploy",
    "since": "2026-11-30T11:00:00Z",
    "folder": "/nowhere",
}


@pytest.fixture
def locks(clients: Clients) -> Locks:
    return Locks(clients, "the janitor")


def deployed(clients: Clients, **other: object) -> None:
    storage.write(clients, storage.lock_key(STACK), DEPLOY | other)


def test_a_free_stack_is_taken_and_says_why_until_it_is_released(clients: Clients, locks: Locks) -> None:
    assert locks.take(STACK, "expired", NOW, HOUR) == ""

    assert locks.begun(STACK) == "expired"
    assert "removal by the janitor" in locks.holder(STACK, NOW)
    locks.release(STACK)
    assert (locks.begun(STACK), locks.holder(STACK, NOW)) == ("", "")


def test_a_deploy_of_another_machine_may_live_and_is_left_alone(clients: Clients, locks: Locks) -> None:
    deployed(clients)

    held = locks.take(STACK, "named", NOW + 100 * HOUR, HOUR)

    assert held == "a deploy by ada on elsewhere since 2026-11-30T11:00:00Z"
    assert storage.read(clients, storage.lock_key(STACK)) == DEPLOY


def test_a_lock_that_says_nothing_is_left_alone(clients: Clients, locks: Locks) -> None:
    storage.write(clients, storage.lock_key(STACK), {})

    assert locks.take(STACK, "named", NOW, HOUR) == "a run that did not say who it is"


def test_what_a_dead_deploy_of_this_machine_left_is_buried_first(clients: Clients) -> None:
    buried: list[object] = []
    deployed(clients)
    storage.write(clients, f"{storage.state_key(STACK)}.tflock", {"Who": "the dead"})
    locks = Locks(clients, "the janitor", is_dead=lambda found: found["pid"] == 7, bury=buried.append)

    assert locks.holder(STACK, NOW) == ""
    assert buried == []
    assert locks.take(STACK, "named", NOW, HOUR) == ""
    assert buried == [DEPLOY]
    assert storage.read(clients, f"{storage.state_key(STACK)}.tflock") is None


def test_somebodys_own_terraform_is_left_alone(clients: Clients, locks: Locks) -> None:
    storage.write(clients, f"{storage.state_key(STACK)}.tflock", {"Who": "ada"})

    assert locks.holder(STACK, NOW) == "somebody's Terraform"
    assert locks.take(STACK, "named", NOW, HOUR) == "somebody's Terraform"
    assert storage.read(clients, storage.lock_key(STACK)) is None


def test_a_dead_functions_removal_is_taken_over_when_its_time_is_over(clients: Clients, locks: Locks) -> None:
    locks.take(STACK, "expired", NOW, HOUR)
    next_one = Locks(clients, "the next")

    assert "removal" in next_one.take(STACK, "expired", NOW + HOUR / 2, HOUR)
    assert next_one.begun(STACK) == "expired"
    assert next_one.take(STACK, "expired", NOW + HOUR, HOUR) == ""


def test_a_removal_that_pauses_is_anybodys_and_says_why_it_was_begun(clients: Clients, locks: Locks) -> None:
    locks.take(STACK, "named", NOW, HOUR)

    locks.pause(STACK, NOW)

    assert (locks.holder(STACK, NOW), locks.begun(STACK)) == ("", "named")


def test_what_is_not_a_removals_is_not_paused(clients: Clients, locks: Locks) -> None:
    deployed(clients)

    locks.pause(STACK, NOW)

    assert storage.read(clients, storage.lock_key(STACK)) == DEPLOY
    assert locks.begun(STACK) == ""


def test_what_somebody_took_over_is_theirs_even_when_it_is_a_removal(clients: Clients, locks: Locks) -> None:
    locks.take(STACK, "expired", NOW, HOUR)
    assert locks.is_ours(STACK)
    assert locks.begin(STACK, "named")
    assert (locks.is_ours(STACK), locks.begun(STACK)) == (True, "named")

    Locks(clients, "the next").take(STACK, "expired", NOW + 2 * HOUR, HOUR)
    theirs = storage.read(clients, storage.lock_key(STACK))

    assert not locks.is_ours(STACK)
    assert not locks.begin(STACK, "named")
    assert not locks.pause(STACK, NOW)
    assert storage.read(clients, storage.lock_key(STACK)) == theirs


def test_a_stack_that_was_never_taken_is_not_ours(clients: Clients, locks: Locks) -> None:
    assert not locks.is_ours(STACK)
    assert not locks.pause(STACK, NOW)


def test_of_two_that_find_a_lock_stale_one_gets_it(
    clients: Clients, locks: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks.take(STACK, "named", NOW, HOUR)
    read = storage.read_version

    def overtaken(clients: Clients, key: str) -> object:
        found = read(clients, key)
        storage.write(clients, key, DEPLOY)
        return found

    monkeypatch.setattr(storage, "read_version", overtaken)

    assert locks.take(STACK, "named", NOW + 2 * HOUR, HOUR) == "somebody who was faster"
    assert storage.read(clients, storage.lock_key(STACK)) == DEPLOY


def test_a_deploy_takes_over_what_a_removal_left(clients: Clients, tmp_path: Path) -> None:
    locks = Locks(clients, "the janitor", os.getpid(), process.started(os.getpid()) or "")
    locks.take(STACK, "named", datetime.now(UTC), HOUR)
    told: list[str] = []
    with (
        pytest.raises(lock.InUseError, match="a removal by the janitor"),
        lock.held(
            clients,
            STACK,
            "deploy",
            tmp_path,
            told.append,
        ),
    ):
        pass

    locks.pause(STACK, datetime.now(UTC) - HOUR)

    with lock.held(clients, STACK, "deploy", tmp_path, told.append):
        holder = storage.read(clients, storage.lock_key(STACK)) or {}
        assert (holder["doing"], holder["host"]) == ("deploy", platform.node())
    assert "has not ended; recovering from it" in told[0]


def test_a_lease_that_says_no_time_is_never_over() -> None:
    assert not lease_is_over({}, NOW)
    assert not lease_is_over({"until": "tomorrow"}, NOW)
    assert lease_is_over({"until": "2026-11-30T12:00:00Z"}, NOW)
