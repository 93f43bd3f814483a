import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from demo.journey import STEPS, Story, Told, begin, make_household, open_household, provision_kit
from demo.stage import Access, NoStack, Stage, point_aws_tools_at, read_access
from deploy.stack import stack_name
from deploy.target import stay_off_proxies
from operate.access import Access as OperatorAccess
from operate.access import find_stack
from paygo_client import Session
from tests.conftest import Cloud
from tests.e2e.calls import Company
from tests.e2e.cast import Cast
from tests.e2e.refusals import Neighbour, World
from tests.e2e.tables import Deployer

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Last what pays to the story's device in a hundred ways: the journey counts payments and mails.
    items.sort(key=lambda item: item.path.name == "test_contract_conformance.py")


@dataclass(frozen=True)
class Played:
    """The journey, and what each step told."""

    story: Story
    told: dict[int, list[Told]]


@pytest.fixture(scope="session")
def access() -> Access:
    """Return how the stack of the branch PAYGO_TEST_BRANCH is reached; deploy it when it is not there."""
    stay_off_proxies()
    branch = os.environ.get("PAYGO_TEST_BRANCH") or "test"
    try:
        found = read_access(stack_name(branch))
        answer = requests.get(f"{found.api_url}/v1/devices", timeout=10)
        if answer.headers.get("Content-Type") == "application/problem+json":
            return found
    except (NoStack, requests.RequestException):
        pass
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "up"],
        cwd=ROOT,
        env=os.environ | {"BRANCH": branch},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"The stack of {branch} could not be deployed.\n{done.stdout}{done.stderr}", pytrace=False)
    return read_access(stack_name(branch))


@pytest.fixture(scope="session")
def operator(access: Access) -> OperatorAccess:
    return find_stack(access.branch, None, None)


@pytest.fixture(scope="session")
def stage(access: Access, cloud: Cloud) -> Stage:
    # After `cloud`, which clears what the environment says of another one.
    point_aws_tools_at(access)
    return Stage(access, os.environ.get("PROFILE") or None)


@pytest.fixture(scope="session")
def played(stage: Stage) -> Iterator[Played]:
    """Play the whole journey once; every test looks at it or goes on from where it ended."""
    story = begin(stage)
    told = {}
    for step in STEPS:
        try:
            told[step.number] = list(step.play(story))
        except Exception as error:
            story.close()
            message = f"Step {step.number} of the journey ({step.title}) failed: {error}"
            raise AssertionError(message) from error
    yield Played(story, told)
    story.close()


@pytest.fixture(scope="session")
def story(played: Played) -> Story:
    return played.story


@pytest.fixture(scope="session")
def neighbour(story: Story) -> Iterator[Neighbour]:
    """Another household, with another kit of the same batch."""
    kit = story.manifest.good_kits[1]
    credentials = provision_kit(story.stage, kit)
    with open_household(story.stage, make_household(f"{story.run}n")) as app:
        yield Neighbour(app, kit, credentials, app.register_device(kit.serial_number, kit.label_code))


@pytest.fixture
def anonymous(stage: Stage) -> Iterator[Session]:
    """Give a session that has just been opened."""
    with Session.open(stage.access.api_url) as app:
        yield app


@pytest.fixture(scope="session")
def world(stage: Stage, story: Story, neighbour: Neighbour) -> World:
    with Session.open(stage.access.api_url) as app:
        return World(stage, story, neighbour, app.details)


@pytest.fixture(scope="session")
def company(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(Cast.gather(stage, Deployer(stage), tmp_path_factory.mktemp("device")))


@pytest.fixture
def stage_url(stage: Stage) -> str:
    return stage.access.api_url
