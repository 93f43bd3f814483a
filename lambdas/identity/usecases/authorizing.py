"""Deciding what a bearer token opens: all routes of its scopes, and none of them once its session is over."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from paygo.security import Caller, Callers, Kind, Session

type Routes = Mapping[Kind, Mapping[str, Collection[str]]]
"""The routes of each scope for each kind of caller, as `GET/bearer/v1/devices/*`."""


class TokenRefused(Exception):
    """A token is not one of ours for this stack, or not any more; the reason is for the log."""

    def __init__(self, reason: str, caller: Caller | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.caller = caller


class Claims(BaseModel):
    """What a token says."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    session_id: str = Field(alias="sid")
    identity_hash: str
    kind: Kind
    scope: str
    issued_at: AwareDatetime = Field(alias="iat")
    expires_at: AwareDatetime = Field(alias="exp")

    def caller(self) -> Caller:
        """Return whose the token is."""
        return Caller(self.identity_hash, self.kind, self.session_id, frozenset(self.scope.split()))


class Verifier(Protocol):
    """Who knows which tokens are ours."""

    def verify(self, token: str, now: datetime) -> Claims:
        """Return what the token says; raise `TokenRefused` when it is not ours, not for this stack or not any more."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token opens.

    Parameters
    ----------
    allowed
        Every route of its scopes, not only the one that was asked for: API Gateway reuses the answer for all of them.
    denied
        The routes of other scopes that `allowed` would open as well, since its `*` stands for slashes too.
    """

    session: Session
    caller: Caller
    allowed: tuple[str, ...]
    denied: tuple[str, ...]


def authorize(verifier: Verifier, callers: Callers, routes: Routes, token: str, now: datetime) -> Grant:
    """Return what the token opens.

    Raises
    ------
    TokenRefused
        When it is not ours, not for this stack or not any more, or when its session is over or has been escalated since
        (but for as long as its new credentials can be fetched again).
    """
    caller = verifier.verify(token, now).caller()
    session = callers.known(caller, now, fetching=True)
    if session is None:
        raise TokenRefused("session-refused", caller)
    by_scope = routes[caller.kind]
    allowed = {route for scope in caller.scopes or () for route in by_scope.get(scope, ())}
    if not allowed:
        raise TokenRefused("token-without-scope", caller)
    everything = {route for scopes in routes.values() for known in scopes.values() for route in known}
    denied = {route for route in everything - allowed if any(fnmatchcase(route, wide) for wide in allowed)}
    return Grant(session, caller, tuple(sorted(allowed)), tuple(sorted(denied)))
