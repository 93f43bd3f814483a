"""The embedded cloud, as long as a part of the bench needs it."""

import configparser
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from bench.figures import NotMeasured
from bench.workshop import ROOT, RUNTIME, Workshop

type Clients = Callable[[str], Any]


@contextmanager
def embedded_cloud(workshop: Workshop) -> Iterator[None]:
    """Use the embedded cloud that runs, or start one and stop it afterwards.

    Whoever chooses a target meanwhile changes this process's environment, which is afterwards what it was before.
    """
    environment = dict(os.environ)

    def cloud(command: str) -> int:
        return subprocess.run(  # noqa: S603
            [RUNTIME, "-m", "paygo_cloud", command],
            cwd=ROOT / "local",
            env={**environment, "PAYGO_HOME": str(workshop.home)},
            stdout=subprocess.DEVNULL,
            check=False,
        ).returncode

    was_running = cloud("status") == 0
    if not was_running and cloud("start") != 0:
        message = "The embedded cloud did not start; what it said is above."
        raise NotMeasured(message)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        if not was_running:
            cloud("stop")


def deployer(workshop: Workshop) -> Clients:
    """Return what makes clients with the credentials that stacks are deployed with."""
    cloud = json.loads((workshop.home / "cloud" / "cloud.json").read_bytes())
    profiles = configparser.ConfigParser()
    profiles.read(cloud["credentials_file"])
    session: Any = boto3.Session(
        aws_access_key_id=profiles["deployer"]["aws_access_key_id"],
        aws_secret_access_key=profiles["deployer"]["aws_secret_access_key"],
        region_name=cloud["region"],
    )
    config = Config(retries={"total_max_attempts": 1}, proxies={}, max_pool_connections=20)
    return lambda service: session.client(service, endpoint_url=cloud["endpoint_url"], config=config)
