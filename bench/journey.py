"""From a fresh clone to a device that has been paid for, and once more with nothing changed."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import DEMO_AGAIN, FRESH_CLONE, Measurement
from bench.workshop import ROOT, Workshop


def fresh_clone(workshop: Workshop) -> Iterator[Measurement]:
    """Clone what is committed, with a cloud and ports of its own, and run `make demo` twice."""
    environment = _fresh(workshop)
    with tempfile.TemporaryDirectory(prefix="paygo-bench-") as folder:
        clone = Path(folder, "paygo")
        began = time.monotonic()
        workshop.timed("git clone", ["git", "clone", "--quiet", ROOT, clone])
        try:
            workshop.timed("make demo in a fresh clone", ["make", "demo"], folder=clone, environment=environment)
            first = time.monotonic() - began
            again = workshop.timed("make demo again", ["make", "demo"], folder=clone, environment=environment)
        finally:
            if (clone / "Makefile").exists():
                subprocess.run(
                    ["make", "clean"],  # noqa: S607
                    cwd=clone,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                )
    unsaved = subprocess.run(
        ["git", "status", "--porcelain"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    note = "of what is committed; changes in this folder are not in it" if unsaved else ""
    yield Measurement(FRESH_CLONE, (first,), note=note)
    yield Measurement(DEMO_AGAIN, (again,))


def _fresh(workshop: Workshop) -> dict[str, str]:
    """Return this environment without what this clone has added to it."""
    ours = (
        "PAYGO_",
        "MAKE",
        "MFLAGS",
        "VIRTUAL_ENV",
        "BRANCH",
        "PROFILE",
        "STAGE",
        "REGION",
        "TTL",
        "ARCHITECTURE",
        "AWS_",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    tools = str(workshop.home / "bin")
    kept["PATH"] = os.pathsep.join(part for part in kept["PATH"].split(os.pathsep) if part != tools)
    return kept
