"""Find in what a stack and its state differ, and remove what its state does not know.

A killed Terraform leaves resources that its state does not know; an API or a pool may even be there twice under one
name. Each kind of resource is a row of the janitor's `KINDS`. A name makes a candidate; a tag, where the cloud keeps
one, decides.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError

from janitor.clients import Clients
from janitor.errors import is_gone, told
from janitor.found import GOING, Found, bare, belongs, counted, counted_each, is_here, listed
from janitor.kinds import KINDS, Kind, layers
from janitor.look import with_tags
from janitor.storage import State

__all__ = [
    "KINDS",
    "KNOWN_TO_STATES",
    "MADE_BY_DEVICES",
    "Difference",
    "Found",
    "Kind",
    "Leftover",
    "compare",
    "counted",
    "counted_each",
    "listed",
    "remove",
    "sweep",
]

THREADS = 16

MADE_BY_DEVICES = tuple(kind for kind in KINDS if kind.by_devices)
KNOWN_TO_STATES = tuple(kind for kind in KINDS if not kind.by_devices)


@dataclass(frozen=True)
class Leftover:
    """A resource of the stack that its state does not know."""

    kind: Kind
    found: Found

    def __str__(self) -> str:
        return f"{self.kind.words} {self.found.name}"


@dataclass(frozen=True)
class Difference:
    """In what a stack differs from its state.

    Attributes
    ----------
    strays
        What the state does not know.
    missing
        What the state knows and no look finds, by its kind and what the state calls it.
    """

    strays: list[Leftover]
    missing: list[str]


def unknown(found: Iterable[Found], kind: Kind, state: State) -> list[Found]:
    """Give those that Terraform's state does not have."""
    known = {kind.key(attributes) for attributes in state.known(kind.terraform)}
    return [one for one in found if one.id not in known]


def sweep(
    clients: Clients, stack: str, stacks: Iterable[str], state: State, kinds: Sequence[Kind] | None = None
) -> list[Leftover]:
    """Find everything of a stack, of some kinds or of all, that its state does not know."""

    def look(kind: Kind) -> list[Leftover]:
        return _strays(clients, stack, stacks, state, kind, kind.find(clients, stack))

    with ThreadPoolExecutor(THREADS) as pool:
        return [leftover for found in pool.map(look, KINDS if kinds is None else kinds) for leftover in found]


def compare(
    clients: Clients, stack: str, stacks: Iterable[str], state: State, kinds: Sequence[Kind] = KNOWN_TO_STATES
) -> Difference:
    """Compare what a deploy makes of a stack, and is there, with the stack's state."""

    def look(kind: Kind) -> tuple[set[tuple[str, str]], list[Leftover]]:
        found = list(kind.find(clients, stack))
        strays = _strays(clients, stack, stacks, state, kind, found) if kind.of_its_own_name else []
        return {(kind.terraform, one.id) for one in found if one.about != GOING}, strays

    with ThreadPoolExecutor(THREADS) as pool:
        looks = list(pool.map(look, kinds))
    there = set[tuple[str, str]]().union(*(found for found, _ in looks))
    # The others are of types that are among these: Terraform tells log groups from log groups by their names alone.
    named = [kind for kind in kinds if kind.of_its_own_name]
    known = [(kind, kind.key(attributes)) for kind in named for attributes in state.known(kind.terraform)]
    return Difference(
        strays=[stray for _, strays in looks for stray in strays],
        missing=sorted(f"{kind.words} {key}" for kind, key in known if (kind.terraform, key) not in there),
    )


def _strays(
    clients: Clients, stack: str, stacks: Iterable[str], state: State, kind: Kind, found: Iterable[Found]
) -> list[Leftover]:
    candidates = [one for one in found if _may_be(one, stack, kind)]
    strays = [with_tags(clients, kind, one) for one in unknown(candidates, kind, state)]
    region = clients.target.region
    return [Leftover(kind, one) for one in strays if one and is_here(one, region) and belongs(one, stack, stacks)]


def holding_data(clients: Clients, leftovers: Sequence[Leftover]) -> list[str]:
    """Name the leftovers that may hold people's data."""
    told = []
    for leftover in leftovers:
        data = leftover.kind.data(clients, leftover.found) if leftover.kind.data else None
        if data:
            told.append(f"{leftover} ({data})")
    return told


def remove(clients: Clients, leftovers: Sequence[Leftover]) -> list[str]:
    """Remove what was found, in an order that works, and say what could not be."""
    failures: list[str] = []

    def one(leftover: Leftover) -> None:
        try:
            leftover.kind.remove(clients, leftover.found)
        except ClientError as error:
            if not is_gone(error):
                failures.append(f"{leftover}: {told(error)}")

    with ThreadPoolExecutor(THREADS) as pool:
        for layer in layers({leftover.kind.words: leftover.kind for leftover in leftovers}.values()):
            words = {kind.words for kind in layer}
            list(pool.map(one, [leftover for leftover in leftovers if leftover.kind.words in words]))
    return failures


def _may_be(found: Found, stack: str, kind: Kind) -> bool:
    plain = bare(found.name)
    named = plain == stack or plain.startswith(f"{stack}-")
    return named or not kind.of_its_own_name or (found.tags or {}).get("Stack") == stack
