"""A session's life: which state follows which, how long it lasts, and which refresh tokens it has."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self

from identity.refresh_tokens import RefreshToken
from paygo.security import ESCALATED, Session, SessionState

SESSION_MOVES: Mapping[SessionState, frozenset[SessionState]] = {
    # Who registers is approved later; who signs in is approved already.
    SessionState.ANONYMOUS: frozenset({SessionState.REGISTERING, SessionState.APPROVED, SessionState.REVOKED}),
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

FETCHABLE_FOR = timedelta(minutes=5)
"""For how long the answer of an escalation can be asked for again: it may have been lost."""

CREDENTIALS_FOR = timedelta(hours=1)
"""How long Cognito's credentials live: for as long as one may still be shown, the identity and its row are kept."""

FAMILIES_KEPT = 20
"""More than anybody needs who fetches again because an answer was lost, and few enough for an item."""


class StoredSession(Session):
    """A session with what is stored of its refresh tokens.

    Parameters
    ----------
    refresh_hashes
        The token that works, last. Before it, after an escalation, the one from before, which works until the new
        credentials are used.
    refresh_families
        The families of the tokens that the session had.
    """

    refresh_hashes: tuple[str, ...]
    refresh_families: tuple[str, ...]

    @classmethod
    def opened(cls, session_id: str, token: RefreshToken, now: datetime, user_agent: str | None = None) -> Self:
        """Return a new anonymous session."""
        return cls(
            identity_id=token.identity_id,
            session_id=session_id,
            state=SessionState.ANONYMOUS,
            opened_at=now,
            ends_at=now + ANONYMOUS_FOR,
            user_agent=user_agent,
            refresh_hashes=(token.hash,),
            refresh_families=(token.family_hash,),
        )

    def accepts(self, token: RefreshToken) -> bool:
        """Tell whether the token is the one that works."""
        return token.hash == self.refresh_hashes[-1]

    def was_escalated_with(self, token: RefreshToken) -> bool:
        """Tell whether the token is the one that worked when the session was escalated."""
        return token.hash in self.refresh_hashes[:-1]

    def knows(self, token: RefreshToken) -> bool:
        """Tell whether the token is or was the session's."""
        return token.family_hash in self.refresh_families

    def is_fetchable(self, now: datetime) -> bool:
        """Tell whether the new credentials may be fetched again if they were not used yet."""
        return self.state in ESCALATED and self.fetchable_until is not None and now < self.fetchable_until

    def refreshed(self, token: RefreshToken, now: datetime) -> Self:
        """Return the session with `token` as the only one that works; a household's lasts while it is used."""
        ends_at = now + AUTHENTICATED_FOR if self.state in ESCALATED else self.ends_at
        return self.model_copy(
            update={"refresh_hashes": (token.hash,), "fetchable_until": None, "ends_at": ends_at},
        )

    def signed_in(self, household_id: str) -> Self:
        """Return the session as one that may become the household's."""
        return self.model_copy(update={"state": SessionState.APPROVED, "household_id": household_id})

    def escalated(self, token: RefreshToken, now: datetime) -> Self:
        """Return the session as its household's, with `token` beside the one that works."""
        return self._offering(token).model_copy(
            update={
                "state": SessionState.AUTHENTICATED,
                "ends_at": now + AUTHENTICATED_FOR,
                "fetchable_until": now + FETCHABLE_FOR,
            }
        )

    def fetched_again(self, token: RefreshToken) -> Self:
        """Return the session with `token` instead of the one whose answer was lost."""
        return self.model_copy(update={"refresh_hashes": self.refresh_hashes[:-1]})._offering(token)

    def revoked(self, now: datetime) -> Self:
        """Return the session as one that is over since now."""
        return self.model_copy(
            update={"state": SessionState.REVOKED, "ends_at": min(self.ends_at, now), "fetchable_until": None}
        )

    def _offering(self, token: RefreshToken) -> Self:
        first, *others = (*self.refresh_families, token.family_hash)
        return self.model_copy(
            update={
                "refresh_hashes": (*self.refresh_hashes, token.hash),
                "refresh_families": (first, *others[-FAMILIES_KEPT:]),
            }
        )
