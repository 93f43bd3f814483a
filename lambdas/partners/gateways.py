"""The queue of answers, and the platform as the bureau sees it."""

import json
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from partners.model import Answer, CallbackFailed
from paygo.security import partner_keys
from paygo.signatures import NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TIMEOUT = (3, 10)
"""Seconds to connect and to wait for each read; the function's own time-out is longer."""


class AnswerQueue:
    """Answers that become visible when they are due."""

    def __init__(self, client: "SQSClient", url: str, delay_seconds: int) -> None:
        self._client = client
        self._url = url
        self._delay_seconds = delay_seconds

    def put(self, answer: Answer) -> None:
        """Keep the answer for the delay."""
        self._client.send_message(
            QueueUrl=self._url, MessageBody=answer.model_dump_json(), DelaySeconds=self._delay_seconds
        )


class SignedCallback:
    """The platform's own API, called as the bureau does: with its API key and its signature."""

    def __init__(self, secret_arn: str) -> None:
        self._secret_arn = secret_arn

    def tell(self, path: str, answer: Answer, now: datetime) -> None:
        """POST the answer to its callback."""
        # Imported here because taking a question needs no HTTP client.
        import requests

        partner = partner_keys(self._secret_arn)
        body = json.dumps({"reference": answer.reference, "outcome": answer.outcome}).encode()
        timestamp, nonce = str(int(now.timestamp())), secrets.token_urlsafe(16)
        answered = requests.post(
            answer.callback_url,
            data=body,
            headers={
                "Content-Type": "application/json",
                "X-Api-Key": partner.api_key,
                TIMESTAMP_HEADER: timestamp,
                NONCE_HEADER: nonce,
                SIGNATURE_HEADER: signature(
                    partner.keys.current,
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
            message = f"The answer {answer.reference} was refused with {answered.status_code}."
            raise CallbackFailed(message)
