"""The two ways in which a session shows who is calling."""

from datetime import datetime
from typing import Protocol

from paygo_client.models import SessionDetails
from paygo_client.sigv4 import SessionAuth
from paygo_client.transport import Proof


class Access(Protocol):
    """A way of calling the API.

    Attributes
    ----------
    tree
        What stands in front of the contract's paths.
    """

    tree: str

    def ends_at(self, details: SessionDetails) -> datetime:
        """Return until when the session's present secrets serve."""
        ...

    def prove(self, details: SessionDetails, now: datetime) -> Proof:
        """Return what makes one attempt accepted."""
        ...


class Signed:
    """Signs each call with the session's IAM credentials, by AWS Signature Version 4."""

    tree = ""

    def ends_at(self, details: SessionDetails) -> datetime:
        """Return when the IAM credentials end."""
        return details.credentials.expires_at

    def prove(self, details: SessionDetails, now: datetime) -> Proof:
        """Return a signer for this moment."""
        return Proof(auth=SessionAuth(details.credentials, details.region, now))


class Bearer:
    """Sends the session's bearer token to the same routes under `/bearer`."""

    tree = "/bearer"

    def ends_at(self, details: SessionDetails) -> datetime:
        """Return when the token ends."""
        return details.bearer.expires_at

    def prove(self, details: SessionDetails, now: datetime) -> Proof:  # noqa: ARG002 (a token is the same at any time)
        """Return the token's header."""
        return Proof(headers={"Authorization": f"Bearer {details.bearer.token}"})
