"""A log line in the embedded metric format makes the metrics that it names.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import time
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs


def install() -> None:
    """Look at every line where it is also looked at for subscriptions."""
    original = cloudwatch_logs._fanout_to_subscription_filters

    def fan_out(group: str, stream: str, events: list[dict[str, Any]]) -> None:
        for event in events:
            if '"_aws"' in event.get("message", ""):
                _record(event["message"])
        original(group, stream, events)

    cloudwatch_logs._fanout_to_subscription_filters = fan_out


def _record(line: str) -> None:
    try:
        document = json.loads(line)
        told = document["_aws"]
        at = told.get("Timestamp", time.time() * 1000) / 1000
        for directive in told["CloudWatchMetrics"]:
            for names in directive.get("Dimensions") or [[]]:
                dimensions = {name: str(document[name]) for name in names}
                for metric in directive["Metrics"]:
                    values = document[metric["Name"]]
                    cloudwatch._store_datum(
                        directive["Namespace"],
                        metric["Name"],
                        dimensions,
                        at,
                        metric.get("Unit") or "None",
                        None,
                        values if isinstance(values, list) else [values],
                        None,
                        None,
                    )
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # a line that is no metric is only a line
