"""The data of events that are too large to be published: it waits in S3, and the event says where.

The claim check pattern, with CloudEvents' `dataref` extension.
See https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/dataref.md.
"""

import json
from typing import TYPE_CHECKING

from paygo.messages import Attributes, size

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_MESSAGE_BYTES = 262_144
"""What SNS takes, which is also the size of an asynchronous event (`lambda.quota.async_event_bytes`)."""
KEPT_FREE_BYTES = 1024
"""What a consumer may write on a copy of the message: when it was first seen, and why it was not ready."""

REFERENCE = "dataref"


class UnknownPayload(ValueError):
    """An event refers to data that is not where this stack keeps it."""


class Payloads:
    """The bucket of the data of large events."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def keep(self, event: str) -> str:
        """Keep the event's data and return the event with a reference to it instead."""
        envelope = json.loads(event)
        key = f"events/{envelope['id']}"
        data = json.dumps(envelope.pop("data"), ensure_ascii=False).encode()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=envelope["datacontenttype"])
        return json.dumps(envelope | {REFERENCE: self._uri(key)}, ensure_ascii=False)

    def fetch(self, event: str) -> str:
        """Return the event with the data that it refers to; one that refers to none as it is.

        Raises
        ------
        UnknownPayload
            When the reference leads anywhere but into the stack's own bucket.
        """
        envelope = json.loads(event)
        if not isinstance(envelope, dict) or REFERENCE not in envelope:
            return event
        reference = str(envelope.pop(REFERENCE))
        key = reference.removeprefix(self._uri(""))
        if key == reference:
            message = f"The data of the event is not in {self._bucket}."
            raise UnknownPayload(message)
        found = self._s3.get_object(Bucket=self._bucket, Key=key)
        return json.dumps(envelope | {"data": json.loads(found["Body"].read())}, ensure_ascii=False)

    def _uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


def is_too_large(event: str, attributes: Attributes) -> bool:
    """Tell whether the message has to refer to its data instead of carrying it."""
    return size(event, attributes) + KEPT_FREE_BYTES > MAX_MESSAGE_BYTES


def refers(event: str) -> bool:
    """Tell whether the event may refer to its data: a look that costs nothing."""
    return f'"{REFERENCE}"' in event
