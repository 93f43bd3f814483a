"""The service's collaborators, made once in each environment."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import TypeAdapter

from partners.gateways.callbacks import QueueOfCallbacks, SignedCalls
from partners.model.contract import Contract
from partners.model.forwarding import Proxied
from partners.repository import BucketOfOverrides, TableOfRequests
from partners.usecases.mock import Partner, Theatre
from paygo.composition import own_table, s3, sqs
from paygo.config import setting
from paygo.partners import PartnerAccess, partner_settings
from paygo.secrets import read_secret
from paygo.security import PartnerKeys, partner_keys

if TYPE_CHECKING:
    from partners.gateways.crm import HttpCrm
    from partners.gateways.partner_network import PartnerNetwork

CONTRACTS = Path(__file__).parent / "contracts"
"""The partners' contracts as JSON; the build puts them into the service's zip."""


@cache
def theatre() -> Theatre:
    """Return all that partners are played with."""
    return Theatre(
        overrides=BucketOfOverrides(s3(), setting("MOCKS_BUCKET")),
        requests=TableOfRequests(own_table()),
        callbacks=QueueOfCallbacks(sqs(), setting("CALLBACKS_QUEUE_URL")),
        api_url=setting("API_URL"),
        new_id=lambda: str(uuid4()),
    )


@cache
def partner(name: str) -> Partner | None:
    """Return a partner to play, if the stack has one of this name."""
    settings = partner_settings().get(name)
    if settings is None:
        return None
    file = CONTRACTS / f"{name}.json"
    contract = Contract(json.loads(file.read_bytes())) if file.exists() else None
    return Partner(name, contract, lambda: read_secret(settings.secret_arn, PartnerAccess).credential)


@cache
def crm() -> "HttpCrm":
    """Return the CRM that is told of activations."""
    # Imported here because only the function that calls it should pay for it in a cold start.
    from partners.gateways.crm import HttpCrm
    from paygo.partners import bearer
    from paygo.partners import partner as called_partner

    return HttpCrm(called_partner("crm", bearer))


@cache
def proxied() -> Mapping[str, Proxied]:
    """Return the partners that only the proxy reaches, by name."""
    return TypeAdapter(dict[str, Proxied]).validate_json(setting("PROXIED"))


@cache
def partner_network() -> "PartnerNetwork":
    """Return the network that they are in."""
    from partners.gateways.partner_network import PartnerNetwork

    return PartnerNetwork()


@cache
def platform() -> SignedCalls:
    """Return the platform's API as partners call it."""
    return SignedCalls(_inbound_keys)


def _inbound_keys(name: str) -> PartnerKeys:
    return partner_keys(partner_settings()[name].inbound_secret_arn)
