"""What tests chose, in a bucket, and what was asked, in a table."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import ClientError

from partners.model.contract import Request
from partners.usecases.mock import Played, Stored
from paygo.storage import Table, sortable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REMEMBERED = timedelta(days=1)
"""How long a request is kept, and how far a sequence has come."""

CREDENTIALS = frozenset({"authorization", "cookie", "x-api-key"})
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, and what templates and parameters have
_KEY = re.compile(r"[0-9A-Za-z!_.*'()/{}:@~+-]{1,1024}")
LONGEST_BODY = 100_000
"""Characters of a body that are kept: an item may have 400 kB."""


class BucketOfOverrides:
    """Overrides as objects whose keys are those of `partners.usecases.mock.override_keys`."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def find(self, key: str) -> Stored | None:
        """Return what is there; nothing is under a key that a route with other characters would make."""
        if not _KEY.fullmatch(key):
            return None
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        version = f"{found['ETag']}{found['LastModified'].isoformat()}"
        return Stored(version, found["Body"].read().decode())


class TableOfRequests:
    """Requests as items `REQUESTS#<partner>`, and how far sequences have come."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def position(self, sequence: str) -> int:
        """Return how many requests a sequence has answered, and count this one."""
        return int(self._table.add({"pk": f"SEQUENCE#{sequence}", "sk": "POSITION"}, {"requests": 1})["requests"]) - 1

    def record(self, partner: str, request: Request, played: Played | None, now: datetime) -> None:
        """Keep a request and what it was answered, without the credential that it showed."""
        self._table.put(
            {
                "pk": f"REQUESTS#{partner}",
                "sk": f"{sortable(now)}#{uuid4()}",
                "method": request.method,
                "route": request.route,
                "query": dict(request.query),
                "headers": _without_credentials(request.headers),
                "body": request.text[:LONGEST_BODY],
                "status": played.answer.status if played else 404,
                "override": played.override if played else None,
                "received_at": sortable(now),
                "expires_at": int((now + REMEMBERED).timestamp()),
            }
        )


def _without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in CREDENTIALS}
