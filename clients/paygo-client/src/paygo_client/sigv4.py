"""AWS Signature Version 4 of the calls that a session makes."""

from datetime import UTC, datetime

from requests import PreparedRequest
from requests.auth import AuthBase
from requests_aws4auth import AWS4Auth  # type: ignore[import-untyped]

from paygo_client.models import Credentials

SERVICE = "execute-api"


class SessionAuth(AuthBase):
    """Signs a request with a session's credentials, for the URL exactly as it is sent.

    A stage's name and, on the embedded cloud, the path in front of it belong to that URL, and API Gateway checks the
    signature against all of it.
    """

    def __init__(self, credentials: Credentials, region: str, now: datetime) -> None:
        self._credentials = credentials
        self._region = region
        self._now = now.astimezone(UTC)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the signature's headers."""
        # AWS4Auth is not thread-safe, so every request has one of its own; it takes the time from the header.
        request.headers["X-Amz-Date"] = self._now.strftime("%Y%m%dT%H%M%SZ")
        sign = AWS4Auth(
            self._credentials.access_key_id,
            self._credentials.secret_access_key,
            self._region,
            SERVICE,
            self._now.strftime("%Y%m%d"),
            session_token=self._credentials.session_token,
        )
        signed: PreparedRequest = sign(request)
        return signed
