"""A function's runtime as far as timing needs it: layer and service unpacked, settings, interpreter."""

import os
import re
import subprocess
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.figures import NotMeasured
from bench.packages import built
from bench.workshop import RUNTIME, Workshop
from contracts.document import load, operations

_SETTING = re.compile(r"""setting\(\s*["']([A-Z_]+)["']""")


@dataclass(frozen=True)
class Function:
    """A function behind the API and the folders it is imported from."""

    service: str
    name: str
    layer: Path
    code: Path

    @property
    def module(self) -> str:
        return f"{self.service}.handlers.{self.name.replace('-', '_')}"

    @property
    def path(self) -> list[str]:
        """What the runtime puts in front of `sys.path`."""
        return [str(self.code), str(self.layer / "python")]

    def environment(self) -> dict[str, str]:
        """Return the settings that the service's code and the layer's ask for; none of their values is ever used."""
        asked = {*_settings(self.code), *_settings(self.layer / "python" / "paygo")}
        return {**AWS, **dict.fromkeys(asked, "bench"), **PARTNERS, "POWERTOOLS_SERVICE_NAME": self.service}


AWS: Mapping[str, str] = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_EC2_METADATA_DISABLED": "true",
    "LOG_LEVEL": "INFO",
}
"""What every process here is told: enough for boto3 to look for nothing elsewhere."""

PARTNERS: Mapping[str, str] = {"PARTNERS": '{"mobile-money": {"inbound_secret_arn": "bench"}}'}
"""The one setting that is read for more than its text."""


def unpack(workshop: Workshop, folder: Path) -> list[Function]:
    """Unpack the built zips into `folder` and return every function behind the API."""
    if not RUNTIME.exists():
        message = "The embedded cloud, whose interpreter functions run in, is not installed: run ./setup.sh."
        raise NotMeasured(message)
    for name, path in built(workshop).items():
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / name)
    answering = sorted({operation.spec["x-paygo-function"] for operation in operations(load())})
    return [
        Function(service, name, layer=folder / "layer", code=folder / service)
        for service, _, name in (function.partition("/") for function in answering)
    ]


def run(arguments: Iterable[str], environment: Mapping[str, str], what: str) -> str:
    """Run the functions' interpreter, apart from everything but `environment`, and return what it printed."""
    done = subprocess.run(  # noqa: S603
        [str(RUNTIME), "-I", *arguments], env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        ending = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        message = f"{what} does not start: {ending}"
        raise NotMeasured(message)
    return done.stdout


def _settings(folder: Path) -> Iterable[str]:
    for path in folder.rglob("*.py"):
        yield from _SETTING.findall(path.read_text(encoding="utf-8"))
