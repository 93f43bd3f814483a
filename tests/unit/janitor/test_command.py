"""What `make janitor` understands, prints and ends with."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.target import Target
from janitor import __main__ as command
from janitor import kills, run, storage
from janitor.clients import Clients
from janitor.errors import JanitorError
from tests.unit.janitor.conftest import HERE, Account


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "choose", lambda *_: Target(HERE.region, HERE.account, "nobody"))
    for name in ("BRANCH", "BRANCHES", "APPLY", "PROFILE", "REGION"):
        monkeypatch.delenv(name, raising=False)


def ran(*arguments: str, **environment: str) -> tuple[int, str]:
    done = CliRunner().invoke(command.app, arguments, env=environment)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_without_apply_nothing_is_removed(clients: Clients, account: Account) -> None:
    account.stack("paygo-old", ExpiresAt="2020-01-01T00:00:00Z")

    status, said = ran()

    assert status == 0
    assert "paygo-old  yes" in said
    assert said.endswith("Nothing was removed: APPLY=yes does.\n")
    assert storage.stacks(clients) == {"paygo-old"}


def test_with_apply_what_goes_is_removed(clients: Clients, account: Account) -> None:
    account.stack("paygo-old", ExpiresAt="2020-01-01T00:00:00Z")
    account.stack("paygo-new")

    status, said = ran(APPLY="yes")

    assert status == 0
    assert "paygo-old is gone: a fresh look finds nothing of it." in said
    assert storage.stacks(clients) == {"paygo-new"}


def test_litter_is_looked_for_after_the_removal(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = account.client("logs")
    for name in ("renewed", "gone"):
        logs.create_log_group(logGroupName=f"/aws/lambda/paygo-{name}-identity")

    def remove(*_: object, **__: object) -> run.Outcome:
        account.state("paygo-renewed", {"ExpiresAt": "never"})
        return run.Outcome([], [], 600.0, 0)

    monkeypatch.setattr(command, "remove", remove)

    assert "To be pruned: 2 orphaned log groups." in ran()[1]
    assert "Pruned: 1 orphaned log group." in ran(APPLY="yes")[1]
    assert [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]] == [
        "/aws/lambda/paygo-renewed-identity"
    ]


def test_it_fails_when_something_is_left(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.stack("paygo-old", ExpiresAt="2020-01-01T00:00:00Z")
    monkeypatch.setattr(command, "remove", lambda *_, **__: run.Outcome([], ["queue q: it is guarded"], 1.0, 0))

    status, said = ran(APPLY="yes")

    assert status == 1
    assert "queue q: it is guarded" in said


def test_a_branch_is_named_and_branches_are_listed(account: Account) -> None:
    account.stack("paygo-a")
    account.stack("paygo-b")

    assert "paygo-a  yes   named" in ran(BRANCH="a")[1]
    assert ran("--branch", "a", "--branch", "b")[1].count("yes   named") == 2
    assert "paygo-a  yes   branch paygo-a is gone" in ran(BRANCHES="b, c")[1]


def test_apply_is_yes_or_no() -> None:
    with pytest.raises(JanitorError, match="APPLY is yes or no, not 'true'"):
        ran(APPLY="true")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_remote_says_which_branches_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    for folder in (origin, clone):
        folder.mkdir()
        git(folder, "init", "-b", "main")
    git(clone, "remote", "add", "upstream", str(origin))
    monkeypatch.setattr(command, "ROOT", clone)

    with pytest.raises(JanitorError, match="upstream has no branches at all"):
        command._branches("upstream")
    git(origin, "commit", "--allow-empty", "-m", "first")
    git(origin, "branch", "feature/a")

    assert sorted(command._branches("upstream")) == ["feature/a", "main"]
    assert command._branches("a,b") == ["a", "b"]
    assert command._branches("main,") == ["main"]
    with pytest.raises(JanitorError, match="'orgin' is no remote of this clone"):
        command._branches("orgin")


def test_a_remote_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init")
    git(tmp_path, "remote", "add", "upstream", str(tmp_path / "nowhere"))
    monkeypatch.setattr(command, "ROOT", tmp_path)

    with pytest.raises(JanitorError, match="nobody knows which branches there are"):
        command._branches("upstream")


def test_an_inventory_is_recorded_without_the_stacks_name_and_its_devices(account: Account, tmp_path: Path) -> None:
    account.stack("paygo-demo")

    status, said = ran("inventory", "demo", "--into", str(tmp_path / "inventory.json"))

    assert status == 0, said
    written = json.loads((tmp_path / "inventory.json").read_text())["resources"]
    assert written == {
        "bucket": [f"{{stack}}-payloads-{HERE.account}-{HERE.region}"],
        "queue": ["{stack}-identity"],
        "role": ["{stack}-identity"],
        "table": ["{stack}-identity"],
    }
    with pytest.raises(JanitorError, match="There is no paygo-other"):
        ran("inventory", "other")


def test_what_goes_wrong_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def fails() -> None:
        raise JanitorError("It is raining.")

    monkeypatch.setattr(command, "app", fails)

    assert command.main() == 1
    assert capsys.readouterr().err == "paygo: It is raining.\n"


def test_a_dead_process_of_this_machine_is_known_to_be_dead(clients: Clients) -> None:
    locks = command._locks(clients)  # type: ignore[arg-type]
    import platform

    assert locks.is_dead({"host": platform.node(), "pid": locks.pid, "began": "another time"})
    assert not locks.is_dead({"host": platform.node(), "pid": locks.pid, "began": locks.began})
    assert not locks.is_dead({"host": "elsewhere", "pid": 1, "began": ""})
    locks.bury({"folder": ""})
    locks.bury({"folder": "/nowhere"})


def test_kills_hit_what_runs_and_the_last_run_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def start(branch: str, _more: object) -> subprocess.Popen[str]:
        started.append(branch)
        says, seconds = {1: ("Removing 9 resources of 1 stack.", 60), 2: ("nothing to do", 0)}.get(
            len(started), ("done", 0)
        )
        text = f"import time; print({says!r}, flush=True); time.sleep({seconds})"
        return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(kills, "_start", start)

    done = kills.killed("demo", 2, seed=7, seconds=0.2)

    assert len(started) == 3
    assert len(done.moments) == 1
    assert (done.said, done.status) == ("done\n", 0)
