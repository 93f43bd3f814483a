"""Queues report AWS/SQS metrics by themselves.

AWS reports once a minute; here a change shows within seconds, so that nobody waits for an alarm, and what stays the
same is reported twice a minute.

AWS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import time
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, sqs

from paygo_cloud.periodic import every

LOOK_SECONDS = 2.0
REPORT_SECONDS = 30.0

_reported: dict[tuple[Any, str], tuple[float, float]] = {}
"""When each queue's metric was last reported, and what it was."""


def install() -> None:
    """Look at every queue again and again."""
    every(LOOK_SECONDS, _report)


def _report() -> None:
    now = time.time()
    for scoped_key, queue in sqs._queues.all_items():
        account, region, url = scoped_key
        with request_scope(account, region):
            name = url.rsplit("/", 1)[-1]
            for metric, (value, unit) in _measure(queue, now).items():
                then, before = _reported.get((scoped_key, metric), (0.0, 0.0))
                # A change is a report of its own; something that waits is said again and again.
                if value != before or value or now - then >= REPORT_SECONDS:
                    cloudwatch.record_metric("AWS/SQS", metric, value, unit, {"QueueName": name})
                    _reported[scoped_key, metric] = (now, value)


def _measure(queue: dict[str, Any], now: float) -> dict[str, tuple[float, str]]:
    visible = delayed = in_flight = 0
    oldest = now
    for message in list(queue["messages"]):
        oldest = min(oldest, message.get("sent_at", now))
        if message.get("visible_at", 0) <= now:
            visible += 1
        elif message.get("receive_count", 0):
            in_flight += 1
        else:
            delayed += 1
    return {
        "ApproximateNumberOfMessagesVisible": (visible, "Count"),
        "ApproximateNumberOfMessagesNotVisible": (in_flight, "Count"),
        "ApproximateNumberOfMessagesDelayed": (delayed, "Count"),
        "ApproximateAgeOfOldestMessage": (int(now - oldest), "Seconds"),
    }
