"""What a third party does at its own restricted routes."""

import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import requests

from paygo_client.models import ManifestReport, Money, Payment
from paygo_client.signatures import API_KEY_HEADER, signed_headers
from paygo_client.transport import Call, Clock, Proof, Query, RetryPolicy, Sleep, Transport, read, utc_now


class PartnerClient:
    """Signs a third party's requests with its key, beside its API key.

    Parameters
    ----------
    api_url
        The API's address with its stage.
    api_key
        The partner's API key.
    key
        The secret that requests are signed with; it is never sent.
    """

    def __init__(
        self,
        api_url: str,
        api_key: str,
        key: str,
        *,
        http: requests.Session | None = None,
        retries: RetryPolicy | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._transport = Transport(api_url, http=http, retries=retries, clock=clock, sleep=sleep)
        self._api_key = api_key
        self._key = key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def import_manifest(self, rows: str) -> ManifestReport:
        """Import a supplier's manifest, a CSV of at most 5,000 rows; a row that is known is never overwritten."""
        return read(
            ManifestReport,
            self.request(
                "POST",
                "/partners/supplier/manifests",
                body=rows.encode(),
                headers={"Content-Type": "text/csv"},
                repeatable=True,
            ),
        )

    def notify_payment(self, *, reference: str, account: str, amount: Money, paid_at: datetime) -> Payment:
        """Notify a payment; the platform books a reference once, however often it is notified.

        Parameters
        ----------
        account
            The serial number that the payer entered.
        """
        notification = {
            "reference": reference,
            "account": account,
            "amount": amount.model_dump(),
            "paid_at": paid_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
        return read(
            Payment,
            self.request(
                "POST",
                "/partners/mobile-money/notifications",
                body=json.dumps(notification).encode(),
                headers={"Content-Type": "application/json"},
                repeatable=True,
            ),
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> requests.Response:
        """Send a signed request and return its good answer.

        Parameters
        ----------
        path
            The contract's path, without the stage.
        repeatable
            Whether it may be sent again after an answer was lost; by default only when it is a GET.
        """
        call = Call(
            method=method,
            path=path,
            query=query,
            body=body,
            headers=headers or {},
            repeatable=method == "GET" if repeatable is None else repeatable,
        )
        return self._transport.send(call, lambda: self._sign(call))

    def _sign(self, call: Call) -> Proof:
        # Every attempt has a nonce of its own: the platform may have seen the one before.
        headers = signed_headers(
            self._key,
            method=call.method,
            path=call.path,
            query=call.query,
            timestamp=str(int(self._transport.clock().timestamp())),
            nonce=secrets.token_urlsafe(24),
            body=call.body,
        )
        return Proof(headers={API_KEY_HEADER: self._api_key, **headers})
