"""A worker of a function with a layer is forked with its libraries imported, and is otherwise like any other."""

import io
import json
import os
import signal
import zipfile
from typing import Any

import pytest

from tests.local.conftest import Bench, eventually

TELL = """
import os, shelf
calls = 0
def handler(event, context):
    global calls
    calls += 1
    print("called")
    if event.get("die"):
        os.kill(os.getpid(), 9)
    return {"pid": os.getpid(), "parent": os.getppid(), "calls": calls, "whose": os.environ["WHOSE"],
            "others": os.environ.get("OTHERS"), "layer": shelf.NAME}
"""


@pytest.fixture
def layer(bench: Bench) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("python/shelf.py", f"NAME = {bench.name!r}\n")
    client = bench.deployer("lambda")
    made = client.publish_layer_version(LayerName=bench.name, Content={"ZipFile": archive.getvalue()})
    bench.later(client.delete_layer_version, LayerName=bench.name, VersionNumber=made["Version"])
    arn: str = made["LayerVersionArn"]
    return arn


def call(bench: Bench, function: str, **event: Any) -> dict[str, Any]:
    answer = bench.deployer("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    return said


def test_each_worker_has_its_own_environment_and_runs_the_functions_code_anew(bench: Bench, layer: str) -> None:
    one = bench.function(TELL, Layers=[layer], Environment={"Variables": {"WHOSE": "one", "OTHERS": "set"}})
    other = bench.function(TELL, Layers=[layer], Environment={"Variables": {"WHOSE": "other"}})

    first, again, second = call(bench, one), call(bench, one), call(bench, other)

    assert (first["whose"], first["others"], first["calls"], first["layer"]) == ("one", "set", 1, bench.name)
    assert (again["pid"], again["calls"]) == (first["pid"], 2)
    assert (second["whose"], second["others"], second["calls"]) == ("other", None, 1)
    assert second["pid"] != first["pid"]


def test_a_worker_that_is_killed_dies_alone_and_is_told_so(bench: Bench, layer: str) -> None:
    one = bench.function(TELL, Layers=[layer], Environment={"Variables": {"WHOSE": "one"}})
    other = bench.function(TELL, Layers=[layer], Environment={"Variables": {"WHOSE": "other"}})
    first, neighbour = call(bench, one), call(bench, other)

    died = call(bench, one, die=True)

    assert died["errorType"] == "Runtime.ExitError"
    assert died["errorMessage"].endswith("signal: killed")
    assert eventually(lambda: not is_alive(first["pid"]))
    assert call(bench, one)["calls"] == 1
    assert call(bench, other)["pid"] == neighbour["pid"]


def test_a_function_without_what_it_imports_says_so(bench: Bench, layer: str) -> None:
    function = bench.function("import nowhere", Layers=[layer])

    assert call(bench, function)["errorType"] == "Runtime.ImportModuleError"


def test_workers_are_forked_anew_when_their_parent_was_killed(bench: Bench, layer: str) -> None:
    variables = {"Variables": {"WHOSE": "one"}}
    first = call(bench, bench.function(TELL, Layers=[layer], Environment=variables))
    os.kill(first["parent"], signal.SIGKILL)

    assert call(bench, bench.function(TELL, Layers=[layer], Environment=variables))["calls"] == 1


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
