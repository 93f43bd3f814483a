"""Starting, stopping and looking at embedded clouds, each in a working folder of its own."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import REPOSITORY, Cloud
from tests.local.conftest import Bench, eventually

PYTHON = REPOSITORY / "local" / ".venv" / "bin" / "python"


class Clone:
    """A working folder, as a clone of the repository has one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "cloud"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PAYGO_", "AWS_"))
        } | {"PAYGO_HOME": str(home), "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PYTHON, "-m", "paygo_cloud", command],
            env=self.environment | environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def start(self, **environment: str) -> dict[str, Any]:
        done = self.run("start", **environment)
        assert done.returncode == 0, done.stderr
        described: dict[str, Any] = json.loads((self.folder / "cloud.json").read_text())
        return described

    def answers(self) -> bool:
        return self.run("status").returncode == 0


@pytest.fixture
def clones(tmp_path: Path) -> Iterator[tuple[Clone, Clone]]:
    pair = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pair.append(Clone(tmp_path / name))
    yield pair[0], pair[1]
    for each in pair:
        each.run("stop")


@pytest.fixture
def clone(clones: tuple[Clone, Clone]) -> Clone:
    return clones[0]


def taken_port() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def is_gone(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_starts_once_says_so_and_stops_without_a_trace_of_the_stack(clone: Clone) -> None:
    first = clone.start()
    again = clone.run("start")
    assert "already running" in again.stdout
    assert json.loads((clone.folder / "cloud.json").read_text()) == first
    assert clone.answers()
    assert stat.S_IMODE((clone.folder / "credentials").stat().st_mode) == 0o600
    assert os.getsid(first["pid"]) == first["pid"]  # a Ctrl-C in the terminal does not reach it

    stopped = clone.run("stop")
    assert "stopped" in stopped.stdout
    assert eventually(lambda: is_gone(first["pid"]))
    left = {each.name for each in clone.folder.iterdir()}
    assert left <= {"server.log", "ports.json", "server.lock", "command.lock"}
    assert clone.run("status").returncode == 3
    assert "No embedded cloud" in clone.run("stop").stdout


def test_two_clones_run_at_the_same_time_and_one_is_stopped_alone(clones: tuple[Clone, Clone]) -> None:
    one, two = clones
    first, second = one.start(), two.start()
    assert {first["port"], first["mqtt_port"]} & {second["port"], second["mqtt_port"]} == set()

    one.run("stop")
    assert two.answers()


def test_the_ports_of_the_last_run_are_taken_again(clone: Clone) -> None:
    first = clone.start()
    clone.run("stop")
    second = clone.start()

    assert (second["port"], second["mqtt_port"]) == (first["port"], first["mqtt_port"])


@pytest.mark.parametrize("variable", ["PAYGO_PORT", "PAYGO_MQTT_PORT"])
def test_a_port_that_was_asked_for_and_is_taken_is_said_in_one_sentence(clone: Clone, variable: str) -> None:
    with taken_port() as other:
        port = str(other.getsockname()[1])
        refused = clone.run("start", **{variable: port})

    assert refused.returncode == 1
    assert f"Port {port} ({variable}) is in use" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert clone.run("status").returncode == 3


def test_a_port_that_was_asked_for_is_used(clone: Clone) -> None:
    with taken_port() as other:
        port = other.getsockname()[1]
    assert clone.start(PAYGO_PORT=str(port))["port"] == port


@pytest.mark.parametrize("command", ["start", "stop"])
def test_a_killed_server_is_recognised_and_recovered_from(clone: Clone, command: str) -> None:
    first = clone.start()
    os.kill(first["pid"], signal.SIGKILL)
    assert eventually(lambda: clone.run("status").returncode == 3)

    assert clone.run(command).returncode == 0
    assert clone.answers() is (command == "start")


def test_a_process_id_that_now_belongs_to_another_program_is_not_believed(clone: Clone) -> None:
    first = clone.start()
    clone.run("stop")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as innocent:
        try:
            (clone.folder / "cloud.json").write_text(json.dumps(first | {"pid": innocent.pid}))
            (clone.folder / "server.lock").write_text(f"{innocent.pid}\n")

            assert clone.run("status").returncode == 3
            clone.run("stop")
            assert innocent.poll() is None
            assert clone.start()["pid"] != innocent.pid
            assert innocent.poll() is None
        finally:
            innocent.kill()


def test_a_start_that_fails_shows_the_logs_last_lines_and_leaves_nothing(clone: Clone) -> None:
    failed = clone.run("start", PAYGO_GAPS_OFF="no_such_gap")

    assert failed.returncode == 1
    assert "ended while starting" in failed.stderr
    assert "PAYGO_GAPS_OFF names no gap: no_such_gap." in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (clone.folder / "tmp").exists()
    assert not (clone.folder / "cloud.json").exists()


def test_its_functions_end_with_it_and_know_nothing_of_who_started_it(clone: Clone) -> None:
    described = clone.start(SECRET_OF_THE_CALLER="x")
    cloud = Cloud(described["endpoint_url"], "localhost", described["mqtt_port"], "", described["credentials_file"])
    with ExitStack() as cleanup:
        bench = Bench(cloud, cloud.profile("deployer"), cleanup, "control")
        source = "import os\ndef handler(event, context):\n    print('called')\n    return dict(os.environ)\n"
        answer = cloud.profile("deployer")("lambda").invoke(FunctionName=bench.function(source))
        environment = json.loads(answer["Payload"].read())
    assert "SECRET_OF_THE_CALLER" not in environment
    assert environment["AWS_ENDPOINT_URL"] == described["endpoint_url"]
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")

    clone.run("stop")
    assert eventually(lambda: is_gone(described["pid"]))
    with suppress(requests.ConnectionError):
        requests.get(described["endpoint_url"], timeout=2)
        pytest.fail("It still answers.")
