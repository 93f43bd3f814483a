"""Calling one stack's API as one session: its secrets, their renewal, and the calls themselves."""

import json
import threading
import time
import uuid
from datetime import timedelta
from typing import Any, Self

import requests

from paygo_client.access import Access, Bearer, Signed
from paygo_client.client import Client
from paygo_client.models import SessionDetails
from paygo_client.transport import Call, Clock, Proof, Query, RetryPolicy, Sleep, Transport, read, utc_now

REFRESH_BEFORE_EXPIRY = timedelta(minutes=5)
JSON = {"Content-Type": "application/json"}


class Caller(Client):
    """A session's secrets and what is done with them whoever calls what.

    A session may be used from several threads at once.
    """

    def __init__(self, transport: Transport, details: SessionDetails, access: Access) -> None:
        super().__init__(transport, access.tree)
        self._details = details
        self._access = access
        # Held while secrets are replaced: a refresh token works once, and using it twice ends the session.
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        api_url: str,
        *,
        bearer: bool = False,
        http: requests.Session | None = None,
        retries: RetryPolicy | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> Self:
        """Open an anonymous session.

        Parameters
        ----------
        api_url
            The API's address with its stage.
        bearer
            Whether to call with the session's bearer token instead of signing.
        """
        transport = Transport(api_url, http=http, retries=retries, clock=clock, sleep=sleep)
        # A second session is harmless: the first one, whose answer was lost, can do nothing and ends by itself.
        answer = transport.send(Call("POST", "/v1/sessions", repeatable=True))
        return cls(transport, read(SessionDetails, answer), _access(bearer))

    @classmethod
    def resume(
        cls,
        api_url: str,
        details: SessionDetails,
        *,
        bearer: bool = False,
        http: requests.Session | None = None,
        retries: RetryPolicy | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> Self:
        """Go on with a session whose `details` were kept."""
        return cls(Transport(api_url, http=http, retries=retries, clock=clock, sleep=sleep), details, _access(bearer))

    @property
    def details(self) -> SessionDetails:
        """The session as it was answered last, with its secrets."""
        with self._lock:
            return self._details

    def refresh(self) -> SessionDetails:
        """Replace the secrets now; calls do so by themselves before these expire."""
        with self._lock:
            body = as_json({"refresh_token": self._details.refresh_token})
            answer = self._transport.send(Call("POST", "/v1/sessions/refresh", body=body, headers=JSON))
            self._details = read(SessionDetails, answer)
            return self._details

    def _prove(self, call: Call) -> Proof:  # noqa: ARG002 (the signer reads the request itself)
        with self._lock:
            self._renew()
            return self._access.prove(self._details, self._transport.clock())

    def _renew(self) -> None:
        """Replace the secrets if they are about to expire."""
        with self._lock:
            if self._transport.clock() >= self._access.ends_at(self._details) - REFRESH_BEFORE_EXPIRY:
                self.refresh()


def _access(bearer: bool) -> Access:
    return Bearer() if bearer else Signed()


def idempotent(key: str | None) -> dict[str, str]:
    """Return the header of one intent; made before the first attempt, so every attempt carries the same."""
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def as_json(value: dict[str, Any]) -> bytes:
    """Return a body."""
    return json.dumps(value, ensure_ascii=False).encode()


def page(cursor: str | None, page_size: int | None) -> Query:
    """Return the query that asks for a page of a list."""
    pairs = {"cursor": cursor, "limit": None if page_size is None else str(page_size)}
    return [(name, value) for name, value in pairs.items() if value is not None]
