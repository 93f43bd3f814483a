"""A metric is asked for with exactly its dimensions, expressions are worked out, and new points are not lost.

MiniStack gives a request without dimensions every metric of that name, and knows no expressions.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
"""

import time
from collections.abc import Callable
from typing import Any

import botocore.session
from ministack.services import cloudwatch

from paygo_cloud import metric_math, metric_store
from paygo_cloud.metric_math import Series
from paygo_cloud.query_protocol import from_query, to_xml

type Answer = tuple[int, dict[str, str], bytes]
type Handler = Callable[..., Answer]


def install() -> None:
    """Replace the two questions and the eviction that goes before every request."""
    cloudwatch._get_metric_statistics = _handler("GetMetricStatistics", _statistics)
    cloudwatch._get_metric_data = _handler("GetMetricData", _data)
    cloudwatch._evict_old_metrics = _evict


def _evict() -> None:
    """Forget in place: a list that is replaced loses what another thread adds meanwhile."""
    before = time.time() - cloudwatch.TWO_WEEKS_SECONDS
    for points in list(cloudwatch._metrics.values()):
        while points and points[0]["Timestamp"] < before:
            del points[0]


def _handler(operation: str, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Handler:
    model: Any = botocore.session.get_session().get_service_model("cloudwatch").operation_model(operation)

    def handle(params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Answer:
        request = data if is_cbor or is_json else from_query(model.input_shape, params)
        try:
            answered = answer(request)
        except metric_math.MathError as error:
            refused: Answer = cloudwatch._error("ValidationError", str(error), 400, is_json, is_cbor)
            return refused
        if is_cbor:
            ok: Answer = cloudwatch._cbor_ok(_tagged(model.output_shape, answered))
        elif is_json:
            ok = cloudwatch._json_ok(answered)
        else:
            body = f"<{operation}Result>{to_xml(model.output_shape, answered)}</{operation}Result>"
            ok = cloudwatch._xml(200, f"{operation}Response", body)
        return ok

    return handle


def _tagged(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {name: _tagged(shape.members[name], each) for name, each in value.items() if name in shape.members}
    if shape.type_name == "list":
        return [_tagged(shape.member, each) for each in value]
    return cloudwatch._cbor_timestamp(value) if shape.type_name == "timestamp" else value


def _statistics(request: dict[str, Any]) -> dict[str, Any]:
    period = int(request["Period"])
    buckets: dict[float, list[metric_store.Point]] = {}
    for point in metric_store.points(request, *_range(request), request.get("Unit")):
        buckets.setdefault(point["Timestamp"] // period * period, []).append(point)
    datapoints = []
    for start in sorted(buckets):
        inside = buckets[start]
        datapoint: dict[str, Any] = {"Timestamp": start, "Unit": inside[0]["Unit"]}
        datapoint |= {name: metric_store.statistic(inside, name) for name in request.get("Statistics") or []}
        extended = {name: metric_store.statistic(inside, name) for name in request.get("ExtendedStatistics") or []}
        datapoints.append(datapoint | ({"ExtendedStatistics": extended} if extended else {}))
    return {"Label": request["MetricName"], "Datapoints": datapoints}


def _data(request: dict[str, Any]) -> dict[str, Any]:
    start, end = _range(request)
    queries = request["MetricDataQueries"]
    period = max((int(query["MetricStat"]["Period"]) for query in queries if query.get("MetricStat")), default=60)
    periods = [period * count for count in range(int(start // period), int(-(-end // period)))]
    found: dict[str, Series] = {}
    for query in queries:
        if stat := query.get("MetricStat"):
            found[query["Id"]] = _series(stat, start, end)
    for query in queries:
        if expression := query.get("Expression"):
            found[query["Id"]] = metric_math.evaluate(expression, found, periods)
    is_oldest_first = request.get("ScanBy") == "TimestampAscending"
    results = []
    for query in queries:
        if query.get("ReturnData", True):
            series = sorted(found[query["Id"]].items(), reverse=not is_oldest_first)
            name = query.get("MetricStat", {}).get("Metric", {}).get("MetricName")
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label") or name or query["Id"],
                    "Timestamps": [at for at, _ in series],
                    "Values": [value for _, value in series],
                    "StatusCode": "Complete",
                }
            )
    return {"MetricDataResults": results}


def _series(stat: dict[str, Any], start: float, end: float) -> Series:
    period = int(stat["Period"])
    buckets: dict[float, list[metric_store.Point]] = {}
    for point in metric_store.points(stat["Metric"], start, end, stat.get("Unit")):
        buckets.setdefault(point["Timestamp"] // period * period, []).append(point)
    values = {at: metric_store.statistic(inside, stat["Stat"]) for at, inside in buckets.items()}
    return {at: value for at, value in values.items() if value is not None}


def _range(request: dict[str, Any]) -> tuple[float, float]:
    return cloudwatch._parse_ts(request["StartTime"]), cloudwatch._parse_ts(request["EndTime"])
