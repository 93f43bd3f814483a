"""What the proxy forwards: requests of a partner's own contract, to the partner's own address, and nothing else."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from pydantic import BaseModel, ConfigDict

from paygo.proxy_messages import FORWARDED, MAX_BODY_BYTES, ProxyRequest, Refusal

_PARAMETER = re.compile(r"\\\{\w+\\\}")
_SEGMENT = "[A-Za-z0-9][A-Za-z0-9._~-]{0,127}"
"""What stands for a parameter of a path: nothing encoded, no dots alone, no slash."""
_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""https://www.rfc-editor.org/rfc/rfc9110#section-5.5"""

_AWS_OWN = IPv6Network("fd00:ec2::/32")
"""Where AWS answers by IPv6 what 169.254.169.254 and its like answer by IPv4."""

type Address = IPv4Address | IPv6Address


class Proxied(BaseModel):
    """A partner behind the proxy: where it is, and the operations of its contract, as `POST /checks/{reference}`."""

    model_config = ConfigDict(frozen=True)

    url: str
    operations: tuple[str, ...]


class NotForwarded(Exception):
    """A request, or its answer, that stops here."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


def check(request: ProxyRequest, partner: Proxied | None) -> Proxied:
    """Return the partner when the request is one of its contract; raise `NotForwarded` when it is not."""
    if partner is None:
        raise NotForwarded(Refusal.UNKNOWN_PARTNER)
    if not any(_is_like(request, operation) for operation in partner.operations):
        raise NotForwarded(Refusal.UNKNOWN_OPERATION)
    for name, value in request.headers.items():
        if name.lower() not in FORWARDED or not _VALUE.fullmatch(value):
            raise NotForwarded(Refusal.HEADER)
    if len(request.body) > MAX_BODY_BYTES:
        raise NotForwarded(Refusal.TOO_LARGE)
    return partner


def _is_like(request: ProxyRequest, operation: str) -> bool:
    method, _, template = operation.partition(" ")
    path = _PARAMETER.sub(_SEGMENT, re.escape(template))
    return request.method == method and re.fullmatch(path, request.path) is not None


def check_addresses(host: str, found: Iterable[str]) -> None:
    """Raise `NotForwarded` when the host's name leads anywhere that no partner is.

    The process's own machine is taken only from a configuration that names it, and never because a name leads there.
    """
    names_itself = host == "localhost" or _is_loopback(host)
    for text in found:
        address = _plain(text)
        if not _is_allowed(address) or (address.is_loopback and not names_itself):
            raise NotForwarded(Refusal.ADDRESS)


def _is_allowed(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address in _AWS_OWN:
        return False
    never = (address.is_link_local, address.is_multicast, address.is_unspecified)
    return not any(never) and (address.is_loopback or not address.is_reserved)


def _plain(text: str) -> Address:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_loopback(host: str) -> bool:
    try:
        return _plain(host).is_loopback
    except ValueError:
        return False
