"""What a consumer does with a message that is not done: it comes back later, or it is dead."""

import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from paygo.config import scaled
from paygo.messages import FIRST_SEEN, NOT_BEFORE, NOT_READY, REASON, Message, number, text

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LONGEST_DELAY = timedelta(seconds=900)
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""
LONGEST_VISIBILITY = timedelta(hours=12)

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=15)

REASON_BYTES = 512
APART = timedelta(seconds=2)
"""So far apart do messages come back of which one may kill its worker."""


class Queue:
    """A function's own queue and the dead-letter queue behind it."""

    def __init__(self, sqs: "SQSClient", url: str, dead_url: str) -> None:
        self._sqs = sqs
        self._url = url
        self._dead_url = dead_url

    @property
    def name(self) -> str:
        """What the queue is called."""
        return self._url.rsplit("/", 1)[-1]

    def put_back(
        self, message: Message, wait: timedelta, now: datetime, *, reason: str | None = None, times_not_ready: int
    ) -> None:
        """Send a copy that comes when the wait is over; the message itself is done with that.

        A queue holds nothing back for longer than 15 minutes: the copy then says before when it is not to be handled.
        """
        attributes = message.attributes() | {
            FIRST_SEEN: text(message.first_seen.isoformat()),
            NOT_READY: number(times_not_ready),
        }
        attributes.pop(NOT_BEFORE, None)
        if wait > LONGEST_DELAY:
            attributes[NOT_BEFORE] = text((now + wait).isoformat())
        if reason is not None:
            attributes[REASON] = text(_sendable(reason))
        self._sqs.send_message(
            QueueUrl=self._url,
            MessageBody=message.body,
            MessageAttributes=attributes,
            DelaySeconds=_seconds(min(wait, LONGEST_DELAY)),
        )

    def bury(self, message: Message, reason: str) -> None:
        """Send a copy to the dead-letter queue: no other try could end differently."""
        self._sqs.send_message(
            QueueUrl=self._dead_url,
            MessageBody=message.body,
            MessageAttributes=message.attributes() | {REASON: text(_sendable(reason))},
        )

    def hide(self, message: Message, wait: timedelta) -> None:
        """Let the message itself come back when the wait is over; that spends one of its receives."""
        self._sqs.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=message.receipt, VisibilityTimeout=_seconds(min(wait, LONGEST_VISIBILITY))
        )

    def separate(self, messages: Sequence[Message], after: timedelta) -> None:
        """Let the messages come back one by one, should they come back, and none of them before `after`."""
        self._sqs.change_message_visibility_batch(
            QueueUrl=self._url,
            Entries=[
                {
                    "Id": str(place),
                    "ReceiptHandle": message.receipt,
                    "VisibilityTimeout": _seconds(after + (place + 1) * APART),
                }
                for place, message in enumerate(messages)
            ],
        )

    def delete(self, message: Message) -> None:
        """Delete the message at once, instead of with its batch."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)


def wait_not_ready(times: int) -> timedelta:
    """Return how long to wait for what was not ready so many times before."""
    longest = _doubled(times)
    return longest * random.uniform(0.5, 1)  # noqa: S311 (it spreads retries and protects nothing)


def wait_failed(receives: int) -> timedelta:
    """Return how long to wait before a message is tried again that failed with so many receives."""
    return _doubled(receives - 1) * random.uniform(0, 1)  # noqa: S311 (it spreads retries and protects nothing)


def _doubled(times: int) -> timedelta:
    # Beyond a handful of doublings the cap holds, and numbers that large are no times any more.
    return scaled(min(FIRST_WAIT * 2 ** min(times, 16), LONGEST_WAIT))


def _seconds(wait: timedelta) -> int:
    # Rounded up: what comes early is not ready again, and in a stack with short delays everything would be early.
    # A wait until a time that is over is none, and SQS takes no less.
    return max(0, math.ceil(wait.total_seconds()))


def _sendable(reason: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in reason)
    return printable.encode()[:REASON_BYTES].decode(errors="ignore") or "no reason given"
