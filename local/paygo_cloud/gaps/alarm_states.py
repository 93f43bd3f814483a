"""Alarms are evaluated by themselves, on the metrics they name, and tell their topics of every change of state.

MiniStack evaluates an alarm when a metric is put, on all metrics of that name whatever their dimensions, and no
expressions. CloudWatch evaluates once a minute; here every second, over the same periods counted back from now.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import get_account_id, request_scope
from ministack.services import cloudwatch, sns

from paygo_cloud import metric_math, metric_store
from paygo_cloud.metric_math import Series
from paygo_cloud.periodic import every

type Alarm = dict[str, Any]

EVALUATE_SECONDS = 1.0
REGION_NAMES = {"us-east-1": "US East (N. Virginia)", "eu-west-1": "EU (Ireland)", "eu-central-1": "EU (Frankfurt)"}

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (lambda value, threshold: value >= threshold, "greater than or equal to"),
    "GreaterThanThreshold": (lambda value, threshold: value > threshold, "greater than"),
    "LessThanThreshold": (lambda value, threshold: value < threshold, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, threshold: value <= threshold, "less than or equal to"),
}
_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def install() -> None:
    """Evaluate on a clock of our own, and no more when a metric or an alarm is put."""
    cloudwatch._evaluate_alarm = lambda _: None
    cloudwatch._evaluate_all_alarms = lambda: None
    cloudwatch._dispatch_alarm_actions = _tell
    every(EVALUATE_SECONDS, _evaluate_all)


def _evaluate_all() -> None:
    for (account, region, _), alarm in list(cloudwatch._alarms._data.items()):
        with request_scope(account, region):
            try:
                _evaluate(alarm)
            except metric_math.MathError as error:
                alarm["StateReason"] = f"The expression cannot be evaluated: {error}"


def _evaluate(alarm: Alarm) -> None:
    if not alarm.get("Metrics") and not alarm.get("MetricName"):
        return  # it is being put
    count = alarm["EvaluationPeriods"]
    now = time.time()
    period = _period(alarm)
    starts = [now - period * back for back in range(count, 0, -1)]
    values = _values(alarm, starts, period)
    state, reason = _judge(alarm, [values.get(start) for start in starts], starts)
    if state is None or state == alarm["StateValue"]:
        return
    before, alarm["StateValue"] = alarm["StateValue"], state
    alarm["StateReason"] = reason
    alarm["StateUpdatedTimestamp"] = alarm["StateTransitionedTimestamp"] = int(now)
    data = {"version": "1.0", "queryDate": _instant(now), "period": period, "threshold": alarm.get("Threshold")}
    data["recentDatapoints"] = [values[start] for start in starts if start in values]
    alarm["StateReasonData"] = json.dumps(data)
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason, reason_data=data)
    _tell(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _period(alarm: Alarm) -> int:
    queries = alarm.get("Metrics") or [alarm]
    return max(int(query.get("Period") or query.get("MetricStat", {}).get("Period") or 0) for query in queries) or 60


def _values(alarm: Alarm, starts: Sequence[float], period: int) -> Series:
    if not alarm.get("Metrics"):
        stat = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return _series(alarm, stat, starts, period, alarm.get("Unit"))
    found: dict[str, Series] = {}
    waiting = {query["Id"]: query for query in alarm["Metrics"] if query.get("Expression")}
    for query in alarm["Metrics"]:
        if given := query.get("MetricStat"):
            found[query["Id"]] = _series(given["Metric"], given["Stat"], starts, period, given.get("Unit"))
    while waiting:  # an expression may name others
        ready = next((each for each in waiting.values() if not _names(each["Expression"]) & waiting.keys()), None)
        if ready is None:
            raise metric_math.MathError("expressions name each other")
        found[ready["Id"]] = metric_math.evaluate(ready["Expression"], found, starts)
        del waiting[ready["Id"]]
    returned = [query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True)]
    return found[returned[0]]


def _names(expression: str) -> set[str]:
    return set("".join(each if each.isalnum() or each == "_" else " " for each in expression).split())


def _series(metric: dict[str, Any], stat: str, starts: Sequence[float], period: int, unit: str | None) -> Series:
    recorded = metric_store.points(metric, starts[0], starts[-1] + period, unit)
    series: Series = {}
    for start in starts:
        inside = [point for point in recorded if start <= point["Timestamp"] < start + period]
        if (value := metric_store.statistic(inside, stat)) is not None:
            series[start] = value
    return series


def _judge(alarm: Alarm, values: list[float | None], starts: Sequence[float]) -> tuple[str | None, str]:
    """Return the state that the periods stand for, None where it stays as it is, and why."""
    treatment = alarm.get("TreatMissingData") or "missing"
    needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    breaches, words = _COMPARISONS[alarm["ComparisonOperator"]]
    threshold = float(alarm.get("Threshold") or 0)
    known = [(value, start) for value, start in zip(values, starts, strict=True) if value is not None]
    missing = len(values) - len(known)
    if not known and treatment == "missing":
        return "INSUFFICIENT_DATA", f"Insufficient Data: {_count(missing, 'datapoint was', 'datapoints were')} unknown."
    if not known and treatment == "ignore":
        return None, ""
    over = [(value, start) for value, start in known if breaches(value, threshold)]
    filled = missing if treatment == "breaching" else 0
    state = "ALARM" if len(over) + filled >= needed else "OK"
    if state == "OK" and len(over) == len(known) and treatment in {"missing", "ignore"}:
        return None, ""  # all that is known breaches, and too little is known
    if not known:
        told = {"breaching": "Breaching", "notBreaching": "NonBreaching"}[treatment]
        return state, (
            f"Threshold Crossed: no datapoints were received for {_count(missing, 'period', 'periods')} and "
            f"{_count(missing, 'missing datapoint was', 'missing datapoints were')} treated as [{told}]."
        )
    shown = over if state == "ALARM" and over else known
    points = ", ".join(f"{value} ({datetime.fromtimestamp(start, UTC):%d/%m/%y %H:%M:%S})" for value, start in shown)
    verb = "was" if len(shown) == 1 else "were"
    sense = "" if state == "ALARM" else "not "
    return state, (
        f"Threshold Crossed: {_count(len(shown), 'datapoint', 'datapoints')} [{points}] {verb} {sense}{words} "
        f"the threshold ({threshold})."
    )


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _tell(alarm: Alarm, before: str, state: str, reason: str) -> None:
    """Publish the change to the topics that the alarm names for its new state."""
    if not alarm.get("ActionsEnabled", True):
        return
    topics = [action for action in alarm.get(_ACTIONS[state]) or [] if cloudwatch._is_sns_action_arn(action)]
    region = alarm["AlarmArn"].split(":")[3]
    region_name = REGION_NAMES.get(region, region)
    message = json.dumps(_message(alarm, before, state, reason, region_name))
    subject = f'{state}: "{alarm["AlarmName"]}" in {region_name}'[:100]
    for topic in topics:
        if sns.topic_policy_allows(topic, "cloudwatch.amazonaws.com", alarm["AlarmArn"], get_account_id()):
            sns.publish_internal(topic, message, subject)
        else:
            cloudwatch.logger.warning("%s may not publish to %s", alarm["AlarmName"], topic)


def _message(alarm: Alarm, before: str, state: str, reason: str, region_name: str) -> dict[str, Any]:
    changed = alarm.get("AlarmConfigurationUpdatedTimestamp") or 0
    return {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": get_account_id(),
        "AlarmConfigurationUpdatedTimestamp": _instant(changed),
        "NewStateValue": state,
        "NewStateReason": reason,
        "StateChangeTime": _instant(time.time()),
        "Region": region_name,
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": before,
        "OKActions": alarm.get("OKActions") or [],
        "AlarmActions": alarm.get("AlarmActions") or [],
        "InsufficientDataActions": alarm.get("InsufficientDataActions") or [],
        "Trigger": _trigger(alarm),
    }


def _trigger(alarm: Alarm) -> dict[str, Any]:
    common = {
        "Period": _period(alarm),
        "EvaluationPeriods": alarm.get("EvaluationPeriods"),
        "DatapointsToAlarm": alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods"),
        "ComparisonOperator": alarm.get("ComparisonOperator"),
        "Threshold": alarm.get("Threshold"),
        "TreatMissingData": alarm.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile") or "",
    }
    if alarm.get("Metrics"):
        return common | {"Metrics": [_with_small_dimensions(query) for query in alarm["Metrics"]]}
    named = {
        "MetricName": alarm.get("MetricName"),
        "Namespace": alarm.get("Namespace"),
        "StatisticType": "ExtendedStatistic" if alarm.get("ExtendedStatistic") else "Statistic",
        "Statistic": (alarm.get("Statistic") or "").upper() or None,
        "ExtendedStatistic": alarm.get("ExtendedStatistic"),
        "Unit": alarm.get("Unit"),
        "Dimensions": _small(alarm.get("Dimensions") or []),
    }
    return {name: value for name, value in named.items() if value is not None or name == "Unit"} | common


def _with_small_dimensions(query: dict[str, Any]) -> dict[str, Any]:
    if "MetricStat" not in query:
        return query
    given = query["MetricStat"]
    metric = given["Metric"] | {"Dimensions": _small(given["Metric"].get("Dimensions") or [])}
    return query | {"MetricStat": given | {"Metric": metric}}


def _small(dimensions: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"value": each["Value"], "name": each["Name"]} for each in dimensions]


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
