import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy import lock, process, storage
from deploy.errors import DeployError, TerraformKilled
from deploy.lock import Holder, InUseError, Verdict, age, judge
from deploy.target import Clients
from janitor.storage import comparison_key

STACK = "paygo-locked"
OTHER = Holder("there", 4711, "boot:1", "ada", "deploy", "2026-11-21T10:00:00Z", "/folder")


@pytest.fixture
def told() -> list[str]:
    return []


def dead(_pid: int, _began: str) -> bool:
    return False


def alive(_pid: int, _began: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("host", "is_alive", "verdict"),
    [
        ("there", dead, Verdict.STALE),
        ("there", alive, Verdict.HELD),
        ("elsewhere", dead, Verdict.HELD),
        ("elsewhere", alive, Verdict.HELD),
    ],
)
def test_only_the_machine_of_a_dead_holder_may_break_its_lock(
    host: str, is_alive: Callable[[int, str], bool], verdict: Verdict
) -> None:
    assert judge(OTHER, host, is_alive) is verdict


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("2026-11-21T11:59:30Z", "30 seconds"),
        ("2026-11-21T11:59:00Z", "1 minute"),
        ("2026-11-21T10:00:00Z", "2 hours"),
        ("2026-11-18T10:00:00Z", "3 days"),
        ("yesterday", "an unknown time"),
    ],
)
def test_a_locks_age_is_told_in_words(since: str, words: str) -> None:
    assert age(since, datetime(2026, 11, 21, 12, tzinfo=UTC)) == words


def test_a_lock_is_gone_after_its_run(clients: Clients, tmp_path: Path, told: list[str]) -> None:
    with lock.held(clients, STACK, "deploy", tmp_path, told.append):
        assert storage.read(clients, lock.lock_key(STACK)) is not None

    assert storage.read(clients, lock.lock_key(STACK)) is None


def test_a_second_run_is_told_who_is_at_work(clients: Clients, tmp_path: Path, told: list[str]) -> None:
    storage.write(clients, lock.lock_key(STACK), asdict(OTHER))

    with (
        pytest.raises(InUseError, match="a deploy by ada on there"),
        lock.held(clients, STACK, "deploy", tmp_path, told.append),
    ):
        pass

    assert storage.read(clients, lock.lock_key(STACK)) == asdict(OTHER)


def test_a_patient_run_says_whom_it_waits_for_and_goes_on_when_they_are_done(
    clients: Clients, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write(clients, lock.lock_key(STACK), asdict(OTHER))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            storage.delete(clients, lock.lock_key(STACK))

    monkeypatch.setattr("deploy.lock.time.sleep", wait)

    with lock.held(clients, STACK, "deploy", tmp_path, told.append, patience=3600):
        pass

    assert len(waits) == 3
    assert [sentence.split(":")[0] for sentence in told] == ["Waiting"]
    assert "a deploy by ada on there" in told[0]


def test_a_killed_runs_locks_are_broken(clients: Clients, tmp_path: Path, told: list[str]) -> None:
    killed = replace(Holder.this_process("deploy", tmp_path), pid=2**22 + 1)
    storage.write(clients, lock.lock_key(STACK), asdict(killed))
    storage.write(clients, f"{lock.state_key(STACK)}.tflock", {"ID": "1"})
    storage.write(clients, comparison_key(STACK), {"inputs": "of before it was killed"})

    with lock.held(clients, STACK, "destroy", tmp_path, told.append):
        assert storage.read(clients, comparison_key(STACK)) is None
        assert storage.read(clients, f"{lock.state_key(STACK)}.tflock") is None

    assert "was killed; recovering" in told[0]


def test_of_two_machines_that_find_a_lock_stale_one_gets_it(
    clients: Clients, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write(clients, lock.lock_key(STACK), asdict(replace(OTHER, until="2026-11-21T11:00:00Z")))
    faster = replace(OTHER, who="bob")

    def overtaken(*_: object) -> None:
        storage.write(clients, lock.lock_key(STACK), asdict(faster))

    monkeypatch.setattr(lock, "end_terraform", overtaken)

    with (
        pytest.raises(InUseError, match="somebody was faster"),
        lock.held(clients, STACK, "deploy", tmp_path, told.append),
    ):
        pass

    assert storage.read(clients, lock.lock_key(STACK)) == asdict(faster)


def test_a_terraform_that_outlived_its_run_is_ended_before_its_lock_is_broken(
    clients: Clients, tmp_path: Path, told: list[str]
) -> None:
    folder = tmp_path / "terraform" / STACK
    folder.mkdir(parents=True)
    killed = replace(Holder.this_process("deploy", folder), pid=2**22 + 1)
    storage.write(clients, lock.lock_key(STACK), asdict(killed))
    # As Terraform does, it listens to interrupts even where a shell started these tests without, in the background.
    sleeps = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
print("ready", flush=True)
time.sleep(60)
"""
    sleeping = [sys.executable, "-c", sleeps]
    outlived = subprocess.Popen(sleeping, start_new_session=True, stdout=subprocess.PIPE)
    assert outlived.stdout is not None
    assert outlived.stdout.readline() == b"ready\n"
    lock.note_terraform(folder, outlived.pid)

    with lock.held(clients, STACK, "deploy", tmp_path, told.append):
        assert outlived.wait(5) != 0


def test_somebodys_own_terraform_is_never_interrupted(clients: Clients, tmp_path: Path, told: list[str]) -> None:
    theirs = {"ID": "1", "Who": "ada@there", "Created": "2026-11-21T10:00:00.123456789Z"}
    storage.write(clients, f"{lock.state_key(STACK)}.tflock", theirs)

    with (
        pytest.raises(DeployError, match="run by ada@there"),
        lock.held(clients, STACK, "deploy", tmp_path, told.append),
    ):
        pass

    assert storage.read(clients, lock.lock_key(STACK)) is None


def test_unlocking_frees_a_stack_but_not_from_a_living_run_of_this_machine(clients: Clients, tmp_path: Path) -> None:
    storage.write(clients, lock.lock_key(STACK), asdict(OTHER))
    storage.write(clients, comparison_key(STACK), {"inputs": "of before it was locked"})
    assert lock.unlock(clients, STACK)
    assert storage.read(clients, comparison_key(STACK)) is None
    assert not lock.unlock(clients, STACK)

    storage.write(clients, lock.lock_key(STACK), asdict(Holder.this_process("deploy", tmp_path)))
    with pytest.raises(InUseError):
        lock.unlock(clients, STACK)


def test_a_reused_process_number_is_not_taken_for_the_process() -> None:
    assert process.is_alive(os.getpid(), process.started(os.getpid()) or "")
    assert not process.is_alive(os.getpid(), "another time")


def test_a_process_that_does_not_stop_is_killed() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", deaf]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert running.stdout is not None
    with running.stdout as ready:
        ready.readline()
    before = time.monotonic()

    process.end_group(running.pid, process.started(running.pid) or "", patience=0.3)

    assert running.wait(5) == -signal.SIGKILL
    assert time.monotonic() - before < 5


def test_a_broken_note_about_terraform_is_no_obstacle(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "running.json").write_text(json.dumps({"pid": None}))

    lock.end_terraform(tmp_path, told.append)

    assert told == []


def test_the_locks_of_a_terraform_that_was_killed_stay_for_the_next_run_to_break(
    clients: Clients, tmp_path: Path, told: list[str]
) -> None:
    with pytest.raises(TerraformKilled), lock.held(clients, STACK, "deploy", tmp_path, told.append):
        raise TerraformKilled

    assert storage.read(clients, lock.lock_key(STACK)) is not None
