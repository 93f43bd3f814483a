"""`python -m janitor`: what `make janitor` runs. It alone knows of the deploy tool; the function has another way in."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy import command, lock, process, storage
from deploy.errors import DeployError
from deploy.stack import stack_name
from deploy.target import ROOT, Clients, choose
from janitor import buckets, look, prune, report
from janitor.decisions import Wish
from janitor.errors import JanitorError
from janitor.locks import Locks
from janitor.rehearsal import anonymous
from janitor.run import plan, remove
from janitor.work import HANDS

app = typer.Typer(help="Find the stacks that nobody needs any more, and remove them.", pretty_exceptions_enable=False)

_WHO = "the janitor"

Profile = Annotated[str, typer.Option(envvar="PROFILE", help="an AWS profile; without one, the embedded cloud")]
Region = Annotated[str, typer.Option(envvar="REGION", help="an AWS region, instead of the profile's")]


@app.callback(invoke_without_command=True)
def sweep(
    context: typer.Context,
    branch: Annotated[list[str] | None, typer.Option(help="this branch's stack alone, even if it lives")] = None,
    branches: Annotated[str, typer.Option(envvar="BRANCHES", help="a git remote, or all branches there are: a,b")] = "",
    apply: Annotated[str, typer.Option(envvar="APPLY", help="yes removes; without it is only told what would be")] = "",
    hands: Annotated[int, typer.Option(envvar="JANITOR_HANDS", help="how many things are removed at once")] = HANDS,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Tell which stacks would go and why; with APPLY=yes, remove them."""
    if context.invoked_subcommand:
        return
    if apply not in {"", "yes", "no"}:
        msg = f"APPLY is yes or no, not '{apply}'."
        raise JanitorError(msg)
    target = choose(profile or None, region or None)
    clients = target.clients()
    storage.make_state_bucket(clients)
    locks = _locks(clients)
    # One branch of the environment: a list there would be cut at the spaces that a name may have.
    named = frozenset(map(stack_name, branch or filter(None, [os.environ.get("BRANCH", "")])))
    wish = Wish(named, frozenset(map(stack_name, _branches(branches))) if branches else None)
    planned = plan(clients, locks, wish, datetime.now(UTC))
    print(f"The janitor on {target.words}")
    _print(*report.table(planned), *report.summary(planned))
    if apply != "yes":
        litter = [] if named else prune.litter(clients, planned, datetime.now(UTC))
        _print(*prune.told(litter))
        if planned.going or litter:
            _print("Nothing was removed: APPLY=yes does.")
        return
    done = remove(clients, Clients(target, attempts=1), locks, buckets.of(clients), planned, _print, hands=hands)
    litter = [] if named else prune.looked_for(clients, locks, wish)
    left = prune.remove(litter)
    _print(*report.ending(done), *prune.ending(litter, left))
    if done.left or left:
        raise typer.Exit(1)


@app.command()
def inventory(
    branch: Annotated[str, typer.Argument(envvar="BRANCH", help="the branch whose stack is recorded")],
    into: Annotated[Path, typer.Option(help="the file to write")] = ROOT / "tests/unit/janitor/inventory.json",
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Record what a stack has, for rehearsals with many like it."""
    clients = choose(profile or None, region or None).clients()
    stack = stack_name(branch)
    tasks = look.verified(clients, look.at(clients, stack), {stack})
    if not tasks:
        msg = f"There is no {stack}: make deploy BRANCH='{branch}'"
        raise JanitorError(msg)
    resources: dict[str, list[str]] = {}
    for task in tasks:
        if not task.kind.by_devices:
            resources.setdefault(task.kind.words, []).append(anonymous(task.found, stack).name)
    recorded = {words: sorted(names) for words, names in sorted(resources.items())}
    into.write_text(json.dumps({"resources": recorded}, indent=1) + "\n")
    _print(f"{len(tasks)} resources of {stack} are written down in {into}.")


def _branches(asked: str) -> list[str]:
    """List all branches: those that are given, or those of a remote."""
    if asked not in _git("remote").split():
        if "," not in asked:
            # A mistyped remote would be one branch, and every other stack would go.
            msg = f"'{asked}' is no remote of this clone: BRANCHES is a remote's name, or all branches as a,b."
            raise JanitorError(msg)
        return [name.strip() for name in asked.split(",") if name.strip()]
    heads = [
        line.split("\t")[1].removeprefix("refs/heads/") for line in _git("ls-remote", "--heads", asked).splitlines()
    ]
    if not heads:
        msg = f"The remote {asked} has no branches at all, which is hardly meant: is it the right one?"
        raise JanitorError(msg)
    return heads


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        msg = f"git {arguments[0]} failed, so nobody knows which branches there are: {done.stderr.strip()}"
        raise JanitorError(msg)
    return done.stdout


def _locks(clients: Clients) -> Locks:
    """Lock stacks as this process, which can see which others of this machine live."""

    def is_dead(found: Mapping[str, Any]) -> bool:
        here = found.get("host") == platform.node()
        return here and not process.is_alive(int(found.get("pid") or 0), str(found.get("began")))

    def bury(found: Mapping[str, Any]) -> None:
        if found.get("folder"):
            lock.end_terraform(Path(str(found["folder"])), _print)

    return Locks(clients, _WHO, os.getpid(), process.started(os.getpid()) or "", is_dead, bury)


def _print(*lines: str) -> None:
    for line in lines:
        print(f"  {line}", flush=True)


def main() -> int:
    """Run a command; whatever goes wrong is told in a sentence."""
    return command.run(app, "Stopped. The next run goes on from here.", DeployError, JanitorError, ValueError)


if __name__ == "__main__":
    sys.exit(main())
