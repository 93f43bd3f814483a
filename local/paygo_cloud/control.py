"""Starting, stopping and looking at the embedded cloud of a working folder."""

import json
import os
import secrets
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from paygo_cloud import locks, ports
from paygo_cloud.home import ACCOUNT, REGION, Cloud, Home

START_SECONDS = 60.0
STOP_SECONDS = 10.0
CHOSEN = ("PAYGO_GAPS_OFF", "PAYGO_THROTTLE")
"""Of the caller's environment: what a server is told by whoever starts it."""

Report = Callable[[str], None]


class CloudError(Exception):
    """Something a person must know about, in one sentence with a way on."""


def start(home: Home, report: Report) -> tuple[Cloud, bool]:
    """Start the embedded cloud of a working folder.

    Returns its description, and whether it was started by this call.
    """
    home.path.mkdir(parents=True, exist_ok=True)
    with locks.exclusive(home.command_lock):
        running = _running(home)
        if running is not None and is_healthy(running.endpoint_url):
            return running, False
        if locks.holder(home.server_lock) is not None:
            report("The embedded cloud does not answer; starting it again.")
            _end(home)
        _clear(home)
        # A chosen port is free until a server listens on it, so clouds of several clones start one after the other.
        with locks.exclusive(Path(tempfile.gettempdir(), f"paygo-cloud-start-{os.getuid()}.lock")):
            try:
                port, mqtt_port = ports.choose(home)
            except ports.PortTakenError as taken:
                raise CloudError(str(taken)) from None
            return _start(home, port, mqtt_port, report), True


def stop(home: Home) -> bool:
    """Stop the embedded cloud, its functions with it. Returns False when none was running."""
    if not home.path.exists():
        return False
    with locks.exclusive(home.command_lock):
        was_running = locks.holder(home.server_lock) is not None
        if was_running:
            _end(home)
        _clear(home)
    return was_running


def status(home: Home) -> tuple[Cloud | None, bool]:
    """Return the running cloud's description, if any, and whether it is healthy."""
    running = _running(home)
    return running, running is not None and is_healthy(running.endpoint_url)


def is_healthy(endpoint_url: str) -> bool:
    """Whether it answers, and devices can connect."""
    return _mqtt_state(endpoint_url) == "listening"


def _mqtt_state(endpoint_url: str) -> str | None:
    answer = _get(f"{endpoint_url}/_ministack/ready", seconds=5)
    return None if answer is None else str(json.loads(answer)["iot_mtls"])


def _running(home: Home) -> Cloud | None:
    pid = locks.holder(home.server_lock)
    described = home.read()
    return described if described is not None and described.pid == pid else None


def _start(home: Home, port: int, mqtt_port: int, report: Report) -> Cloud:
    root_key = (_random_key_id(), secrets.token_urlsafe(30))
    endpoint_url = f"http://{ports.LOOPBACK}:{port}"
    home.temporary.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with home.log.open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "paygo_cloud.server"],
            cwd=home.temporary,
            env=_server_environment(home, port, mqtt_port, root_key),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal must not reach it
        )
    try:
        _wait_until_ready(server, endpoint_url, report)
        _save_ca(home, endpoint_url)

        from paygo_cloud import accounts

        accounts.create(endpoint_url, REGION, root_key, home.credentials)
    except BaseException as failure:
        _end_group(server.pid, home)
        _clear(home)
        if isinstance(failure, CloudError):
            raise CloudError(f"{failure} {_last_words(home)}") from None
        raise
    cloud = Cloud(
        pid=server.pid,
        endpoint_url=endpoint_url,
        port=port,
        mqtt_port=mqtt_port,
        ca_file=str(home.ca),
        credentials_file=str(home.credentials),
        region=REGION,
        account_id=ACCOUNT,
        started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
    home.write(cloud)
    home.remember_ports(port, mqtt_port)
    report(f"Started in {time.monotonic() - began:.1f} s.")
    return cloud


def _server_environment(home: Home, port: int, mqtt_port: int, root_key: tuple[str, str]) -> dict[str, str]:
    """Make the server's whole environment: functions inherit it, so nothing of the caller's gets in by accident."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    chosen = {name: value for name, value in os.environ.items() if name in CHOSEN}
    return {
        **inherited,
        **chosen,
        "HOME": str(home.temporary),
        "TMPDIR": str(home.temporary),
        "STATE_DIR": str(home.temporary / "state"),
        "S3_DATA_DIR": str(home.temporary / "s3"),
        "PYTHONUNBUFFERED": "1",
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": root_key[0],
        "AWS_SECRET_ACCESS_KEY": root_key[1],
        "BIND_HOST": ports.LOOPBACK,
        "MINISTACK_HOST": "localhost",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "1",
        "IOT_MTLS_PORT": str(mqtt_port),
        "SFTP_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "DOCKER_HOST": "unix:///nonexistent",  # functions run in processes; a Docker daemon is not ours to touch
        "PAYGO_SERVER_LOCK": str(home.server_lock),
        "PAYGO_KILL_POINTS": str(home.kill_points),
        "MINISTACK_WORKER_THREADS": "512",  # two hundred callers at once, and what functions call themselves
        "LAMBDA_ACCOUNT_CONCURRENCY": "1000",  # AWS's own; MiniStack's depends on the machine's memory
    }


def _random_key_id() -> str:
    return "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


def _wait_until_ready(server: "subprocess.Popen[bytes]", endpoint_url: str, report: Report) -> None:
    began = time.monotonic()
    reported = began
    while not is_healthy(endpoint_url):
        waited = time.monotonic() - began
        if _mqtt_state(endpoint_url) == "degraded":
            raise CloudError("The embedded cloud cannot listen on its MQTT port.")
        if server.poll() is not None:
            raise CloudError(f"The embedded cloud ended while starting (exit status {server.returncode}).")
        if waited > START_SECONDS:
            raise CloudError(f"The embedded cloud did not answer within {START_SECONDS:.0f} s.")
        if time.monotonic() - reported > 5:
            reported = time.monotonic()
            report(f"Starting the embedded cloud ({waited:.0f} s)...")
        time.sleep(0.1)


def _save_ca(home: Home, endpoint_url: str) -> None:
    certificate = _get(f"{endpoint_url}/_ministack/iot/ca.pem", seconds=30)
    if certificate is None:
        raise CloudError("The embedded cloud has no MQTT certificate authority.")
    home.ca.write_bytes(certificate)


def _get(url: str, seconds: float) -> bytes | None:
    # No proxy, whatever the environment says: it is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=seconds) as answer:
            body: bytes = answer.read()
            return body
    except OSError:
        return None


def _last_words(home: Home) -> str:
    try:
        lines = [line for line in home.log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    shown = "\n".join(f"    {line}" for line in lines[-8:]) or "    (nothing)"
    return f"Its log is {home.log} and ends with:\n{shown}"


def _end(home: Home) -> None:
    pid = locks.holder(home.server_lock)
    if pid:
        _end_group(pid, home)


def _end_group(group: int, home: Home) -> None:
    """Ask the server to end, then make it; its functions are in its process group and end with it."""
    _signal(group, signal.SIGTERM, whole_group=False)
    deadline = time.monotonic() + STOP_SECONDS
    while locks.holder(home.server_lock) is not None and time.monotonic() < deadline:
        _reap(group)
        time.sleep(0.05)
    _signal(group, signal.SIGKILL, whole_group=True)
    while locks.holder(home.server_lock) is not None and time.monotonic() < deadline + STOP_SECONDS:
        _reap(group)
        time.sleep(0.05)
    _reap(group)


def _signal(group: int, number: signal.Signals, *, whole_group: bool) -> None:
    with suppress(ProcessLookupError, PermissionError):  # already gone, or nothing of it left to signal
        os.killpg(group, number) if whole_group else os.kill(group, number)


def _reap(pid: int) -> None:
    """Collect the server's exit status when this very process started it."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _clear(home: Home) -> None:
    for leftover in (home.description, home.credentials, home.ca):
        leftover.unlink(missing_ok=True)
    for folder in (home.temporary, home.kill_points):
        shutil.rmtree(folder, ignore_errors=True)
