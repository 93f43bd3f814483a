"""A clone, and the repository it was cloned from."""

from pathlib import Path

import pytest

from tests.unit.ci.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A clone on main, with one commit that its origin has too."""
    origin = tmp_path / "origin.git"
    origin.mkdir()
    Repository(origin).git("init", "--bare")
    folder = tmp_path / "clone"
    folder.mkdir()
    clone = Repository(folder)
    clone.git("init")
    clone.git("remote", "add", "origin", str(origin))
    clone.commit("terraform/main.tf")
    clone.git("push", "origin", "main")
    return clone
