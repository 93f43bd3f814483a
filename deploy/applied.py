"""What Terraform was last told about a stack: it need not compare everything again where it would be told the same.

`cdk deploy` passes over a stack whose template is the deployed one, too, and goes by the template alone. Here the
stack's resources have to be there as well, and Terraform compares all of them again after a day, or when told to.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.stack import timestamp
from deploy.storage import delete, folder_hash, read, write
from deploy.target import ROOT
from janitor.clients import Clients
from janitor.storage import State, applied_key

HOLDS = timedelta(days=1)
"""How long a comparison by Terraform is worth something: what nobody lists may have been changed by hand since."""

SOURCES = ("terraform", "contracts")
"""The folders that Terraform reads: its own, and the contracts that it makes routes and topics of."""


def digest(variables: Mapping[str, Any]) -> str:
    """Hash all that Terraform is told: what it reads, and the variables."""
    told = json.dumps(variables, sort_keys=True)
    for name in SOURCES:
        told = folder_hash(ROOT / name, salt=told, suffixes=(".tf", ".yaml", ".json"))
    return told


def since(clients: Clients, stack: str, told: str, state: State, now: datetime) -> datetime | None:
    """Say since when a stack is what Terraform would make of it, as far as is known; None where it has to look.

    A state that has changed since was another run's.
    """
    applied = read(clients, applied_key(stack)) or {}
    if applied.get("told") != told or applied.get("state") != state.version:
        return None
    at = datetime.fromisoformat(applied["at"])
    return at if at <= now < at + HOLDS else None


def note(clients: Clients, stack: str, told: str, state: State) -> None:
    """Write down that Terraform has compared a stack with what it was told, and changed what differed."""
    applied = {"told": told, "state": state.version, "at": timestamp(datetime.now(UTC))}
    write(clients, applied_key(stack), applied)


def forget(clients: Clients, stack: str) -> None:
    """Be sure of nothing from here on: what is changed now may be ended in the middle."""
    delete(clients, applied_key(stack))
