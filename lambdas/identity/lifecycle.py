"""A session's life: which state follows which, how long it lasts, and which refresh tokens it has."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self

from identity.refresh_tokens import RefreshToken
from paygo.security import Session, SessionState

SESSION_MOVES: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.ANONYMOUS: frozenset({SessionState.REGISTERING, SessionState.REVOKED}),
    # A rejected household may try again with the same session.
    SessionState.REGISTERING: frozenset({SessionState.APPROVED, SessionState.ANONYMOUS, SessionState.REVOKED}),
    SessionState.APPROVED: frozenset({SessionState.AUTHENTICATED, SessionState.REVOKED}),
    SessionState.AUTHENTICATED: frozenset({SessionState.REVOKED}),
    SessionState.REVOKED: frozenset(),
}

ANONYMOUS_FOR = timedelta(hours=24)
"""Anybody may open a session, so its row goes after a day; a bureau that needs minutes has answered by then."""

AUTHENTICATED_FOR = timedelta(days=30)
"""From the last refresh: a household pays about once a month and should not have to sign in anew for each payment."""


class StoredSession(Session):
    """A session with what is stored of its refresh tokens.

    Parameters
    ----------
    refresh_hashes
        The tokens that work now, the newest last. There are two after escalation, until one of them is used.
    refresh_families
        The families of all tokens that the session ever had.
    """

    refresh_hashes: tuple[str, ...]
    refresh_families: tuple[str, ...]

    @classmethod
    def opened(cls, session_id: str, token: RefreshToken, now: datetime) -> Self:
        """Return a new anonymous session."""
        return cls(
            identity_id=token.identity_id,
            session_id=session_id,
            state=SessionState.ANONYMOUS,
            ends_at=now + ANONYMOUS_FOR,
            refresh_hashes=(token.hash,),
            refresh_families=(token.family_hash,),
        )

    def is_over(self, now: datetime) -> bool:
        """Tell whether nothing revives the session."""
        return self.state is SessionState.REVOKED or self.ends_at <= now

    def accepts(self, token: RefreshToken) -> bool:
        """Tell whether the token works now."""
        return token.hash in self.refresh_hashes

    def knows(self, token: RefreshToken) -> bool:
        """Tell whether the token is or was the session's."""
        return token.family_hash in self.refresh_families

    def refreshed(self, token: RefreshToken, now: datetime) -> Self:
        """Return the session with `token` as the only one that works; a household's lasts while it is used."""
        ends_at = now + AUTHENTICATED_FOR if self.state is SessionState.AUTHENTICATED else self.ends_at
        return self.model_copy(update={"refresh_hashes": (token.hash,), "ends_at": ends_at})

    def offered(self, token: RefreshToken) -> Self:
        """Return the session with `token` as one more that works."""
        return self.model_copy(
            update={
                "refresh_hashes": (*self.refresh_hashes, token.hash),
                "refresh_families": (*self.refresh_families, token.family_hash),
            }
        )

    def escalated(self, now: datetime) -> Self:
        """Return the session as its household's."""
        return self.model_copy(update={"state": SessionState.AUTHENTICATED, "ends_at": now + AUTHENTICATED_FOR})
