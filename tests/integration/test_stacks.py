"""Two branches' stacks side by side, on the embedded cloud, with deploys and destroys that are killed on the way."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.stack import stack_name
from tests.conftest import REPOSITORY, Cloud

LONG = "feature/Ünïcode and a very long name that fits no resource's name"
FIRST, SECOND = f"{LONG}, first", f"{LONG}, second"
HOME = Path(os.environ.get("PAYGO_HOME") or REPOSITORY / ".paygo")

pytestmark = pytest.mark.xdist_group("stacks")


@dataclass
class Run:
    """One run of the deploy tool, in a session of its own as a terminal gives it."""

    branch: str
    verb: str

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy", self.verb],
            cwd=REPOSITORY,
            env=os.environ | {"BRANCH": self.branch},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def succeeds(self) -> str:
        said, _ = self.process.communicate(timeout=600)
        assert self.process.returncode == 0, f"{self.verb} of {self.branch} failed:\n{said}"
        return said

    def is_killed(self, after: float, *, with_terraform: bool) -> None:
        """Kill the tool, with what it started or alone, unless it ends before."""
        time.sleep(after)
        for pid in [*(_terraforms(self.branch) if with_terraform else []), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.communicate(timeout=60)


def _terraforms(branch: str) -> list[int]:
    """The Terraform processes that work in the stack's folder, and their providers."""
    folder = str(HOME / "terraform" / stack_name(branch))
    found = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in found.splitlines()]
    own = {row[0] for row in rows if len(row) == 3 and folder in row[2]}
    return [int(row[0]) for row in rows if row[0] in own or row[1] in own]


def access(branch: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HOME / "stacks" / f"{stack_name(branch)}.json").read_text())
    return found


def opens_a_session(branch: str) -> bool:
    answer = requests.post(f"{access(branch)['api_url']}/v1/sessions", timeout=60)
    return answer.status_code == 201


@pytest.fixture
def moments() -> random.Random:
    seed = int(os.environ.get("PAYGO_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"moments of the kills: PAYGO_TEST_SEED={seed}")
    return random.Random(seed)


def test_two_branches_that_shorten_alike_live_side_by_side_whatever_is_killed(
    cloud: Cloud, moments: random.Random
) -> None:
    assert stack_name(FIRST) != stack_name(SECOND)
    assert stack_name(FIRST)[:15] == stack_name(SECOND)[:15]

    first = Run(FIRST, "up")
    killed = Run(SECOND, "up")
    killed.is_killed(after=moments.uniform(2, 45), with_terraform=moments.random() < 0.5)
    second = Run(SECOND, "up")
    first.succeeds()
    second.succeeds()
    assert opens_a_session(FIRST)
    assert opens_a_session(SECOND)

    assert "0 changes" in Run(FIRST, "up").succeeds()

    Run(FIRST, "destroy").is_killed(after=moments.uniform(1, 12), with_terraform=moments.random() < 0.5)
    gone = Run(FIRST, "destroy").succeeds()
    assert f"Nothing of {stack_name(FIRST)} is left" in gone
    assert opens_a_session(SECOND)

    assert f"Nothing of {stack_name(SECOND)} is left" in Run(SECOND, "destroy").succeeds()
