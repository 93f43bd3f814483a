"""Find what a stack has in a cloud and its state does not know, and remove it.

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
from janitor.found import Found, bare, belongs, counted, is_here
from janitor.kinds import KINDS, Kind, layers
from janitor.look import with_tags
from janitor.storage import State

__all__ = ["KINDS", "MADE_BY_DEPLOY", "MADE_BY_DEVICES", "Found", "Kind", "Leftover", "counted", "remove", "sweep"]

THREADS = 16

MADE_BY_DEVICES = tuple(kind for kind in KINDS if kind.by_devices)
MADE_BY_DEPLOY = tuple(kind for kind in KINDS if not kind.by_devices and kind.of_its_own_name)


@dataclass(frozen=True)
class Leftover:
    """A resource of the stack that its state does not know."""

    kind: Kind
    found: Found

    def __str__(self) -> str:
        return f"{self.kind.words} {self.found.name}"


def unknown(found: Iterable[Found], kind: Kind, state: State) -> list[Found]:
    """Give those that Terraform's state does not have."""
    known = {kind.key(attributes) for attributes in state.known(kind.terraform)}
    return [one for one in found if one.id not in known]


def sweep(
    clients: Clients, stack: str, stacks: Iterable[str], state: State, kinds: Sequence[Kind] | None = None
) -> list[Leftover]:
    """Find everything of a stack, of some kinds or of all, that its state does not know."""

    def look(kind: Kind) -> list[Leftover]:
        candidates = [one for one in kind.find(clients, stack) if _may_be(one, stack, kind)]
        strays = [with_tags(clients, kind, one) for one in unknown(candidates, kind, state)]
        region = clients.target.region
        return [Leftover(kind, one) for one in strays if one and is_here(one, region) and belongs(one, stack, stacks)]

    with ThreadPoolExecutor(THREADS) as pool:
        return [leftover for found in pool.map(look, KINDS if kinds is None else kinds) for leftover in found]


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
