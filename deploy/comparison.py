"""What Terraform last compared a stack with: it need not be asked again where it would be told the same.

`cdk deploy` passes over a stack whose template is the deployed one, too, and goes by the template alone. Here the
stack's resources have to be there as well, and Terraform compares all of them again after a day, or when told to.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.stack import timestamp
from deploy.storage import delete, folder_hash, read, write
from deploy.target import ROOT
from janitor.clients import Clients
from janitor.storage import State, comparison_key

HOLDS = timedelta(days=1)
"""How long a comparison is worth something: what no listing shows may have been changed by hand since."""

SOURCES = ("terraform", "contracts")
"""The folders that a stack's Terraform reads from: its own, and the contracts that it makes routes and topics of."""

UNASKED = "plan: nothing to change"
"""How a deploy begins its sentence about a stack that Terraform is not asked about."""


def digest(variables: Mapping[str, Any]) -> str:
    """Hash all that Terraform is told: what it reads, and the variables."""
    so_far = json.dumps(variables, sort_keys=True)
    for name in SOURCES:
        so_far = folder_hash(ROOT / name, salt=so_far)
    return so_far


@dataclass(frozen=True)
class Comparison:
    """A comparison of a stack with all that Terraform is told.

    Attributes
    ----------
    inputs, state
        Hashes of what Terraform was told, and of the state that came of it.
    at
        When it was made, as RFC 3339 writes it.
    """

    inputs: str
    state: str
    at: str

    @classmethod
    def just_made(cls, inputs: str, state: State) -> "Comparison":
        return cls(inputs, state.hash, timestamp(datetime.now(UTC)))


def known(clients: Clients, stack: str, inputs: str, state: State, now: datetime) -> Comparison | None:
    """Return the comparison of a stack with these very inputs; None where none is known, or it is too long ago.

    A state that has changed since was another run's.
    """
    try:
        found = Comparison(**(read(clients, comparison_key(stack)) or {}))
    except TypeError:  # there is none, or one of another shape
        return None
    at = datetime.fromisoformat(found.at)
    return found if (found.inputs, found.state) == (inputs, state.hash) and at <= now < at + HOLDS else None


@contextmanager
def kept(clients: Clients, stack: str, made: Comparison, variables: Mapping[str, Any]) -> Iterator[None]:
    """Write a comparison down when what came of it works; when it does not, have Terraform look the next time.

    It is worth nothing, either, where somebody changed a source while Terraform was reading.
    """
    try:
        yield
    except Exception:
        forget(clients, stack)
        raise
    if digest(variables) == made.inputs:
        write(clients, comparison_key(stack), asdict(made))


def forget(clients: Clients, stack: str) -> None:
    """Be sure of nothing from here on: what is changed now may be ended in the middle."""
    delete(clients, comparison_key(stack))
