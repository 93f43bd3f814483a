"""A consumer's own queue, and batches as it hands them over."""

from datetime import UTC, datetime
from typing import Any

import boto3
from pydantic import BaseModel

from tests.unit.conftest import SETTINGS


def batch(*events: BaseModel) -> dict[str, Any]:
    """Return a batch of events that were just sent."""
    sent = str(int(datetime.now(UTC).timestamp() * 1000))
    return {
        "Records": [
            {
                "messageId": f"message-{place}",
                "receiptHandle": f"receipt-{place}",
                "body": event.model_dump_json(),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": sent},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for place, event in enumerate(events, 1)
        ]
    }


class OwnQueue:
    """The queue behind QUEUE_URL."""

    def __init__(self) -> None:
        self._sqs = boto3.client("sqs")
        self._url = self._sqs.create_queue(QueueName=SETTINGS["QUEUE_URL"].rsplit("/", 1)[-1])["QueueUrl"]

    def waiting(self) -> int:
        """Return how many messages wait, those included that are not visible yet."""
        names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return sum(int(number) for number in found.values())
