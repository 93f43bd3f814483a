"""Run Terraform: set a working folder up once, apply or destroy, follow it, and let it stop well."""

import hashlib
import json
import os
import platform
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from deploy import lock, process, storage
from deploy.errors import AlreadyThereError, DeployError, Interrupted, TerraformKilled
from deploy.progress import Progress, in_one_line
from deploy.target import ROOT, Target

PARALLELISM = 40
_DIFFERENT = 2  # what `plan -detailed-exitcode` ends with when there is something to do
_PROVIDER = re.compile(r'source\s*=\s*"hashicorp/aws"\s*\n\s*version\s*=\s*"[^0-9"]*([0-9.]+)"')
_ALREADY_THERE = re.compile(r"already ?exists|ResourceConflict|ResourceInUse", re.IGNORECASE)
_NEEDS_INIT = re.compile(r'^\s*(?:module\s+"|source\s*=|version\s*=|backend\s)[^\n]*', re.MULTILINE)
_UNSEEN = ("TF_VAR_", "TF_CLI_ARGS")
"""What Terraform would take from the shell of whoever deploys, and nobody would see: all it is told is in a file."""
_MIRRORS = (
    "$PAYGO_PROVIDER_MIRROR",
    "/opt/*",
    "/usr/share/*",
    "/usr/share/terraform/*",
    "/usr/local/share/*",
    "/usr/local/share/terraform/*",
    "~/.terraform.d/*",
    "~/.local/share/terraform/*",
    "~/Library/Application Support/io.terraform/*",
)


@dataclass(frozen=True)
class _Outcome:
    status: int
    errors: list[str]
    log: Path


@dataclass(frozen=True)
class Folder:
    """One Terraform configuration and where this machine keeps what belongs to one use of it."""

    source: Path
    work: Path
    home: Path
    backend: Mapping[str, str] | None

    def init(self) -> None:
        """Set the working folder up, unless it is for this very configuration."""
        wanted = self._wanted()
        stamp = self.work / "initialised"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self.work.mkdir(parents=True, exist_ok=True)
        mirror = provider_mirror(self.source)
        arguments = [f"-backend-config={name}={value}" for name, value in (self.backend or {}).items()]
        if self.backend is None:
            arguments.append("-backend=false")
        if mirror:
            arguments.append(f"-plugin-dir={mirror}")
        done = self.run("init", "-input=false", "-no-color", "-reconfigure", *arguments)
        if done.returncode:
            raise DeployError(_init_failure(done.stdout + done.stderr, self.work / "init.log"))
        stamp.write_text(wanted)

    def create(self, variables: Mapping[str, Any], progress: Progress) -> None:
        """Apply the configuration where nothing of it is there yet."""
        values = self._values(variables)
        self._finish(self._followed("apply", progress, "-auto-approve", f"-var-file={values}"))

    def update(self, variables: Mapping[str, Any], progress: Progress, replace: str | None = None) -> None:
        """Compare with what is there, and apply what differs: to know that nothing does takes half of an apply."""
        values, plan = self._values(variables), self.work / "changes.tfplan"
        arguments = ["-detailed-exitcode", f"-out={plan}", f"-var-file={values}"]
        if replace:
            arguments.append(f"-replace={replace}")
        try:
            differs = self._followed("plan", progress, *arguments)
            if differs.status == _DIFFERENT:
                self._finish(self._followed("apply", progress, str(plan)))
            else:
                self._finish(differs)
        finally:
            plan.unlink(missing_ok=True)

    def destroy(self, variables: Mapping[str, Any], progress: Progress) -> None:
        """Take all that the state knows away, without looking at it first."""
        values = self._values(variables)
        arguments = ("-destroy", "-refresh=false", "-auto-approve", f"-var-file={values}")
        self._finish(self._followed("apply", progress, *arguments))

    def _followed(self, verb: str, progress: Progress, *arguments: str) -> "_Outcome":
        """Run a command that takes its time and show how it gets on."""
        options = ("-input=false", "-json", "-compact-warnings", f"-parallelism={PARALLELISM}")
        command = [_binary(self.home), f"-chdir={self.source}", verb, *options, *arguments]
        log = self.work / f"{verb}.log"
        errors: list[str] = []
        # Its words go into a file: were they sent to us, our death would kill it in the middle of a resource.
        with log.open("wb") as sink:
            running = subprocess.Popen(  # noqa: S603
                command,
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal reaches us alone; we pass it on once
            )
        lock.note_terraform(self.work, running.pid)
        with _passing_signals_on(running, progress) as interrupted:
            for message in _follow(log, running):
                error = progress.take(message)
                if error:
                    errors.append(error)
        lock.forget_terraform(self.work)
        if running.returncode < 0 or interrupted() > 1:
            msg = "Terraform was ended at once. The next deploy or destroy of this branch recovers from it."
            raise TerraformKilled(msg)
        if interrupted():
            raise Interrupted
        return _Outcome(running.returncode, errors, log)

    @staticmethod
    def _finish(outcome: "_Outcome") -> None:
        if outcome.status:
            said = "\n".join(dict.fromkeys(outcome.errors)) or f"Terraform failed; {outcome.log} says how."
            msg = f"{said}\nThe same command again goes on from here. The whole log: {outcome.log}"
            raise AlreadyThereError(msg) if _ALREADY_THERE.search(said) else DeployError(msg)

    def adopt(self, address: str, identifier: str, variables: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
        """Put a resource that is there already into the state."""
        values = self._values(variables)
        return self.run("import", "-input=false", "-no-color", f"-var-file={values}", address, identifier)

    def _values(self, variables: Mapping[str, Any]) -> Path:
        path = self.work / "values.tfvars.json"
        path.write_text(json.dumps(variables, indent=2))
        return path

    def _wanted(self) -> str:
        digest = hashlib.sha256(json.dumps([self.backend, str(provider_mirror(self.source))]).encode())
        for path in sorted(self.source.rglob("*.tf")):
            if "account" in path.relative_to(self.source).parts:
                continue
            digest.update("\n".join(_NEEDS_INIT.findall(path.read_text())).encode())
        return digest.hexdigest()

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [_binary(self.home), f"-chdir={self.source}", *arguments]
        done = subprocess.run(  # noqa: S603
            command, cwd=ROOT, env=self._environment(), capture_output=True, text=True, check=False
        )
        (self.work / f"{arguments[0]}.log").write_text(done.stdout + done.stderr)
        return done

    def _environment(self) -> dict[str, str]:
        cache = self.home / "providers"
        cache.mkdir(parents=True, exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_UNSEEN)},
            "TF_DATA_DIR": str(self.work / "data"),
            "TF_IN_AUTOMATION": "1",
            "TF_PLUGIN_CACHE_DIR": str(cache),
            "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
            "CHECKPOINT_DISABLE": "1",
            # Terraform and the provider read 14 MB of schemas at every start: less collecting saves a quarter of it.
            "GOGC": os.environ.get("GOGC", "400"),
        }
        overrides = self._installed_provider()
        if overrides:
            environment["TF_CLI_CONFIG_FILE"] = str(overrides)
        return environment

    def _installed_provider(self) -> Path | None:
        """Point Terraform at the provider that `init` checked and installed.

        Before every command Terraform otherwise hashes the provider again, all 675 MB of it: two and a half seconds.
        """
        installed = list((self.work / "data" / "providers").glob(f"*/hashicorp/aws/*/{platform_name()}"))
        if len(installed) != 1 or not (self.work / "initialised").exists():
            return None
        path = self.work / "terraform.rc"
        path.write_text(
            "provider_installation {\n"
            f'  dev_overrides {{ "hashicorp/aws" = {json.dumps(str(installed[0].resolve()))} }}\n'
            "  direct {}\n"
            "}\n"
        )
        return path


def backend(target: Target, state_key: str) -> dict[str, str]:
    """Say where a state is kept: in the state bucket, with S3's own lock file."""
    settings = {
        "bucket": storage.state_bucket(target),
        "key": state_key,
        "region": target.region,
        "use_lockfile": "true",
        "encrypt": "true",
    }
    if target.embedded:
        skipped = ("credentials_validation", "requesting_account_id", "region_validation", "metadata_api_check")
        settings |= {f"skip_{name}": "true" for name in skipped} | {"use_path_style": "true"}
    return settings


def validate(source: Path, home: Path) -> list[str]:
    """Check a configuration without a cloud; return what is wrong with it."""
    folder = Folder(source, home / "terraform" / f"validate-{source.name}", home, backend=None)
    folder.init()
    done = folder.run("validate", "-json")
    return [
        in_one_line(diagnostic)
        for diagnostic in json.loads(done.stdout).get("diagnostics", [])
        if diagnostic["severity"] == "error"
    ]


def _binary(home: Path) -> str:
    found = home / "bin" / "terraform"
    if not found.exists():
        msg = "Terraform is missing: ./setup.sh says how to get it."
        raise DeployError(msg)
    return str(found)


def platform_name() -> str:
    """Name this machine as Terraform's packages are named."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}_{machine}"


def provider_version(source: Path) -> str:
    """Read which AWS provider a configuration asks for."""
    for path in sorted(source.glob("*.tf")):
        match = _PROVIDER.search(path.read_text())
        if match:
            return match[1]
    msg = f"{source} does not say which version of the AWS provider it needs."
    raise DeployError(msg)


def provider_mirror(source: Path) -> Path | None:
    """Find a folder in which somebody has put the provider, for machines without a way to Terraform's registry."""
    version = provider_version(source)
    for place in _MIRRORS:
        expanded = Path(os.path.expandvars(place)).expanduser()
        if not expanded.is_absolute() or "$" in str(expanded):
            continue
        pattern = f"{str(expanded).lstrip('/')}/*/hashicorp/aws/{version}/{platform_name()}"
        for found in sorted(Path("/").glob(pattern)):
            return found.parents[4]
    return None


def _follow(log: Path, running: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    """Give Terraform's messages as they come, until it ends."""
    with log.open("rb") as source:
        rest = b""
        while True:
            ended = running.poll() is not None
            *lines, rest = (rest + source.read()).split(b"\n")
            for line in lines:
                try:
                    message = json.loads(line)
                except ValueError:
                    continue
                if isinstance(message, dict):
                    yield message
            if ended:
                return
            yield {"type": "tick"}
            time.sleep(0.05)


@contextmanager
def _passing_signals_on(running: "subprocess.Popen[bytes]", progress: Progress) -> Iterator[Callable[[], int]]:
    """Turn the first Ctrl-C into a request to finish what is under way and to stop, the second into an end."""
    asked = 0

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            progress.say("Stopping when what is under way is done and written down; Ctrl-C again to end at once.")
            running.send_signal(signal.SIGINT)
        else:
            process.end_group(running.pid, process.started(running.pid) or "", patience=0)

    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, stop) for name in names}
    try:
        yield lambda: asked
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _init_failure(said: str, log: Path) -> str:
    if re.search(r"no such host|could not connect to|registry\.|dial tcp|TLS handshake", said):
        return (
            "Terraform could not download the AWS provider: check the network, or put an unpacked provider mirror in "
            f"/opt or in PAYGO_PROVIDER_MIRROR. ({log})"
        )
    first = next((line.strip(" │╷╵") for line in said.splitlines() if "Error" in line), "it did not say why")
    return f"Terraform could not be set up: {first} ({log})"
