"""The service's collaborators, each made once in a process."""

from functools import cache

from ledger.repository import AccountTable
from paygo.composition import own_table


@cache
def accounts() -> AccountTable:
    """Return where the ledger is kept."""
    return AccountTable(own_table())
