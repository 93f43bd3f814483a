"""What git knows of a change and of the branches of the repository it came from."""

import subprocess
from pathlib import Path

from ci.errors import PipelineError


def changed(folder: Path, since: str) -> list[str] | None:
    """List the files that differ between a commit and HEAD; None when that commit is not known here."""
    start = commit(folder, since)
    # A file that moved is two: the place it left may have been code.
    return None if start is None else _lines(folder, "diff", "--name-only", "--no-renames", start, "HEAD")


def merges(folder: Path, since: str) -> list[str]:
    """List the subjects of the merge commits of this branch after a commit, or HEAD's when that is not known."""
    start = commit(folder, since)
    reach = [f"{start}..HEAD"] if start else ["-1", "HEAD"]
    return _lines(folder, "log", "--first-parent", "--merges", "--format=%s", *reach)


def commit(folder: Path, name: str) -> str | None:
    """Give the commit of a name, or None when there is none here."""
    found = _run(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return found.stdout.strip() if found.returncode == 0 else None


def remote_head(folder: Path, branch: str) -> str | None:
    """Ask the repository this one was cloned from for a branch's newest commit; None when it has no such branch.

    Raises
    ------
    PipelineError
        When it does not answer.
    """
    found = _run(folder, "ls-remote", "origin", f"refs/heads/{branch}")
    if found.returncode:
        msg = f"The repository this one was cloned from does not answer: {found.stderr.strip()}"
        raise PipelineError(msg)
    return found.stdout.split()[0] if found.stdout.strip() else None


def is_merged(folder: Path, head: str) -> bool:
    """Tell whether a commit is known to be part of HEAD."""
    return _run(folder, "merge-base", "--is-ancestor", head, "HEAD").returncode == 0


def _lines(folder: Path, *words: str) -> list[str]:
    found = _run(folder, "-c", "core.quotePath=false", *words)
    if found.returncode:
        msg = f"git does not answer: {found.stderr.strip()}"
        raise PipelineError(msg)
    return found.stdout.splitlines()


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        ["git", "-C", str(folder), *words],  # noqa: S607
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )
