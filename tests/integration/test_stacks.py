"""Two branches' stacks side by side, on the embedded cloud, with deploys and destroys that are killed on the way."""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.interrupted import Moment, Run, spread
from deploy.stack import stack_name
from tests.conftest import REPOSITORY, Cloud

LONG = "feature/Ünïcode and a very long name that fits no resource's name"
FIRST, SECOND = f"{LONG}, first", f"{LONG}, second"
HOME = Path(os.environ.get("PAYGO_HOME") or REPOSITORY / ".paygo")

pytestmark = pytest.mark.xdist_group("stacks")


def access(branch: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HOME / "stacks" / f"{stack_name(branch)}.json").read_text())
    return found


def opens_a_session(branch: str) -> bool:
    answer = requests.post(f"{access(branch)['api_url']}/v1/sessions", timeout=60)
    return answer.status_code == 201


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("PAYGO_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"moments of the kills: PAYGO_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def moments(chance: random.Random) -> list[Moment]:
    """Moments at which a branch's deploys are killed one after the other; PAYGO_TEST_KILLS says how many."""
    return spread(chance, int(os.environ.get("PAYGO_TEST_KILLS", "3")))


def test_two_branches_that_shorten_alike_live_side_by_side_whatever_is_killed(
    cloud: Cloud, chance: random.Random, moments: list[Moment]
) -> None:
    assert stack_name(FIRST) != stack_name(SECOND)
    assert stack_name(FIRST)[:15] == stack_name(SECOND)[:15]

    first = Run(FIRST, "up")
    for moment in moments:
        print(moment)
        Run(SECOND, "up").is_ended(moment)
    second = Run(SECOND, "up")
    first.succeeds()
    second.succeeds()
    assert opens_a_session(FIRST)
    assert opens_a_session(SECOND)

    assert "0 changes" in Run(FIRST, "up").succeeds()

    destroyed = Run(FIRST, "destroy")
    time.sleep(chance.uniform(1, 12))
    destroyed.is_killed(with_terraform=chance.random() < 0.5)
    gone = Run(FIRST, "destroy").succeeds()
    assert f"Nothing of {stack_name(FIRST)} is left" in gone
    assert opens_a_session(SECOND)

    assert f"Nothing of {stack_name(SECOND)} is left" in Run(SECOND, "destroy").succeeds()
