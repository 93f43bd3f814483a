"""What an event does with a branch's stack."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ci.changes import Kind
from ci.errors import PipelineError

PROMOTED = frozenset({"staging", "production"})
"""Stacks that only a tag of theirs deploys, and that no merge takes away."""

_PULL_REQUEST = re.compile(r"Merge pull request #\d+ from (?P<owner>[^/\s]+)/(?P<branch>\S+)")
_BRANCH = re.compile(
    r"Merge (?:remote-tracking )?branch '(?:origin/)?(?P<branch>[^']+)'(?: of \S+)?(?: into (?P<into>\S+))?"
)


class Head(Enum):
    """Whether the commit that is built is still its branch's newest."""

    NEWEST = "newest"
    SUPERSEDED = "superseded"
    GONE = "gone"


@dataclass(frozen=True)
class Step:
    """What is done, and why."""

    why: str
    verb: str | None = None
    """A target of the Makefile, or None when there is nothing to do."""
    branch: str = ""


def step_for(branch: str, target: str, kind: Kind, head: Head = Head.NEWEST) -> Step:
    """Decide what a change on `branch`, meant for `target`, does.

    Raises
    ------
    PipelineError
        When the branch's stack is one that is promoted to.
    """
    if branch in PROMOTED:
        msg = f"The stack of {branch} comes by a tag, {branch}/<version>, and no other way: name the branch otherwise."
        raise PipelineError(msg)
    if head is Head.GONE:
        return Step(f"The branch {branch} is gone: nothing is deployed.")
    if head is Head.SUPERSEDED:
        return Step(f"A newer commit of {branch} is there, and its build deploys: nothing is deployed here.")
    if kind is Kind.CODE:
        return Step(f"Code has changed: {branch} gets its own stack.", "deploy", branch)
    what = {Kind.DOCS: "Only documents have", Kind.FRONT_END: "Nothing but the front end has"}[kind]
    return Step(f"{what} changed: the stack of {target} serves {branch}.", "status", target)


def head_of(built: str, newest: str | None) -> Head:
    """Compare the commit that is built with its branch's newest."""
    if newest is None:
        return Head.GONE
    return Head.NEWEST if built == newest else Head.SUPERSEDED


def merged_branches(subjects: Iterable[str], target: str, owner: str) -> tuple[str, ...]:
    """Read from the subjects of merge commits which branches of this repository went into `target`.

    A fork's branch is not ours even when it is named like one of ours, so its owner must be `owner`.

    >>> merged_branches(["Merge pull request #7 from solar/feature/meters"], "main", "solar")
    ('feature/meters',)
    >>> merged_branches(["Merge pull request #8 from somebody/feature/meters"], "main", "solar")
    ()
    """
    found = (_merged_branch(subject, target, owner) for subject in subjects)
    return tuple(dict.fromkeys(branch for branch in found if branch and branch not in {target, *PROMOTED}))


def _merged_branch(subject: str, target: str, owner: str) -> str | None:
    if request := _PULL_REQUEST.fullmatch(subject.strip()):
        return request["branch"] if request["owner"].lower() == owner.lower() else None
    if branch := _BRANCH.fullmatch(subject.strip()):
        return branch["branch"] if branch["into"] in {None, target} else None
    return None
