"""A function's worker is forked from a process that has imported the libraries of its layers already.

No gap of MiniStack's but a matter of size: each worker would spend a second of a processor on importing boto3, pydantic
and powertools, and this machine has few. All that is ours, a function's code and the layer's `paygo`, is imported by
each worker itself, after the fork and with its own environment; what a cold start costs is measured without a cloud.
A worker is a process of its own as before, and dies as one. Functions without layers are started as before.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

LAYERS = "_LAMBDA_LAYERS_DIRS"
"""Where MiniStack's worker finds its layers."""
KEPT = 2
"""Parents that are kept, the latest of those asked for: a deploy with another layer replaces one."""


def install() -> None:
    """Start MiniStack's Python workers by a fork."""
    if lambda_runtime.subprocess is not subprocess or LAYERS not in lambda_runtime._PYTHON_WORKER_SCRIPT:
        raise RuntimeError("MiniStack starts its workers elsewhere now: mend forks.")
    parents = _Parents()

    def start(command: Sequence[str], **options: Any) -> Any:
        environment = options.get("env") or {}
        if command[0] != sys.executable or LAYERS not in environment:
            return subprocess.Popen(command, **options)  # noqa: S603 (as MiniStack does)
        return parents.fork(command[1], options["cwd"], environment)

    lambda_runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": start})


class Forked:
    """A worker's process, as far as MiniStack uses `subprocess.Popen`.

    Parameters
    ----------
    line
        On it the parent says the process's id, and at its end how it ended.
    """

    def __init__(self, line: socket.socket, stdin: int, stdout: int, stderr: int) -> None:
        self._lock = threading.Lock()
        self._line = line.makefile("r")
        self._socket = line
        self.stdin = open(stdin, "w", buffering=1)  # noqa: SIM115 (closed with the worker)
        self.stdout = open(stdout)  # noqa: SIM115
        self.stderr = open(stderr)  # noqa: SIM115
        self.returncode: int | None = None
        said = self._line.readline()
        if not said:
            raise BrokenPipeError("The process that workers are forked from has ended.")
        self.pid = int(said)

    def poll(self) -> int | None:
        """Return how the process ended, None while it lives."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process has ended."""
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(f"worker {self.pid}", timeout or 0)
        return status

    def terminate(self) -> None:
        """Ask the process to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End the process."""
        self._send(signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and self._has_said_more(seconds):
                # A parent that was killed takes with it what it knew.
                self.returncode = int(self._line.readline() or -signal.SIGKILL)
                self._line.close()
                self._socket.close()
            return self.returncode

    def _has_said_more(self, seconds: float | None) -> bool:
        # Unlike `select`, it takes any number of descriptors.
        said = select.poll()
        said.register(self._socket, select.POLLIN)
        return bool(said.poll(None if seconds is None else seconds * 1000))

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class _Parents:
    """The processes that workers are forked from, one for each set of layers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._controls: dict[tuple[str, ...], socket.socket] = {}

    def fork(self, script: str, folder: str, environment: Mapping[str, str]) -> Forked:
        layers = tuple(os.path.realpath(layer) for layer in environment[LAYERS].split(os.pathsep))
        start = {"script": script, "folder": folder, "environment": dict(environment)}
        try:
            return _forked(self._of(layers), start)
        except OSError:  # it has ended, or was given up for another
            with self._lock:
                self._controls.pop(layers, None)
            return _forked(self._of(layers), start)

    def _of(self, layers: tuple[str, ...]) -> socket.socket:
        with self._lock:
            control = self._controls.pop(layers, None) or _parent(layers)
            self._controls[layers] = control
            while len(self._controls) > KEPT:
                # It ends with the last of its workers.
                self._controls.pop(next(iter(self._controls))).close()
            return control


def _parent(layers: Sequence[str]) -> socket.socket:
    control, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen(  # noqa: S603 (this very Python)
            [sys.executable, "-m", "paygo_cloud.forks_parent", str(theirs.fileno()), *layers],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    return control


def _forked(control: socket.socket, start: Mapping[str, Any]) -> Forked:
    line, theirs = socket.socketpair()
    (their_stdin, stdin), (stdout, their_stdout), (stderr, their_stderr) = os.pipe(), os.pipe(), os.pipe()
    handed = [theirs.fileno(), their_stdin, their_stdout, their_stderr]
    try:
        # One byte is read with its descriptors and nothing else, so that many threads can ask.
        socket.send_fds(control, [b"."], handed)
    finally:
        theirs.close()
        for each in handed[1:]:
            os.close(each)
    line.sendall(json.dumps(start).encode() + b"\n")
    return Forked(line, stdin, stdout, stderr)
