"""Make releases: point the aliases of a stack's functions at the versions that are to be live.

A release is written down before the first alias is moved and once more when all are, so that whoever comes after one
that was killed knows which aliases may point anywhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from deploy import storage
from deploy.errors import DeployError, sentence
from deploy.leftovers import listed
from deploy.releases import (
    Kind,
    Plan,
    Release,
    Stamp,
    Versions,
    destination,
    in_words,
    plan,
    possible_releases,
    refuse_another_stage,
    rolled_back,
)
from deploy.storage import State
from deploy.target import Clients

ALIAS = "live"
KEPT = 30
"""So many releases stay written down; further back a stack can be deployed again, not rolled back."""
AT_ONCE = 16
"""Aliases that are moved at the same time."""


class Record:
    """A stack's releases as the state bucket holds them; to be written by whoever holds the stack's lock."""

    def __init__(self, clients: Clients, stack: str) -> None:
        self._clients = clients
        self._key = storage.releases_key(stack)
        content, self._tag = storage.read_version(clients, self._key)
        self.history = [Release.from_json(written) for written in (content or {}).get("releases", [])]

    def note(self, release: Release) -> None:
        """Write a release down, in place of the one of its number.

        Raises
        ------
        DeployError
            When somebody else wrote meanwhile, which their lock should have kept them from.
        """
        self.history = [*(one for one in self.history if one.number != release.number), release][-KEPT:]
        content = {"releases": [one.as_json() for one in self.history]}
        tag = storage.write_version(self._clients, self._key, content, only_if_new=not self._tag, instead_of=self._tag)
        if tag is None:
            msg = "Somebody else is releasing this stack: wait for them, then run the same command again."
            raise DeployError(msg)
        self._tag = tag


def carry_out(clients: Clients, record: Record, planned: Plan) -> None:
    """Make a release: write it down, move the aliases, write down that they are moved."""
    if planned.release is None:
        return
    if planned.moves:
        record.note(planned.release)
        _move(clients, planned.moves)
    record.note(replace(planned.release, is_done=True))


def _move(clients: Clients, moves: Mapping[str, str]) -> None:
    def move(item: tuple[str, str]) -> str | None:
        function, version = item
        try:
            clients("lambda").update_alias(
                FunctionName=function,
                Name=ALIAS,
                FunctionVersion=version,
                RoutingConfig={"AdditionalVersionWeights": {}},
            )
        except (BotoCoreError, ClientError) as error:
            return f"{function} did not go to version {version}: {sentence(error)}"
        return None

    # In the order of their names, so that a service's functions change together.
    failures = [failure for failure in _each(move, sorted(moves.items())) if failure]
    if failures:
        told = [
            f"{len(failures)} of {len(moves)} functions could not be moved; the same command again goes on from here:"
        ]
        raise DeployError("\n".join([*told, *failures]))


def _each[Item, Result](call: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(call, items))


def go_live(clients: Clients, stack: str, state: State, stamp: Stamp, tell: Callable[[str], None]) -> None:
    """Point every alias at the version that Terraform published last, and tell what that changed."""
    record = Record(clients, stack)
    published: Versions = state.output("releases") or {}
    aliases = [alias for alias in state.known("aws_lambda_alias") if alias.get("name") == ALIAS]
    made_at = {str(alias["function_name"]): str(alias["function_version"]) for alias in aliases}
    unnamed = made_at.keys() - {function for functions in published.values() for function in functions}
    if unnamed:
        msg = f"The output `releases` in terraform/outputs.tf leaves out {', '.join(sorted(unnamed))}: add the service."
        raise DeployError(msg)
    planned = plan(record.history, published, stamp, made_at=made_at, stage=state.output("stage"))
    if planned.release is None:
        return
    before = record.history[-1] if record.history else None
    carry_out(clients, record, planned)
    tell(f"release {planned.release.number} is live: {in_words(planned.release)}{_undone(before, planned.release)}")


def _undone(before: Release | None, made: Release) -> str:
    if before and before.kind is Kind.ROLLBACK and made.kind is Kind.DEPLOY:
        return f"; it takes back the rollback to release {before.target}"
    return ""


def roll_back(
    clients: Clients,
    stack: str,
    stamp: Stamp,
    *,
    service: str | None = None,
    to: int | None = None,
    stage: str | None = None,
) -> tuple[Release, Release | None]:
    """Point the aliases of a service, or of all, at an earlier release's versions.

    Returns
    -------
    tuple
        The release gone back to, and the one that this made: None when its versions were live already.

    Raises
    ------
    DeployError
        When there is no such release, it is another stage's than production's where that is the `stage`, or a version
        of it has been removed; no alias is moved then.
    """
    record = Record(clients, stack)
    goal = destination(record.history, stack, service, to)
    refuse_another_stage(goal, stage)
    latest = record.history[-1]
    planned = plan(
        record.history,
        rolled_back(latest, goal, service),
        replace(stamp, commit=goal.stamp.commit),
        target=goal.number,
        stage=stage,
    )
    missing = _removed(clients, planned.moves)
    if missing:
        raise DeployError(_without(clients, record.history, goal, service, missing))
    carry_out(clients, record, planned)
    return goal, planned.release


def _removed(clients: Clients, moves: Mapping[str, str]) -> list[str]:
    """Name the versions that are no longer there."""

    def look(item: tuple[str, str]) -> str | None:
        function, version = item
        try:
            # Of Lambda's calls that tell this, the one that AWS allows a hundred times a second instead of fifteen.
            clients("lambda").get_function(FunctionName=function, Qualifier=version)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return f"version {version} of {function}"
            raise
        return None

    return [missing for missing in _each(look, sorted(moves.items())) if missing]


def _without(
    clients: Clients, history: Sequence[Release], goal: Release, service: str | None, missing: Sequence[str]
) -> str:
    """Say that a release cannot be taken, and which can."""
    latest = history[-1]
    functions = [name for group, steps in latest.services.items() if service in {None, group} for name in steps]
    there = dict(zip(functions, _each(lambda name: _versions(clients, name), functions), strict=True))
    possible = possible_releases(history, service, there)
    way = f"release {possible[-1]} can: TO={possible[-1]}" if possible else "no other can: deploy the commit you want"
    return f"Release {goal.number} cannot be taken, {listed(missing, most=1)} has been removed since; {way}."


def _versions(clients: Clients, function: str) -> set[str]:
    pages = clients("lambda").get_paginator("list_versions_by_function").paginate(FunctionName=function)
    return {version["Version"] for page in pages for version in page["Versions"]}
