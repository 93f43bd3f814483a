"""What the repository takes, and that what it builds on is pinned to the byte."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
REFUSE = ROOT / ".ci" / "refuse-large-files"
LOCKS = [ROOT / "uv.lock", ROOT / "local" / "uv.lock"]
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def refused(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(REFUSE), *map(str, files)], capture_output=True, text=True, check=False)


def test_text_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("größe = 1\n", encoding="utf-8")
    (tmp_path / "empty").touch()
    (tmp_path / "-n").write_text("x" * 200_000)

    assert refused(tmp_path / "a.py", tmp_path / "empty", tmp_path / "-n", tmp_path / "gone").returncode == 0


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text("x" * 200_001)

    run = refused(tmp_path / "data.json")

    assert run.returncode == 1
    assert "takes 200 kB at most" in run.stderr


def test_a_lock_may_be_large(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("x" * 300_000)

    assert refused(tmp_path / "uv.lock").returncode == 0


@pytest.mark.parametrize("content", [b"PK\x03\x04\x14\x00\x00\x00", b"\x89PNG\r\n\x1a\n\x00\x00", b"text\x00more"])
def test_a_binary_is_refused_however_small(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "small").write_bytes(content)
    (tmp_path / "a.py").write_text("fine = True\n")

    run = refused(tmp_path / "small", tmp_path / "a.py")

    assert run.returncode == 1
    assert "is not text" in run.stderr


def test_no_tracked_file_is_refused() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    run = refused(*(ROOT / name for name in tracked.split("\0") if name))

    assert (run.returncode, run.stderr) == (0, "")


def test_both_the_commit_and_the_lint_ask() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]

    assert {"id": "large-files", "entry": ".ci/refuse-large-files"}.items() <= hooks[0].items()
    assert "git ls-files -z | xargs -0 .ci/refuse-large-files" in (ROOT / ".ci" / "lint").read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_artefact_of_a_lock_has_a_hash(lock: Path) -> None:
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    ours = [package["name"] for package in packages if {"virtual", "editable", "directory"} & package["source"].keys()]
    foreign = [package for package in packages if package["name"] not in ours]

    assert foreign
    for package in foreign:
        artefacts = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        assert "registry" in package["source"], package["name"]
        assert artefacts, package["name"]
        assert all(_HASH.fullmatch(artefact.get("hash", "")) for artefact in artefacts), package["name"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_is_that_of_its_project(lock: Path) -> None:
    home = Path(os.environ.get("PAYGO_HOME") or ROOT / ".paygo")
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "UV_FROZEN"}}

    run = subprocess.run(
        [str(home / "bin" / "uv"), "lock", "--check", "--offline", "--python", str(home / "bin" / "python3.13")],
        cwd=lock.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
