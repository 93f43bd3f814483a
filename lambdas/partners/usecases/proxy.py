"""Forwarding a request to a partner that only its own network reaches."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from partners.model.forwarding import NotForwarded, Proxied, check
from paygo.proxy_messages import ProxyAnswer, ProxyRequest, Refused


@dataclass(frozen=True, slots=True)
class Answered:
    """What a partner answered, as far as it comes back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Network(Protocol):
    """The partner's network."""

    def send(self, request: ProxyRequest, partner: Proxied) -> Answered:
        """Send the request; raise `NotForwarded` when there is no answer or it may not pass."""


def forward(proxied: Mapping[str, Proxied], network: Network, request: ProxyRequest) -> ProxyAnswer | Refused:
    """Send a request of the partner's contract, and return what the partner answered or why it did not."""
    try:
        answered = network.send(request, check(request, proxied.get(request.partner)))
    except NotForwarded as stopped:
        return Refused(refused=stopped.refusal)
    body = base64.b64encode(answered.body)
    return ProxyAnswer(status=answered.status, headers=answered.headers, body=body)
