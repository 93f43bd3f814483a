"""The cloud that a stack goes to: the embedded one, or an AWS account."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from janitor import clients

ROOT = Path(__file__).resolve().parent.parent
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
)


def home_folder() -> Path:
    """Give the working folder, `PAYGO_HOME` or `.paygo`."""
    return Path(os.environ.get("PAYGO_HOME") or ROOT / ".paygo").absolute()


@dataclass(frozen=True)
class Target:
    """Where a stack goes, and the environment in which AWS's tools find it."""

    region: str
    account: str
    profile: str
    endpoint_url: str | None = None
    mqtt: Mapping[str, Any] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        return self.endpoint_url is not None

    @property
    def words(self) -> str:
        return "the embedded cloud" if self.embedded else f"AWS account {self.account}, {self.region}"

    def clients(self) -> "Clients":
        return Clients(self)


@dataclass
class Clients(clients.Clients):
    """Clients of a target's account."""

    target: Target


def choose(profile: str | None, region: str | None, *, user: str = "deployer") -> Target:
    """Find the cloud to deploy to and set this process, and the tools it runs, up for it.

    Parameters
    ----------
    user
        Who one is on the embedded cloud; on AWS the profile says.
    """
    target = _account(profile, region) if profile else _embedded(user)
    _enter({**target.settings, "AWS_REGION": target.region, "AWS_PROFILE": target.profile})
    if profile:
        identity = target.clients()("sts").get_caller_identity()
        return Target(target.region, identity["Account"], profile, settings=target.settings)
    return target


def _embedded(user: str) -> Target:
    start_embedded_cloud()
    try:
        cloud = json.loads((home_folder() / "cloud" / "cloud.json").read_bytes())
        return Target(
            region=cloud["region"],
            account=cloud["account_id"],
            profile=user,
            endpoint_url=cloud["endpoint_url"],
            mqtt={"host": "localhost", "port": cloud["mqtt_port"], "ca_file": cloud["ca_file"]},
            settings={
                "AWS_ENDPOINT_URL": cloud["endpoint_url"],
                "AWS_SHARED_CREDENTIALS_FILE": cloud["credentials_file"],
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )
    except (OSError, ValueError, KeyError) as broken:
        msg = "The embedded cloud's description cannot be read: run `make stop` and try again."
        raise DeployError(msg) from broken


def embedded_cloud_runs() -> bool:
    """Tell whether this clone's embedded cloud runs."""
    return _paygo_cloud("status") == 0


def start_embedded_cloud() -> None:
    """Start the embedded cloud unless it runs."""
    if _paygo_cloud("start"):
        msg = "The embedded cloud did not start; what it said is above."
        raise DeployError(msg)


def _paygo_cloud(verb: str) -> int:
    interpreter = ROOT / "local" / ".venv" / "bin" / "python"
    try:
        return subprocess.run(  # noqa: S603
            [str(interpreter), "-m", "paygo_cloud", verb],
            cwd=ROOT / "local",
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PAYGO_HOME": str(home_folder())},
            check=False,
        ).returncode
    except FileNotFoundError:
        msg = "The embedded cloud is not installed: run ./setup.sh."
        raise DeployError(msg) from None


def _account(profile: str, region: str | None) -> Target:
    import botocore.session

    configured = botocore.session.Session(profile=profile).get_config_variable("region")
    chosen = region or configured or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not chosen:
        msg = f"The profile {profile} names no region: give it one, or say REGION=..."
        raise DeployError(msg)
    return Target(region=chosen, account="", profile=profile)


def stay_off_proxies() -> None:
    """Keep what goes to this machine off a proxy that the environment names."""
    # Some tools read one of the names, some the other, and where both are set one hides the other.
    names = ("NO_PROXY", "no_proxy")
    hosts = [host.strip() for name in names for host in os.environ.get(name, "").split(",") if host.strip()]
    os.environ.update(dict.fromkeys(names, ",".join(dict.fromkeys([*hosts, *_LOOPBACK]))))


def _enter(settings: Mapping[str, str]) -> None:
    """Make this process's environment the target's, with nothing of another cloud left in it."""
    for name in list(os.environ):
        if name in _CREDENTIALS or name.startswith("AWS_ENDPOINT_URL"):
            del os.environ[name]
    named = os.environ.get("TF_CLI_CONFIG_FILE")
    if named and not Path(named).exists():
        del os.environ["TF_CLI_CONFIG_FILE"]
    stay_off_proxies()
    os.environ.update(settings)
