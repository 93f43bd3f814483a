"""Tell whether a process that wrote its number down is still the one that has it, and end it."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path


def started(pid: int) -> str | None:
    """Tell when a living process began, in words that no other process of that number shares; None when it is gone."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    listed = subprocess.run(  # noqa: S603
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return listed.stdout.strip() or None


def is_alive(pid: int, began: str) -> bool:
    """Tell whether the process `pid` that began at `began` still runs."""
    return started(pid) == began


def end_group(pid: int, began: str, *, patience: float) -> None:
    """Ask a Terraform to stop, kill it when it does not within `patience` seconds, and its providers with it."""
    if is_alive(pid, began):
        _signal(pid, signal.SIGINT)
    deadline = time.monotonic() + patience
    while is_alive(pid, began):
        if time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.1)
    for provider in _terraforms_of_group(pid):
        _signal(provider, signal.SIGKILL)


def _terraforms_of_group(group: int) -> list[int]:
    """Find providers that outlived their Terraform; by name too, since the group's number may be another's by now."""
    found = []
    if Path("/proc/self/stat").exists():
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                number, _, rest = stat.read_text().partition(" (")
                name, _, fields = rest.rpartition(") ")
                if name.startswith("terraform") and fields.split()[2] == str(group):
                    found.append(int(number))
        return found
    listed = subprocess.run(["ps", "-axo", "pid=,pgid=,comm="], capture_output=True, text=True, check=False)  # noqa: S607
    for line in listed.stdout.splitlines():
        pid, pgid, command = line.split(None, 2)
        if pgid == str(group) and Path(command).name.startswith("terraform"):
            found.append(int(pid))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
