"""A service on the embedded cloud is changed, rolled back and rolled forward, for whoever calls its functions."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.stage import Stage, read_access
from deploy.target import stay_off_proxies
from mocks import PartnerMocks
from paygo.events import DeviceActivated
from tests.conftest import REPOSITORY, Clients
from tests.integration.test_events import STACK, Household, eventually

BRANCH = os.environ.get("PAYGO_TEST_BRANCH") or "test"
HOME = Path(os.environ.get("PAYGO_HOME") or REPOSITORY / ".paygo").absolute()
MOCK, FEED = f"{STACK}-partners-mock", f"{STACK}-partners-feed-crm"
CHANGES = {
    "lambdas/partners/handlers/mock.py": ('not_found("route")', 'not_found("changed route")'),
    "lambdas/partners/handlers/feed_crm.py": (
        "CRM.tell_activation(event.id, event.data)",
        'CRM.tell_activation(event.id, event.data.model_copy(update={"model": "changed"}))',
    ),
}
"""What the changed service does otherwise: one function that the API calls and one that a queue does."""

# The commit stays: a new one is a new tag of every resource, and takes a minute to write.
DEPLOY = "import sys; from deploy import run; run._commit = lambda: sys.argv[2]; run.up(run.Wish(sys.argv[1]))"
KILLED = """
import os, sys
from deploy import rollout, run
move = rollout._move
def move_one(clients, moves):
    move(clients, {sys.argv[2]: moves[sys.argv[2]]})
    os.kill(os.getpid(), 9)
rollout._move = move_one
run.roll_back(run.Wish(sys.argv[1]), "partners", None)
"""


type Done = subprocess.CompletedProcess[str]


def python(folder: Path, *arguments: str, **settings: str) -> Done:
    environment = os.environ | {"PAYGO_HOME": str(HOME), "BRANCH": BRANCH} | settings
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def try_to_roll_back(**settings: str) -> Done:
    return python(REPOSITORY, "-m", "deploy", "rollback", **settings)


def roll_back(**settings: str) -> str:
    done = try_to_roll_back(**settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def commit(deployer: Clients) -> str:
    return str(deployer("lambda").get_function(FunctionName=MOCK)["Tags"]["Commit"])


def deploy(folder: Path, commit: str) -> str:
    done = python(folder, "-c", DEPLOY, BRANCH, commit)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Changed:
    """A changed copy of the sources that was deployed, and what that said."""

    folder: Path
    said: str


@pytest.fixture(scope="module")
def changed(commit: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changed]:
    """Deploy a changed copy of the sources, and in the end the sources themselves again."""
    copy = tmp_path_factory.mktemp("changed") / "paygo"
    unwanted = shutil.ignore_patterns(".git", ".venv", ".paygo", ".*_cache", "__pycache__", ".hypothesis")
    shutil.copytree(REPOSITORY, copy, ignore=unwanted)
    (copy / "local" / ".venv").symlink_to(REPOSITORY / "local" / ".venv")
    for name, (before, after) in CHANGES.items():
        source = copy / name
        assert before in source.read_text()
        source.write_text(source.read_text().replace(before, after))
    yield Changed(copy, deploy(copy, commit))
    deploy(REPOSITORY, commit)


@pytest.fixture(scope="module")
def stage() -> Stage:
    stay_off_proxies()
    return Stage(read_access(STACK), os.environ.get("PROFILE") or None)


def said_by_the_api(stage: Stage) -> str:
    answer = requests.get(f"{stage.access.api_url}/mocks/nobody/here", timeout=60)
    return str(answer.json()["title"])


def told_to_the_crm(stage: Stage, deployer: Clients) -> str:
    """What the CRM is told of a new activation, which comes to its function by topic and queue."""
    home = Household(deployer)
    activated = DeviceActivated(
        device_id=home.device_id,
        serial_number=f"RELEASE-{home.device_id[:8].upper()}",
        model="solar-home-50",
        household_id=home.household_id,
        activated_at=datetime.now(UTC),
    )
    with PartnerMocks.of(stage) as mocks:
        home.publish("devices", home.about("devices", activated))
        told: list[str] = []

        def is_told() -> bool:
            requested = [request.body for request in mocks.requests("crm", route="/activations")]
            told.extend(str(body["model"]) for body in requested if body["device_id"] == home.device_id)
            return bool(told)

        assert eventually(is_told), "the CRM was not told"
    return told[0]


def live(deployer: Clients, function: str) -> str:
    alias: dict[str, Any] = deployer("lambda").get_alias(FunctionName=function, Name="live")
    return str(alias["FunctionVersion"])


def releases(deployer: Clients) -> list[dict[str, Any]]:
    body = deployer("s3").get_object(Bucket="paygo-state-000000000000-us-east-1", Key=f"stacks/{STACK}/releases.json")[
        "Body"
    ]
    content: dict[str, list[dict[str, Any]]] = json.loads(body.read())
    return content["releases"]


def test_a_changed_service_is_rolled_back_and_forward_for_whoever_calls_it(
    changed: Changed, stage: Stage, deployer: Clients
) -> None:
    number = releases(deployer)[-1]["number"]
    assert f"release {number} is live: partners" in changed.said
    assert (said_by_the_api(stage), told_to_the_crm(stage, deployer)) == ("There is no such changed route", "changed")

    back = roll_back(SERVICE="partners")

    assert f"from release {number} to release {number - 1}" in back
    assert (said_by_the_api(stage), told_to_the_crm(stage, deployer)) == ("There is no such route", "solar-home-50")

    roll_back()

    assert (said_by_the_api(stage), told_to_the_crm(stage, deployer)) == ("There is no such changed route", "changed")

    roll_back(TO=str(number - 1))

    assert said_by_the_api(stage) == "There is no such route"
    assert "Nothing to do" in roll_back(TO=str(number - 1))
    assert [(release["kind"], release["target"], release["is_done"]) for release in releases(deployer)[-4:]] == [
        ("deploy", None, True),
        ("rollback", number - 1, True),
        ("rollback", number, True),
        ("rollback", number - 1, True),
    ]


def test_a_deploy_with_nothing_changed_takes_a_rollback_back_and_a_rollback_the_deploy(
    changed: Changed, commit: str, stage: Stage
) -> None:
    assert said_by_the_api(stage) == "There is no such route"

    said = deploy(changed.folder, commit)

    assert "plan: nothing to change" in said
    assert "; it takes back the rollback to release" in said
    assert said_by_the_api(stage) == "There is no such changed route"
    roll_back()
    assert said_by_the_api(stage) == "There is no such route"


def test_every_function_of_the_stack_is_in_its_releases(deployer: Clients) -> None:
    pages = deployer("lambda").get_paginator("list_functions").paginate()
    there = {function["FunctionName"] for page in pages for function in page["Functions"]}

    released = {name for functions in releases(deployer)[-1]["services"].values() for name in functions}

    assert released == {name for name in there if name.startswith(f"{STACK}-")}


def test_a_rollback_that_is_killed_half_way_is_finished_by_the_next(changed: Changed, deployer: Clients) -> None:
    before = live(deployer, MOCK), live(deployer, FEED)

    killed = python(REPOSITORY, "-c", KILLED, BRANCH, MOCK)

    assert killed.returncode == -9, killed.stdout + killed.stderr
    moved = live(deployer, MOCK)
    assert (moved == before[0], live(deployer, FEED)) == (False, before[1])
    assert "was killed; recovering" in roll_back(SERVICE="partners")
    assert live(deployer, MOCK) == moved
    assert live(deployer, FEED) != before[1]


def test_a_version_that_was_removed_is_told_before_anything_is_moved(changed: Changed, deployer: Clients) -> None:
    before = live(deployer, MOCK), live(deployer, FEED)
    goal = releases(deployer)[-2]
    version = goal["services"]["partners"][FEED]["after"]
    deployer("lambda").delete_function(FunctionName=FEED, Qualifier=version)

    refused = try_to_roll_back(SERVICE="partners")

    assert refused.returncode == 1
    assert f"version {version} of {FEED} has been removed since" in refused.stderr
    assert (live(deployer, MOCK), live(deployer, FEED)) == before


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"SERVICE": "paiments"}, "has no service 'paiments': SERVICE is one of devices, identity, ledger"),
        ({"TO": "100000"}, "has no release 100000: TO is one of"),
        ({"TO": "last"}, "TO is the number of a release"),
        ({"BRANCH": "nowhere"}, "paygo-nowhere has no release yet"),
    ],
)
def test_what_cannot_be_rolled_back_is_told_in_a_line(stage: Stage, settings: dict[str, str], told: str) -> None:
    refused = try_to_roll_back(**settings)

    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert told in refused.stderr
