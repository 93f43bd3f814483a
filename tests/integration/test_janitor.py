"""The janitor on the embedded cloud: one stack goes, killed on the way, and its neighbour does not notice."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.stack import stack_name
from janitor import look, storage
from janitor.clients import Clients, Here
from janitor.decisions import Wish
from janitor.locks import Locks
from janitor.run import plan
from tests.conftest import REGION, REPOSITORY, Cloud

DOOMED, BYSTANDER = "swept", os.environ.get("PAYGO_TEST_BRANCH") or "bystander"
KILLS = int(os.environ.get("PAYGO_TEST_KILLS") or 2)
REMOVAL = 1.5  # seconds that one hand removes, at least
ACCOUNT = "000000000000"

pytestmark = pytest.mark.xdist_group("stacks")


@pytest.fixture
def clients(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", cloud.credentials_file)
    monkeypatch.setenv("AWS_PROFILE", "deployer")
    return Clients(Here(REGION, ACCOUNT, cloud.endpoint_url))


def is_up(clients: Clients, branch: str) -> None:
    if the_state(clients, stack_name(branch)) is not None:
        return
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "up"],
        cwd=REPOSITORY,
        env=os.environ | {"BRANCH": branch, "DELAY_SCALE": "0.001"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def resources(clients: Clients, stack: str) -> Mapping[str, Counter[str]]:
    """What a stack has, by kind and identifier."""
    known = storage.stacks(clients) | {stack}
    tasks = look.sort_out(clients, look.held(clients), known).by_stack.get(stack, ())
    found: dict[str, Counter[str]] = {}
    for task in tasks:
        if not task.kind.by_devices:
            found.setdefault(task.kind.words, Counter())[task.found.id] += 1
    return found


def the_state(clients: Clients, stack: str) -> dict[str, Any] | None:
    return storage.read(clients, storage.state_key(stack))


def test_a_dry_run_removes_nothing_and_says_what_would_go(clients: Clients) -> None:
    is_up(clients, BYSTANDER)
    stack = stack_name(BYSTANDER)
    before = resources(clients, stack)

    said = subprocess.run(
        [sys.executable, "-m", "janitor"],
        cwd=REPOSITORY,
        env=os.environ | {"BRANCH": BYSTANDER, "APPLY": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert f"{stack}" in said
    assert "Nothing was removed: APPLY=yes does." in said
    assert resources(clients, stack) == before
    judged = {
        one.stack: one.verdict for one in plan(clients, Locks(clients, "a test"), Wish(), datetime.now(UTC)).judged
    }
    assert not judged[stack].goes
