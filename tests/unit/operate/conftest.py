"""A stack on the embedded cloud as the operators' commands find it, and an API that answers what a test wants."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from operate import __main__ as command

API = "http://localhost:4566/_aws/execute-api/abc/v"

type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a stack on the embedded cloud."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "cloud").mkdir()
    described = {"api_url": API, "region": "us-east-1", "endpoint_url": "http://localhost:4566"}
    (tmp_path / "stacks" / "paygo-x.json").write_text(json.dumps(described))
    (tmp_path / "cloud" / "credentials").write_text(
        "[operator]\naws_access_key_id = AKIAOPERATOR\naws_secret_access_key = secret\n"
    )
    monkeypatch.setenv("PAYGO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def run(home: Path, api: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command for the branch x and return its status and what it said."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)

    def execute(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["operate", *words, "--branch", "x"])
        status = command.main()
        said = capsys.readouterr()
        return status, said.out, said.err

    return execute
