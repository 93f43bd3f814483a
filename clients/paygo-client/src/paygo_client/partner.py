"""What a third party does at its own restricted routes."""

import json
import secrets
import time
from datetime import UTC, datetime

import requests

from paygo_client.client import Client
from paygo_client.models import ManifestReport, Money, Payment
from paygo_client.signatures import API_KEY_HEADER, signed_headers
from paygo_client.transport import Call, Clock, Proof, RetryPolicy, Sleep, Transport, read, utc_now


class PartnerClient(Client):
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
        super().__init__(Transport(api_url, http=http, retries=retries, clock=clock, sleep=sleep))
        self._api_key = api_key
        self._key = key

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

    def _prove(self, call: Call) -> Proof:
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
