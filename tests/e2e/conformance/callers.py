"""Everybody who calls the API, and how each proves who it is."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase
from requests_aws4auth import AWS4Auth  # type: ignore[import-untyped]

from demo.stage import PartnerKeys
from operate.access import Access as OperatorAccess
from paygo_client import SessionDetails
from paygo_client.signatures import API_KEY_HEADER, signed_headers
from paygo_client.sigv4 import SERVICE, SessionAuth
from tests.e2e.conformance.document import Route, Tree

type Proof = Callable[[PreparedRequest], PreparedRequest]


class Kind(StrEnum):
    """What a caller is to the contract."""

    NOBODY = "nobody"
    ANONYMOUS = "anonymous"
    HOUSEHOLD = "household"
    PARTNER = "partner"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Caller:
    """Somebody who calls, in one of the trees."""

    kind: Kind
    tree: Tree = Tree.SIGNED
    partner: str = ""

    def __str__(self) -> str:
        return f"{self.partner or self.kind}{' by bearer' if self.tree is Tree.BEARER else ''}"

    def may_call(self, route: Route) -> bool:
        """Whether the contract lets it."""
        match route.scheme:
            case None:
                return self.kind is Kind.NOBODY
            case "session":
                return self.kind in route.callers
            case "partner":
                whose = route.path.split("/")[2]
                return whose == self.partner or (whose == "{provider}" and self.partner in PROVIDERS)
            case scheme:
                return self.kind == scheme


PROVIDERS = ("mobile-money", "mobile-wallet")
CALLERS = (
    Caller(Kind.NOBODY),
    Caller(Kind.NOBODY, Tree.BEARER),
    Caller(Kind.ANONYMOUS),
    Caller(Kind.ANONYMOUS, Tree.BEARER),
    Caller(Kind.HOUSEHOLD),
    Caller(Kind.HOUSEHOLD, Tree.BEARER),
    *(Caller(Kind.PARTNER, partner=name) for name in ("supplier", "identity-bureau", *PROVIDERS)),
    Caller(Kind.OPERATOR),
)


class Proved(AuthBase):
    """Proves who calls, at the moment of sending."""

    def __init__(self, prove: Proof) -> None:
        self._prove = prove

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the proof."""
        return self._prove(request)


def signable(request: PreparedRequest) -> PreparedRequest:
    """Take away made-up headers with quotation marks, which requests-aws4auth reads as a shell does."""
    for name, value in list(request.headers.items()):
        if {"'", '"'} & set(str(value)):
            del request.headers[name]
    return request


def by_session(details: SessionDetails, tree: Tree) -> Proved:
    """Prove with a session's credentials, or with its token."""

    def bear(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {details.bearer.token}"
        return request

    def sign(request: PreparedRequest) -> PreparedRequest:
        return SessionAuth(details.credentials, details.region, datetime.now(UTC))(signable(request))

    return Proved(bear if tree is Tree.BEARER else sign)


def by_operator(access: OperatorAccess) -> Proved:
    """Prove with an operator's IAM credentials."""

    def sign(request: PreparedRequest) -> PreparedRequest:
        keys = access.keys()
        signer: Proof = AWS4Auth(keys.access_key, keys.secret_key, access.region, SERVICE, session_token=keys.token)
        return signer(signable(request))

    return Proved(sign)


def by_partner(keys: PartnerKeys, api_url: str) -> Proved:
    """Prove with a third party's API key and the HMAC of exactly this request."""
    stage = urlsplit(api_url).path

    def sign(request: PreparedRequest) -> PreparedRequest:
        parts = urlsplit(str(request.url))
        body = request.body or b""
        signed: Mapping[str, Any] = signed_headers(
            keys.keys.current,
            method=str(request.method),
            path=parts.path.removeprefix(stage),
            query=parse_qsl(parts.query, keep_blank_values=True),
            timestamp=str(int(datetime.now(UTC).timestamp())),
            nonce=secrets.token_urlsafe(24),
            body=body if isinstance(body, bytes) else body.encode(),
        )
        request.headers.update({API_KEY_HEADER: keys.api_key, **signed})
        return request

    return Proved(sign)


def unproved() -> Proved:
    """Prove nothing."""
    return Proved(lambda request: request)
