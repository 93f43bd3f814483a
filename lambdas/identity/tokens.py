"""Bearer tokens: what they say of a session, and which scopes one may have.

A token names its session and carries no rights of its own: docs/bearer-tokens.md says why. Its claims are those of
RFC 9068, without a `client_id`, since no apps are registered.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from identity.model import IdentityRefusal
from paygo.identities import identity_hash
from paygo.security import Kind, Session

TOKENS_FOR = timedelta(hours=1)

type Claims = Mapping[str, str | int]


class ScopeRefused(IdentityRefusal):
    """A scope was asked for that the session, or the token that asks, does not have."""


class Signer(Protocol):
    """Who signs tokens."""

    def sign(self, claims: Claims) -> str:
        """Return the claims as a signed JSON Web Token."""


@dataclass(frozen=True, slots=True)
class TokenMaker:
    """What making a token takes, the same for every session of a stack.

    Parameters
    ----------
    issuer, audience
        What tells the stack's tokens from those of another, which may be signed with the same keys.
    scopes
        The scopes that sessions of each kind may have, as the contract has them.
    """

    signer: Signer
    issuer: str
    audience: str
    scopes: Mapping[Kind, Collection[str]]


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token with what its holder is told of it."""

    token: str
    expires_at: datetime
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"BearerToken(expires_at={self.expires_at!r}, scopes={self.scopes!r})"


def make_token(
    maker: TokenMaker,
    session: Session,
    scopes: Collection[str] | None,
    now: datetime,
    *,
    held: Collection[str] | None = None,
) -> BearerToken:
    """Return a token of the session.

    Parameters
    ----------
    scopes
        What the token is to be for; None for all that the session may do.
    held
        The scopes of the token that the caller came with, since a token never leads to a wider one; None with IAM
        credentials.

    Raises
    ------
    ScopeRefused
        When a scope is asked for that is not the caller's to have.
    """
    may = set(maker.scopes[session.kind])
    if held is not None:
        may &= set(held)
    granted = tuple(sorted(may if scopes is None else set(scopes)))
    if not may.issuperset(granted):
        raise ScopeRefused
    issued_at = now.replace(microsecond=0)
    expires_at = min(issued_at + TOKENS_FOR, session.ends_at.replace(microsecond=0))
    household_id = session.household_id if session.kind is Kind.HOUSEHOLD else None
    claims: Claims = {
        "iss": maker.issuer,
        "aud": maker.audience,
        "sub": household_id or session.session_id,
        "sid": session.session_id,
        "identity_hash": identity_hash(session.identity_id),
        "kind": session.kind.value,
        "scope": " ".join(granted),
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
        "jti": str(uuid4()),
    }
    return BearerToken(maker.signer.sign(claims), expires_at, granted)
