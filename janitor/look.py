"""What an account holds, sorted by whose it is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from janitor import storage
from janitor.clients import Clients
from janitor.errors import is_gone
from janitor.found import PREFIX, Found, is_here, owner, stack_of
from janitor.kinds import KINDS, NAMED, PARTS, Kind
from janitor.schedule import Task
from janitor.services.messages import EXECUTION_LOGS
from janitor.storage import State

THREADS = 16

LOOKED_FOR: Sequence[Kind] = tuple(kind for kind in KINDS if kind.within is None)
"""What is no part of something else that is looked for, and goes with it."""

type Held = Mapping[str, Sequence[Found]]
"""What an account holds, by the words of its kind."""


def held(clients: Clients, kinds: Sequence[Kind] = LOOKED_FOR) -> dict[str, list[Found]]:
    """List what all stacks of the account have, by kind; nobody is asked for a tag that no listing tells."""
    with ThreadPoolExecutor(THREADS) as pool:
        listed = pool.map(lambda kind: list(kind.find(clients, PREFIX)), kinds)
        return {kind.words: found for kind, found in zip(kinds, listed, strict=True)}


@dataclass(frozen=True)
class Sorted:
    """What an account holds by whose it is.

    Attributes
    ----------
    by_stack
        Of each stack, what its tag says or its name.
    unowned
        What is named like ours and is neither a stack's nor tagged as the account's own.
    """

    by_stack: Mapping[str, Sequence[Task]]
    unowned: Sequence[tuple[Kind, Found]]


def sort_out(clients: Clients, everything: Held, known: Collection[str]) -> Sorted:
    """Tell whose each resource is; tags are asked for where the name fits no stack that is known."""
    by_stack: dict[str, list[Task]] = {}
    unowned: list[tuple[Kind, Found]] = []
    strangers: list[tuple[Kind, Found]] = []
    for words, all_found in everything.items():
        for found in all_found:
            stack = stack_of(found, known)
            if stack is not None:
                by_stack.setdefault(stack, []).append(Task(stack, NAMED[words], found))
            elif not found.tags:
                strangers.append((NAMED[words], found))
    named_later = set(known) | set(by_stack)
    for kind, found in tagged(clients, strangers):
        stack = stack_of(found, named_later)
        if not is_here(found, clients.target.region):
            continue
        if stack is not None:
            named_later.add(stack)
            by_stack.setdefault(stack, []).append(Task(stack, kind, found))
        elif not found.tags and kind.of_its_own_name:
            unowned.append((kind, found))
    return Sorted(by_stack, unowned)


def at(clients: Clients, stack: str) -> Sequence[Task]:
    """Look for what a stack has, by its names and tags, beside all stacks that have a state."""
    return sort_out(clients, held(clients, LOOKED_FOR), storage.stacks(clients) | {stack}).by_stack.get(stack, ())


def verified(clients: Clients, tasks: Iterable[Task], stacks: Collection[str]) -> list[Task]:
    """Give those tasks whose resource is the stack's and of this region by its own tags, where it has some."""
    by_resource = {(task.kind, replace(task.found, tags=None)): task.stack for task in tasks}
    whole = tagged(clients, [(task.kind, task.found) for task in tasks])
    kept = []
    for kind, found in whole:
        stack = by_resource[kind, replace(found, tags=None)]
        if is_here(found, clients.target.region) and stack_of(found, stacks) == stack:
            kept.append(Task(stack, kind, found))
    return kept


def remembered(tasks: Iterable[Task], seen: Iterable[Task]) -> list[Task]:
    """Give tasks the tags that were asked for a moment ago, where no listing tells them."""
    told = {(task.kind, replace(task.found, tags=None)): task.found for task in seen}
    return [
        task if task.found.tags is not None else replace(task, found=told.get((task.kind, task.found), task.found))
        for task in tasks
    ]


def tagged(clients: Clients, resources: Sequence[tuple[Kind, Found]]) -> list[tuple[Kind, Found]]:
    """Ask for the tags that no listing told; what is gone meanwhile is left out."""
    with ThreadPoolExecutor(THREADS) as pool:
        asked = pool.map(lambda one: with_tags(clients, *one), resources)
        return [(kind, found) for (kind, _), found in zip(resources, asked, strict=True) if found]


def with_tags(clients: Clients, kind: Kind, found: Found) -> Found | None:
    """Return a resource with its tags, asked for where its listing tells none; None when it is gone."""
    if found.tags is not None or kind.tags is None:
        return found
    try:
        return replace(found, tags=kind.tags(clients, found))
    except ClientError as error:
        if is_gone(error):
            return None
        raise


_NAMES = ("name", "function_name", "bucket", "alarm_name", "layer_name", "identity_pool_name")


def not_seen(state: State, stack: str) -> list[str]:
    """Name what a state knows and no look finds: types without a kind, and names that do not begin like the stack."""
    kinds = {kind.terraform for kind in KINDS}
    found = [f"{kind}: the janitor does not know this kind" for kind in state.types - kinds - PARTS]
    for kind in sorted(kinds & state.types):
        for attributes in state.known(kind):
            names = [str(attributes[name]) for name in _NAMES if attributes.get(name)]
            if names and not any(_is_named(name, stack) for name in names):
                found.append(f"{kind} {names[0]}: it is not named like its stack")
    return sorted(found)


def _is_named(name: str, stack: str) -> bool:
    """Tell whether a name, or a part of an ARN, begins like the stack."""
    return name.startswith(EXECUTION_LOGS) or any(owner(part, [stack]) for part in name.split(":"))
