"""The service's collaborators, each made once in a process."""

from functools import cache
from typing import TYPE_CHECKING

from paygo.composition import own_table
from paygo.config import setting
from payments.repository import PaymentTable

if TYPE_CHECKING:
    from payments.gateways import HttpProvider


@cache
def payments() -> PaymentTable:
    """Return where payments and payment requests are kept."""
    return PaymentTable(own_table())


@cache
def provider(name: str) -> "HttpProvider":
    """Return a provider; its notifications come to the route with its name."""
    # Imported here because only the function that calls providers should pay for it in a cold start.
    from payments.gateways import HttpProvider

    return HttpProvider(name, f"{setting('API_URL')}/partners/{name}/notifications")
