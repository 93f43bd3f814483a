"""The service's collaborators, each made once in a process."""

from functools import cache

from paygo.composition import own_table
from payments.repository import PaymentTable


@cache
def payments() -> PaymentTable:
    """Return where payments are kept."""
    return PaymentTable(own_table())
