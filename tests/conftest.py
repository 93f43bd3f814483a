"""What every test that needs a cloud shares: the endpoint, and clients with a named caller's credentials.

The clients are ``localstack-client``'s, so the suite can be pointed at any compatible endpoint:
``PAYGO_ENDPOINT_URL`` names it and ``AWS_SHARED_CREDENTIALS_FILE`` its profiles ``deployer`` and ``operator``.
"""

import configparser
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from localstack_client.session import Session  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

REPOSITORY = Path(__file__).resolve().parents[1]
REGION = "us-east-1"
# Retries hide what a test looks for, buckets have no host names of their own here, and no proxy leads to this machine.
CLIENT = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={}, read_timeout=30)

type Clients = Callable[..., Any]

# What shares something runs in one worker, in order: the journey is played once, and nobody else calls the stack while
# a role is opened on purpose. pytest-xdist's own groups do nothing with pytest 9.2, which no longer lets a plugin write
# a group into a test's id.
GROUPS = {
    "tests/e2e/": "stack",
    "tests/faults/": "stack",
    "tests/integration/": "stack",
    "tests/policy/": "policy",
    "tests/local/test_kill_points.py": "kill-points",
    "tests/local/test_throttle.py": "throttle",
}


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives the tests of a group to one worker, and any other test to the next that is free."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group for start, group in GROUPS.items() if nodeid.startswith(start)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Group the tests where groups are asked for."""
    return GroupScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@dataclass(frozen=True)
class Cloud:
    """The cloud under test."""

    endpoint_url: str
    mqtt_host: str
    mqtt_port: int
    ca_file: str
    credentials_file: str

    def session(self, key: str, secret: str, token: str | None = None) -> Clients:
        """Make clients for one caller: ``session(...)("iot")``."""
        session = Session(key, secret, token, REGION, localstack_host=urlsplit(self.endpoint_url).netloc)
        # It does not know this service, and knows no other way to be told.
        session._service_endpoint_mapping.setdefault("service-quotas", self.endpoint_url)

        def client(service: str, **config: Any) -> Any:
            return session.client(service, aws_session_token=token, config=CLIENT.merge(Config(**config)))

        return client

    def profile(self, name: str) -> Clients:
        """Make clients for a user that the cloud was started with."""
        profiles = configparser.ConfigParser()
        profiles.read(self.credentials_file)
        return self.session(profiles[name]["aws_access_key_id"], profiles[name]["aws_secret_access_key"])


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Use the cloud that runs; where none does, start the embedded one and say so."""
    # Botocore would read these before anything that localstack-client was told.
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        environment.delenv("AWS_PROFILE", raising=False)
        home = Path(os.environ.get("PAYGO_HOME") or REPOSITORY / ".paygo") / "cloud"
        given = os.environ.get("PAYGO_ENDPOINT_URL")
        if given is None:
            _paygo_cloud(request, "start")
        described = json.loads((home / "cloud.json").read_text()) if (home / "cloud.json").exists() else {}
        url = given or described["endpoint_url"]
        yield Cloud(
            endpoint_url=url,
            mqtt_host=os.environ.get("PAYGO_MQTT_HOST", "localhost"),
            mqtt_port=int(os.environ.get("PAYGO_MQTT_PORT") or described.get("mqtt_port", 8883)),
            ca_file=os.environ.get("PAYGO_CA_FILE") or described.get("ca_file", ""),
            credentials_file=os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
            or described.get("credentials_file", str(Path("~/.aws/credentials").expanduser())),
        )


@pytest.fixture(scope="session")
def deployer(cloud: Cloud) -> Clients:
    return cloud.profile("deployer")


@pytest.fixture(scope="session")
def operator(cloud: Cloud) -> Clients:
    return cloud.profile("operator")


def _paygo_cloud(request: pytest.FixtureRequest, command: str) -> None:
    python = REPOSITORY / "local" / ".venv" / "bin" / "python"
    if not python.exists():
        pytest.fail("The embedded cloud is not set up: run `make setup`, or set PAYGO_ENDPOINT_URL.")
    done = subprocess.run([python, "-m", "paygo_cloud", command], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"The embedded cloud could not be started.\n{done.stdout}{done.stderr}")
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(done.stdout.strip().splitlines()[-1])
