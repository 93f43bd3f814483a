"""The operators' routes of one stack."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from requests_aws4auth import AWS4Auth  # type: ignore[import-untyped]

from operate.access import Access
from operate.answers import Audited, AuditPage, Letter, LetterDetail, LetterPage, Moved, Report, ReportPage
from paygo_client.transport import Call, Proof, Query, Transport, pages, read

PAGE = 100
SERVICE = "execute-api"

type Wanted = Mapping[str, str]
"""Which letters are meant: service, consumer, reason; or which audit events: day, household_id, act."""


class Routes:
    """Calls the routes with the operator's signature; what changes something carries a key, so a retry does it once."""

    def __init__(self, access: Access, transport: Transport | None = None) -> None:
        self._access = access
        self._transport = transport or Transport(access.api_url)

    def letters(self, wanted: Wanted, state: str = "open") -> Iterator[Letter]:
        """Yield all letters of a state that are meant."""
        query = [*wanted.items(), ("state", state), ("limit", str(PAGE))]
        for page in pages(lambda cursor: read(LetterPage, self._get("/operations/dead-letters", query, cursor))):
            yield from page.items

    def letter(self, letter_id: str) -> LetterDetail:
        """Return a letter with its history."""
        return read(LetterDetail, self._get(f"/operations/dead-letters/{letter_id}"))

    def redrive(self, letter_id: str) -> Letter:
        """Send a letter's message again."""
        return read(Letter, self._post(f"/operations/dead-letters/{letter_id}/redrive"))

    def discard(self, letter_id: str, reason: str) -> Letter:
        """Close a letter."""
        return read(Letter, self._post(f"/operations/dead-letters/{letter_id}/discard", {"reason": reason}))

    def redrive_some(self, wanted: Wanted, per_second: float, wait: Callable[[float], None]) -> Iterator[Moved]:
        """Redrive all open letters that are meant, page by page, no faster than asked for."""
        body: dict[str, Any] = {**wanted, "per_second": per_second}
        for moved in self._pages("/operations/redrives", body):
            yield moved
            if moved.next_cursor is not None:
                wait(len(moved.letter_ids) / per_second)

    def discard_some(self, wanted: Wanted, reason: str) -> Iterator[Moved]:
        """Discard all open letters that are meant, page by page."""
        return self._pages("/operations/discards", {"filter": dict(wanted), "reason": reason})

    def reports(self) -> Iterator[Report]:
        """Yield all error reports."""
        query = [("limit", str(PAGE))]
        for page in pages(lambda cursor: read(ReportPage, self._get("/operations/error-reports", query, cursor))):
            yield from page.items

    def audit(self, wanted: Wanted, page_size: int = PAGE) -> Iterator[Audited]:
        """Yield the audit events of a day, a household or both, newest first."""
        query = [*wanted.items(), ("limit", str(page_size))]
        for page in pages(lambda cursor: read(AuditPage, self._get("/operations/audit-events", query, cursor))):
            yield from page.items

    def _pages(self, path: str, body: dict[str, Any]) -> Iterator[Moved]:
        while True:
            moved = read(Moved, self._post(path, body))
            yield moved
            if moved.next_cursor is None:
                return
            # What dies from here on is not meant, or this would have no end.
            body = body | {"cursor": moved.next_cursor, "dead_before": moved.dead_before.isoformat()}

    def _get(self, path: str, query: Query = (), cursor: str | None = None) -> Any:
        after = [("cursor", cursor)] if cursor else []
        return self._transport.send(Call("GET", path, [*query, *after], repeatable=True), self._sign)

    def _post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Idempotency-Key": str(uuid4())}
        text = b""
        if body is not None:
            text = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        return self._transport.send(Call("POST", path, body=text, headers=headers, repeatable=True), self._sign)

    def _sign(self) -> Proof:
        keys = self._access.keys()
        # AWS4Auth is made anew for each attempt, since a signature is good for some minutes only.
        return Proof(
            auth=AWS4Auth(keys.access_key, keys.secret_key, self._access.region, SERVICE, session_token=keys.token)
        )
