"""What git says of the folder that is deployed."""

import subprocess

from deploy.errors import DeployError
from deploy.target import ROOT


def git(*arguments: str) -> str:
    """Give what git says, or nothing where it has nothing to say or is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def resolve(revision: str) -> str:
    """Give the whole hash of a commit, by whatever name git knows it.

    Raises
    ------
    DeployError
        When git knows no such commit.
    """
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not found:
        msg = f"git knows no commit {revision} here: fetch it first, or say which with COMMIT=..."
        raise DeployError(msg)
    return found


def described(commit: str) -> str:
    """Say a commit as a person knows it: short hash, subject and author."""
    return git("show", "--no-patch", "--format=%h, %s (%an)", commit) or commit


def unchanged() -> str:
    """Give the hash of the commit that the folder is exactly, files that git does not follow included.

    Raises
    ------
    DeployError
        When the folder is no commit: what is deployed could not be named later.
    """
    commit = resolve("HEAD")
    changed = git("status", "--porcelain").splitlines()
    if changed:
        msg = (
            f"{changed[0].split()[-1]} is not as committed ({len(changed)} in all): commit it, and have that approved."
        )
        raise DeployError(msg)
    return commit
