"""What stays behind of stacks that live and of those that are gone: versions, logs and packages that nobody needs."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

from botocore.exceptions import ClientError

from janitor import look, storage
from janitor.clients import Clients
from janitor.decisions import Wish
from janitor.errors import is_gone
from janitor.errors import told as said
from janitor.found import Found, counted_each, stack_of
from janitor.locks import Locks
from janitor.run import Plan, plan
from janitor.services import functions, messages, pages
from janitor.storage import State

KEPT = 3
"""How many versions of a function and of a layer are kept at least, the live one aside."""
RELEASES = 10
"""How many releases back a stack can be rolled back for sure: every version that they name is kept."""
PACKAGE = "unused package"
YOUNG = timedelta(days=1)
"""A package younger than that may be a deploy's that has not written its state yet."""


@dataclass(frozen=True)
class Litter:
    """Something that nobody needs."""

    words: str
    name: str
    remove: Callable[[], object]


def litter(clients: Clients, planned: Plan, now: datetime) -> list[Litter]:
    """Find what can be pruned; what belongs to a stack that goes is not looked at, since it goes with it."""
    staying = [one.stack for one in planned.judged if not one.verdict.goes and one.stack not in planned.hidden]
    names = [found.id for found in planned.everything.get("function", ()) if _is_of(found, staying)]
    with ThreadPoolExecutor(look.THREADS) as pool:
        released = _released(pool.map(partial(_releases, clients), staying))
        versions = [
            version
            for some in pool.map(lambda name: _versions(clients, name, released.get(name, set())), names)
            for version in some
        ]
    return [
        *_packages(clients, planned, now),
        *versions,
        *_layer_versions(clients, planned, staying),
        *_logs(clients, planned),
    ]


def looked_for(clients: Clients, locks: Locks, wish: Wish) -> list[Litter]:
    """Find what can be pruned right now by a look of its own: a removal may take long, and deploys go on beside it."""
    now = datetime.now(UTC)
    found = litter(clients, plan(clients, locks, wish, now), now)
    # Once more, since a deploy that has begun meanwhile may be about to use an old package.
    busy = any(one.words == PACKAGE for one in found) and locks.held(now)
    return [one for one in found if not busy or one.words != PACKAGE]


def superseded(versions: Iterable[int], named: Iterable[int], kept: int = KEPT) -> list[int]:
    """Give the versions that may go: not those that an alias names, nor the last few.

    >>> superseded([1, 2, 3, 4, 5, 6], named=[2])
    [1, 3]
    """
    known = sorted(versions)
    needed = {*named, *known[-kept:]}
    return [version for version in known if version not in needed]


def unused(packages: Mapping[str, datetime], used: Iterable[str], now: datetime) -> list[str]:
    """Give the packages that no state names and that are no deploy's of today."""
    named = set(used)
    return sorted(key for key, made in packages.items() if key not in named and made < now - YOUNG)


def remove(doomed: Sequence[Litter]) -> list[str]:
    """Remove what was found, and say what could not be."""

    def one(thing: Litter) -> str | None:
        try:
            thing.remove()
        except ClientError as error:
            return None if is_gone(error) else f"{thing.words} {thing.name}: {said(error)}"
        return None

    with ThreadPoolExecutor(look.THREADS) as pool:
        return [failure for failure in pool.map(one, doomed) if failure]


def told(doomed: Sequence[Litter]) -> list[str]:
    """Say what would be pruned."""
    return [f"To be pruned: {_listed(doomed)}."] if doomed else []


def ending(doomed: Sequence[Litter], left: Sequence[str]) -> list[str]:
    """Say what was pruned, and what could not be."""
    done = [f"Pruned: {_listed(doomed)}."] if doomed and not left else []
    return [*done, *(f"Not pruned: {one}" for one in left)]


def _listed(doomed: Sequence[Litter]) -> str:
    return counted_each(thing.words for thing in doomed)


def _is_of(found: Found, stacks: Collection[str]) -> bool:
    return stack_of(found, stacks) in set(stacks)


def _releases(clients: Clients, stack: str) -> list[Mapping[str, Any]]:
    written = (storage.read(clients, storage.releases_key(stack)) or {}).get("releases", [])
    return list(written[-RELEASES:])


def _released(histories: Iterable[Iterable[Mapping[str, Any]]]) -> dict[str, set[int]]:
    """Give the versions of each function that releases name: what was live before each, and after."""
    named: dict[str, set[int]] = {}
    for release in chain.from_iterable(histories):
        for steps in release["services"].values():
            for function, step in steps.items():
                named.setdefault(function, set()).update(
                    int(version) for version in (step["before"], step["after"]) if version is not None
                )
    return named


def _versions(clients: Clients, name: str, released: Collection[int]) -> list[Litter]:
    client = clients("lambda")
    try:
        published = [
            int(one["Version"])
            for one in pages(clients, "lambda", "list_versions_by_function", "Versions", FunctionName=name)
            if one["Version"] != "$LATEST"
        ]
        if len(published) <= KEPT:
            return []
        aliases = client.list_aliases(FunctionName=name)["Aliases"]
    except ClientError as error:
        if is_gone(error):
            return []
        raise
    named = {int(version) for alias in aliases for version in _versions_of(alias) if version != "$LATEST"}
    return [
        Litter(
            "function version", f"{name}:{version}", partial(client.delete_function, FunctionName=f"{name}:{version}")
        )
        for version in superseded(published, named | {*released})
    ]


def _versions_of(alias: Mapping[str, Any]) -> Iterator[str]:
    yield alias["FunctionVersion"]
    yield from (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


def _layer_versions(clients: Clients, planned: Plan, staying: Sequence[str]) -> Iterator[Litter]:
    by_name: dict[str, dict[int, Found]] = {}
    for found in planned.everything.get("layer version", ()):
        if _is_of(found, staying):
            by_name.setdefault(found.name, {})[int(found.id.rpartition(":")[2])] = found
    known = {
        str(one.get("arn")) for state in planned.states.values() for one in state.known("aws_lambda_layer_version")
    }
    for versions in by_name.values():
        named = [number for number, found in versions.items() if found.id in known]
        for number in superseded(versions, named):
            found = versions[number]
            yield Litter("layer version", found.id, partial(functions.remove_layer, clients, found))


def _logs(clients: Clients, planned: Plan) -> Iterator[Litter]:
    """Find logs of functions that are gone, and that no stack claims; an API's name nobody and go with it."""
    there = {f"/aws/lambda/{found.id}" for found in planned.everything.get("function", ())}
    for kind, found in planned.unowned:
        if kind.words == "log group" and found.name.startswith("/aws/lambda/") and found.name not in there:
            yield Litter("orphaned log group", found.name, partial(messages.remove_log_group, clients, found))


def _packages(clients: Clients, planned: Plan, now: datetime) -> list[Litter]:
    """Find packages that no state names; none as long as anybody deploys, who may be about to use an old one.

    Nor where a state cannot be read, which may name any of them.
    """
    account = State.seen(clients, storage.state_key(storage.ACCOUNT))
    if account is None or planned.hidden or any(one.verdict.why.startswith("in use") for one in planned.judged):
        return []
    used = {
        str(one.get("s3_key"))
        for state in (*planned.states.values(), account)
        for kind in ("aws_lambda_function", "aws_lambda_layer_version")
        for one in state.known(kind)
    }
    places = (
        (storage.artefact_bucket(clients.target), "artefacts/"),
        (storage.state_bucket(clients.target), storage.JANITORS_PACKAGES),
    )
    return [
        Litter(PACKAGE, key, partial(clients("s3").delete_object, Bucket=bucket, Key=key))
        for bucket, prefix in places
        for key in unused(_objects(clients, bucket, prefix), used, now)
    ]


def _objects(clients: Clients, bucket: str, prefix: str) -> dict[str, datetime]:
    try:
        listed = list(pages(clients, "s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix))
    except ClientError as error:
        if is_gone(error):
            return {}
        raise
    return {one["Key"]: one["LastModified"] for one in listed}
