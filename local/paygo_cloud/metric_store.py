"""The metrics that MiniStack keeps, read as CloudWatch reads them: a metric is its name and all of its dimensions.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from collections.abc import Iterable
from typing import Any

from ministack.services import cloudwatch

type Point = dict[str, Any]

LATE_SECONDS = 900
"""How much earlier than the newest point before it a late point may be, for a look back to still find it."""


def points(metric: dict[str, Any], start: float, end: float, unit: str | None = None) -> list[Point]:
    """Return what was recorded from `start` (included) to `end` (not included), newest first."""
    found: list[Point] = []
    dimensions = cloudwatch._dims_from_list(metric.get("Dimensions") or [])
    key = (metric.get("Namespace"), metric.get("MetricName"), cloudwatch._dims_key(dimensions))
    for point in reversed(cloudwatch._metrics.get(key) or []):
        if point["Timestamp"] < start - LATE_SECONDS:
            break
        if start <= point["Timestamp"] < end and unit in (None, point["Unit"]):
            found.append(point)
    return found


def statistic(recorded: Iterable[Point], name: str) -> float | None:
    """Return one statistic of the points, None when there are none to take it from."""
    recorded = list(recorded)
    statistics = cloudwatch._calc_stats(recorded)
    return cloudwatch._stat_value(statistics, name, recorded) if statistics else None
