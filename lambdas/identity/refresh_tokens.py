"""Refresh tokens: each works once."""

import re
import secrets
from dataclasses import dataclass
from typing import Self

from identity.hashes import sha256
from identity.model import IdentityRefusal

_HALF = 22
"""Characters of 16 random bytes in URL-safe Base64."""
_TOKEN = re.compile(rf"(?P<identity>[^.\s]{{1,128}})\.(?P<secret>[A-Za-z0-9_-]{{{2 * _HALF}}})")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token that works once: `<identity id>.<secret>`, of which only hashes are stored.

    The secret's first half is its family: it stays the same from one token to the next, so that one hash in the
    session's row tells a token that was used before (somebody copied it) from one that the session never had (somebody
    guesses). The second half is drawn anew for each token. Each half is 128 bits of chance.
    """

    identity_id: str
    secret: str

    @classmethod
    def new(cls, identity_id: str) -> Self:
        """Draw the first token of a family."""
        return cls(identity_id, secrets.token_urlsafe(16) + secrets.token_urlsafe(16))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the token that `text` is, if it is one."""
        found = _TOKEN.fullmatch(text)
        return cls(found["identity"], found["secret"]) if found else None

    def next(self) -> Self:
        """Draw the next token of the family."""
        return type(self)(self.identity_id, self.secret[:_HALF] + secrets.token_urlsafe(16))

    def __str__(self) -> str:
        return f"{self.identity_id}.{self.secret}"

    def __repr__(self) -> str:
        return "RefreshToken(...)"

    @property
    def hash(self) -> str:
        """What is stored of the token."""
        return sha256(self.secret)

    @property
    def family_hash(self) -> str:
        """What is stored of the token's family."""
        return sha256(self.secret[:_HALF])


class RefreshRefused(IdentityRefusal):
    """The refresh token is unknown, was used before, or its session is over."""


class RegistrationUndecided(IdentityRefusal):
    """The session's registration is not approved."""
