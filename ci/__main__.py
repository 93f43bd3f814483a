"""`python -m ci`: what `make changes`, `make stack` and `make destroy-merged` run."""

import os
import subprocess
import sys
from typing import Annotated

import typer

from ci import git, stacks
from ci.changes import kind_of
from ci.conditions import ConditionError, Event
from ci.errors import PipelineError
from ci.travis import FILE, Pipeline

ROOT = FILE.parent

app = typer.Typer(
    help="What a pipeline decides, to be asked by hand as well.", no_args_is_help=True, pretty_exceptions_enable=False
)

Since = Annotated[str, typer.Option(envvar="SINCE", help="the commit that a change is measured from")]
Target = Annotated[str, typer.Option(envvar="TARGET", help="the branch that a change is meant for")]


@app.command()
def changes(since: Since = "origin/main") -> None:
    """Say what kind of change there is since a commit: docs, front-end or code."""
    print(kind_of(git.changed(ROOT, since)))


@app.command()
def stack(
    branch: Annotated[str, typer.Option(envvar="BRANCH", help="the branch that changed")],
    target: Target = "main",
    since: Since = "",
    commit: Annotated[str, typer.Option(envvar="COMMIT", help="what is built: left out when no longer newest")] = "",
) -> None:
    """Deploy a branch's stack when what changed since a commit needs one."""
    kind = kind_of(git.changed(ROOT, since) if since else None)
    head = stacks.head_of(commit, git.remote_head(ROOT, branch)) if commit else stacks.Head.NEWEST
    step = stacks.step_for(branch, target, kind, head)
    print(step.why, flush=True)
    raise typer.Exit(_make(step.verb, step.branch) if step.verb else 0)


@app.command()
def destroy_merged(
    owner: Annotated[str, typer.Option(envvar="OWNER", help="of this repository: forks have others")],
    target: Target = "main",
    since: Since = "HEAD^1",
) -> None:
    """Take away the stacks of the branches that went into this one since a commit."""
    branches = stacks.merged_branches(git.merges(ROOT, since), target, owner)
    if not branches:
        print("No merge commit names a branch of this repository: the janitor takes what was merged another way.")
    failed = [branch for branch in branches if not _destroyed(branch)]
    raise typer.Exit(1 if failed else 0)


@app.command()
def jobs(event: Annotated[list[str], typer.Argument(help="as type=push branch=main")]) -> None:
    """List the jobs that .travis.yml gives an event."""
    attributes = dict(text.partition("=")[::2] for text in event)
    for job in Pipeline.load().jobs_of(Event({"fork": "false", "repo": "owner/paygo", **attributes})):
        print(f"{job.stage}: {job.name}")


def _destroyed(branch: str) -> bool:
    head = git.remote_head(ROOT, branch)
    if head and not git.is_merged(ROOT, head):
        print(f"{branch} has gone on since it was merged: its stack stays.", flush=True)
        return True
    print(f"{branch} was merged.", flush=True)
    return _make("destroy", branch) == 0


def _make(verb: str, branch: str) -> int:
    # Said on the command line, it counts for more than what this process was itself called with; make expands it.
    return subprocess.run(  # noqa: S603
        ["make", verb, f"BRANCH={branch.replace('$', '$$')}"],  # noqa: S607
        cwd=ROOT,
        env=os.environ,
        check=False,
    ).returncode


def main() -> int:
    """Run a command; whatever goes wrong is told in a sentence."""
    try:
        app()
    except (PipelineError, ConditionError) as failure:
        sys.stdout.flush()
        print(f"paygo: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
