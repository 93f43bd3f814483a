"""The providers, one module each, found by its name: `some-provider` is `some_provider.py`.

A module has what `Gateway` lists, and nothing else in the service knows the provider; PARTNERS, which is
made of Terraform's list of partners, names it.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from paygo.partners import PartnerClient, partner
from payments.model import Notification, PaymentRequest


class Gateway(Protocol):
    """What a provider's module has."""

    @property
    def authenticate(self) -> Callable[[str], Mapping[str, str]]:
        """How the provider wants to be shown our credential: `paygo.partners.api_key` or `bearer`."""

    @property
    def request(self) -> Callable[[PartnerClient, PaymentRequest, str, str], None]:
        """Ask for a payment: by its client, a request, the address for notifications and the intent.

        It raises `RequestRefused` when the provider will not ask this payer for this amount.
        """

    @property
    def parse_notification(self) -> Callable[[str, bytes], Notification]:
        """Return what a body from the provider of that name notifies; raise pydantic's error when it is wrong."""


@cache
def gateway(provider: str) -> Gateway:
    """Return the module of a provider, which PARTNERS has to name."""
    return cast("Gateway", import_module(f"{__name__}.{provider.replace('-', '_')}"))


class HttpProvider:
    """A provider behind its URL; it notifies on `notify_url`."""

    def __init__(self, name: str, notify_url: str) -> None:
        self._gateway = gateway(name)
        self._client = partner(name, self._gateway.authenticate)
        self._notify_url = notify_url

    def request(self, request: PaymentRequest, intent: str) -> None:
        """Ask the payer."""
        self._gateway.request(self._client, request, self._notify_url, intent)
