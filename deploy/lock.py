"""One deploy or destroy of a stack at a time, and a way past one that died.

Terraform's own lock covers its own run; leftovers are removed outside it, so a run takes a lock of ours around
everything. Ours says which process of which machine holds it, so that the next run can tell whether it lives.
"""

import contextlib
import fcntl
import getpass
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from deploy import process, storage
from deploy.errors import DeployError, TerraformKilled
from deploy.stack import timestamp
from janitor.clients import Clients
from janitor.locks import lease_is_over
from janitor.storage import ACCOUNT, comparison_key, folder_key, lock_key, state_key

__all__ = [
    "ACCOUNT",
    "Holder",
    "InUseError",
    "Verdict",
    "age",
    "end_terraform",
    "folder_key",
    "forget_terraform",
    "held",
    "judge",
    "lock_key",
    "note_terraform",
    "state_key",
    "unlock",
    "working_folder",
]


@dataclass(frozen=True)
class Holder:
    """Who holds a stack's lock; a removal by the janitor says until when, and why it removes."""

    host: str
    pid: int
    began: str
    who: str
    doing: str
    since: str
    folder: str
    until: str = ""
    why: str = ""

    @classmethod
    def this_process(cls, doing: str, folder: Path) -> "Holder":
        return cls(
            host=platform.node(),
            pid=os.getpid(),
            began=process.started(os.getpid()) or "",
            who=_user(),
            doing=doing,
            since=timestamp(datetime.now(UTC)),
            folder=str(folder),
        )


class InUseError(DeployError):
    """Somebody alive works on the stack."""


class Verdict(Enum):
    """What a lock that somebody else took is worth."""

    HELD = "held"
    STALE = "stale"


def judge(holder: Holder, host: str, is_alive: Callable[[int, str], bool]) -> Verdict:
    """Call a lock stale when its time is over or its holder is known to be dead, which its machine alone can know."""
    if lease_is_over(asdict(holder), datetime.now(UTC)):
        return Verdict.STALE
    if holder.host == host and not is_alive(holder.pid, holder.began):
        return Verdict.STALE
    return Verdict.HELD


def age(since: str, now: datetime) -> str:
    """Say how long ago a moment was."""
    try:
        seconds = int((now - datetime.fromisoformat(since)).total_seconds())
    except ValueError:
        return "an unknown time"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{max(seconds, 0)} seconds"


def working_folder(home: Path, stack: str) -> Path:
    """Give the folder that holds what Terraform keeps about a stack on this machine."""
    return home / "terraform" / stack


@contextlib.contextmanager
def held(
    clients: Clients, stack: str, doing: str, home: Path, tell: Callable[[str], None], *, patience: float = 0
) -> Iterator[None]:
    """Hold a stack's lock, after breaking one whose holder died on this machine.

    A living holder is waited for as long as `patience` says, and then named in the error.
    """
    folder = working_folder(home, stack)
    folder.mkdir(parents=True, exist_ok=True)
    mine = Holder.this_process(doing, folder)
    deadline = time.monotonic() + patience
    waiting = False
    while True:
        try:
            _take(clients, stack, mine, tell)
            break
        except InUseError as in_use:
            if time.monotonic() > deadline:
                raise
            if not waiting:
                tell(f"Waiting: {in_use}")
                waiting = True
            time.sleep(0.5)
    try:
        yield
    except TerraformKilled:
        raise  # like our own death: the next run breaks this lock and Terraform's together
    except BaseException:
        storage.delete(clients, lock_key(stack))
        raise
    storage.delete(clients, lock_key(stack))


def _take(clients: Clients, stack: str, mine: Holder, tell: Callable[[str], None]) -> None:
    key = lock_key(stack)
    with _one_at_a_time_here(stack):
        if not storage.write(clients, key, asdict(mine), only_if_new=True):
            found, version = storage.read_version(clients, key)
            holder = _holder(found)
            if holder is None or judge(holder, mine.host, process.is_alive) is Verdict.HELD:
                raise InUseError(_in_use(stack, holder))
            ended = "has not ended" if holder.until else "was killed"
            tell(f"The {holder.doing} of {age(holder.since, datetime.now(UTC))} ago {ended}; recovering from it.")
            if holder.folder:
                end_terraform(Path(holder.folder), tell)
            if not storage.write(clients, key, asdict(mine), instead_of=version):
                msg = f"{stack} is in use: somebody was faster to take it over. Wait for them."
                raise InUseError(msg)
            # Terraform's own lock can only be the dead run's: every run of ours holds our lock around it.
            storage.delete(clients, f"{state_key(stack)}.tflock", comparison_key(stack))
    _refuse_foreign_terraform(clients, stack)


def _refuse_foreign_terraform(clients: Clients, stack: str) -> None:
    theirs = storage.read(clients, f"{state_key(stack)}.tflock")
    if theirs:
        storage.delete(clients, lock_key(stack))
        since = age(_rfc3339(str(theirs.get("Created", ""))), datetime.now(UTC))
        msg = (
            f"Terraform, run by {theirs.get('Who', 'somebody')} {since} ago, holds the state of {stack}: wait for it, "
            "or when it is known to be dead run `make unlock` for this branch."
        )
        raise DeployError(msg)


def _in_use(stack: str, holder: Holder | None) -> str:
    if holder is None:
        return (
            f"{stack} is locked by a run that did not say who it is: run `make unlock` for this branch if it is dead."
        )
    return (
        f"{stack} is in use: a {holder.doing} by {holder.who} on {holder.host} (process {holder.pid}) has been going "
        f"for {age(holder.since, datetime.now(UTC))}. Wait for it, or when it is known to be dead run `make unlock` "
        "for this branch."
    )


def unlock(clients: Clients, stack: str) -> bool:
    """Take every lock off a stack; True when there was one."""
    keys = (lock_key(stack), f"{state_key(stack)}.tflock")
    found = [key for key in keys if storage.read(clients, key) is not None]
    holder = _holder(storage.read(clients, lock_key(stack)))
    if holder and holder.host == platform.node() and process.is_alive(holder.pid, holder.began):
        raise InUseError(_in_use(stack, holder))
    if found:
        storage.delete(clients, *found, comparison_key(stack))
    return bool(found)


def note_terraform(folder: Path, pid: int) -> None:
    """Write down which Terraform works in a folder, for the run after one that is killed."""
    (folder / "running.json").write_text(json.dumps({"pid": pid, "began": process.started(pid)}))


def forget_terraform(folder: Path) -> None:
    (folder / "running.json").unlink(missing_ok=True)


def end_terraform(folder: Path, tell: Callable[[str], None]) -> None:
    """Stop the Terraform that a killed run left working: gracefully, so that it writes down what it made."""
    try:
        noted = json.loads((folder / "running.json").read_bytes())
        pid, began = int(noted["pid"]), str(noted["began"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if process.is_alive(pid, began):
        tell("Its Terraform still runs; asking it to stop.")
    process.end_group(pid, began, patience=90)
    forget_terraform(folder)


@contextlib.contextmanager
def _one_at_a_time_here(stack: str) -> Iterator[None]:
    """Let one process of this machine at a time judge and break a stack's lock."""
    with Path(tempfile.gettempdir(), f"{stack}-{os.getuid()}.lock").open("w") as file:
        deadline = time.monotonic() + 120
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    msg = f"Another run on this machine is taking {stack} over; try again in a minute."
                    raise DeployError(msg) from None
                time.sleep(0.1)
        yield


def _holder(found: dict[str, Any] | None) -> Holder | None:
    try:
        return Holder(**found) if found else None
    except TypeError:
        return None


def _rfc3339(text: str) -> str:
    """Cut the nanoseconds that Terraform writes down to what Python reads."""
    whole, dot, rest = text.partition(".")
    return f"{whole}+00:00" if dot and rest.endswith("Z") else text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"
