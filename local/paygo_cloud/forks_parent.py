"""The process that a function's workers are forked from: `python -m paygo_cloud.forks_parent <descriptor> <layer>...`.

It imports libraries, not one line of ours, and then waits to be asked for workers; see `forks`. It has one thread only,
since a fork takes no other with it.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARIES = (
    "boto3.session",
    "botocore.handlers",
    "pydantic.deprecated.decorator",
    "requests",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parameters",
)

SERVICES = (
    "cognito-identity",
    "cognito-idp",
    "dynamodb",
    "iot-data",
    "kms",
    "s3",
    "secretsmanager",
    "sesv2",
    "sns",
    "sqs",
)
"""What functions call. Reading botocore's descriptions of them is most of what making their clients costs."""


def main() -> None:
    """Serve until nobody asks and no worker is left; in a worker, run its script instead."""
    control = socket.socket(fileno=int(sys.argv[1]))
    path, stdout = sys.path[:], sys.stdout
    # Where MiniStack's worker looks for libraries, and where it lets functions print.
    sys.path[:0] = [folder for layer in sys.argv[2:] for folder in (layer, str(Path(layer, "python")))]
    sys.stdout = sys.stderr
    for library in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(library)
    with suppress(ImportError):
        _read_descriptions()
    sys.path, sys.stdout = path, stdout
    gc.freeze()
    start = _serve(control)
    if start is not None:
        _run(start)


def _read_descriptions() -> None:
    """Remember botocore's files: every session would look for them again, and parse megabytes of JSON."""
    import boto3
    from botocore.loaders import JSONFileLoader, Loader

    _remember(JSONFileLoader, "load_file")
    _remember(Loader, "list_available_services")
    session: Any = boto3.Session(region_name="us-east-1")
    for service in SERVICES:
        # Nobody's keys: nothing is sent.
        session.client(service, aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106


def _remember(whose: type, name: str) -> None:
    """Have a method answer as it did before, whichever object it is asked of: its arguments alone decide."""
    read, seen = getattr(whose, name), dict[Any, Any]()

    def remembered(self: Any, *arguments: Any) -> Any:
        if arguments not in seen:
            seen[arguments] = read(self, *arguments)
        return seen[arguments]

    setattr(whose, name, remembered)


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork workers and tell how they ended; return a worker's start in that worker, and nothing at the end."""
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    lines: dict[int, socket.socket] = {}
    is_asked = True
    while is_asked or lines:
        ready, _, _ = select.select([woken, *([control] if is_asked else [])], [], [])
        if woken in ready:
            woken.recv(4096)
            _tell_the_ended(lines)
        if control not in ready:
            continue
        asked, handed, _, _ = socket.recv_fds(control, 1, 4)
        if not asked:
            is_asked = False
            continue
        line = socket.socket(fileno=handed[0])
        start: dict[str, Any] = json.loads(line.makefile().readline())
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, descriptor in enumerate(handed[1:]):
                os.dup2(descriptor, number)
            for each in (control, woken, waking, line, *lines.values()):
                each.close()
            for descriptor in handed[1:]:
                os.close(descriptor)
            return start
        for descriptor in handed[1:]:
            os.close(descriptor)
        lines[pid] = line
        line.sendall(f"{pid}\n".encode())
    return None


def _tell_the_ended(lines: dict[int, socket.socket]) -> None:
    while lines:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with lines.pop(pid) as line, suppress(OSError):
            line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _run(start: dict[str, Any]) -> None:
    """Be what `python <script>` in that folder, with that environment, would be."""
    os.chdir(start["folder"])
    os.environ.clear()
    os.environ.update(start["environment"])
    time.tzset()
    script = Path(start["script"])
    sys.argv = [str(script)]
    sys.path[0] = str(script.parent)
    module = sys.modules["__main__"] = ModuleType("__main__")
    module.__file__ = str(script)
    exec(compile(script.read_text(), script, "exec"), vars(module))  # noqa: S102 (the worker's own script)


if __name__ == "__main__":
    main()
