"""The queue of callbacks, and the platform as a partner sees it."""

import math
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from partners.model.callbacks import Callback, CallbackFailed
from paygo.config import scaled
from paygo.correlation import followed
from paygo.messages import CORRELATION_ID, Attributes, text
from paygo.queues import LONGEST_DELAY
from paygo.security import PartnerKeys
from paygo.signatures import NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TIMEOUT = (3, 10)
"""Seconds to connect and to wait for each read; the function's own time-out is longer."""


class QueueOfCallbacks:
    """Callbacks that become visible when they are due."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def put(self, callback: Callback, delay: timedelta) -> None:
        """Keep the callback for the delay, as this stack waits it."""
        seconds = math.ceil(min(scaled(delay), LONGEST_DELAY).total_seconds())
        correlation_id = followed()
        attributes: Attributes = {CORRELATION_ID: text(correlation_id)} if correlation_id else {}
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=callback.model_dump_json(),
            DelaySeconds=seconds,
            MessageAttributes=attributes,
        )


class SignedCalls:
    """The platform's own API, called as a partner does: with its API key and its signature."""

    def __init__(self, keys: Callable[[str], PartnerKeys]) -> None:
        self._keys = keys

    def tell(self, callback: Callback, path: str, now: datetime) -> None:
        """POST the callback's body to its address."""
        # Imported here because taking a request needs no HTTP client.
        import requests

        keys, body = self._keys(callback.partner), callback.body.encode()
        timestamp, nonce = str(int(now.timestamp())), secrets.token_urlsafe(16)
        answered = requests.post(
            callback.url,
            data=body,
            headers={
                "Content-Type": "application/json",
                "X-Api-Key": keys.api_key,
                TIMESTAMP_HEADER: timestamp,
                NONCE_HEADER: nonce,
                SIGNATURE_HEADER: signature(
                    keys.keys.current,
                    method="POST",
                    path=path,
                    query=(),
                    timestamp=timestamp,
                    nonce=nonce,
                    body=body,
                ),
            },
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        if not 200 <= answered.status_code < 300:
            message = f"A call by {callback.partner} to {path} was refused with {answered.status_code}."
            raise CallbackFailed(message)
