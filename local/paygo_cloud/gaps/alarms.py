"""DescribeAlarms returns every field that PutMetricAlarm was given, so that a second Terraform plan shows no change.

Both directions follow botocore's model of the operation, in which no field can be forgotten.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html
"""

import json
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
from ministack.services import cloudwatch

# What MiniStack fills in though nobody asked for it, and AWS leaves out.
_ONLY_AS_GIVEN = (
    "AlarmDescription", "Dimensions", "ExtendedStatistic", "MetricName", "Namespace", "Period", "Statistic", "Unit",
)  # fmt: skip


def install() -> None:
    """Wrap the two operations."""
    model: Any = botocore.session.get_session().get_service_model("cloudwatch")
    given_shape = model.operation_model("PutMetricAlarm").input_shape
    described_shape = model.operation_model("DescribeAlarms").output_shape
    original_put = cloudwatch._put_metric_alarm
    original_describe = cloudwatch._describe_alarms

    def put(params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        given = data if is_cbor or is_json else _from_query(given_shape, params, "")
        answer = original_put(params, given, is_cbor, is_json or not is_cbor)
        if answer[0] != 200:
            return answer if is_cbor or is_json else original_put(params, data, is_cbor, is_json)
        alarm = cloudwatch._alarms[given["AlarmName"]]
        for name in _ONLY_AS_GIVEN:
            if given.get(name) in (None, "", []):
                alarm.pop(name, None)
        known = described_shape.members["MetricAlarms"].member.members
        alarm.update({name: value for name, value in given.items() if name in known and name not in alarm})
        return answer if is_cbor or is_json else cloudwatch._xml(200, "PutMetricAlarmResponse", "")

    def describe(params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        if is_cbor or is_json:
            return original_describe(params, data, is_cbor, is_json)
        request = _from_query(model.operation_model("DescribeAlarms").input_shape, params, "")
        answer = original_describe({}, request, False, True)
        if answer[0] != 200:
            return original_describe(params, data, is_cbor, is_json)
        body = _to_xml(described_shape, json.loads(answer[2]))
        return cloudwatch._xml(200, "DescribeAlarmsResponse", f"<DescribeAlarmsResult>{body}</DescribeAlarmsResult>")

    cloudwatch._put_metric_alarm = put
    cloudwatch._describe_alarms = describe


def _from_query(shape: Any, params: dict[str, Any], prefix: str) -> Any:
    """Read a value of the Query protocol, None when the request has none."""
    if shape.type_name == "structure":
        members = {
            name: _from_query(member, params, f"{prefix}.{name}" if prefix else name)
            for name, member in shape.members.items()
        }
        present = {name: value for name, value in members.items() if value is not None}
        return present if present or not prefix else None
    if shape.type_name == "list":
        items: list[Any] = []
        while (item := _from_query(shape.member, params, f"{prefix}.member.{len(items) + 1}")) is not None:
            items.append(item)
        return items or None
    values = params.get(prefix)
    text = values[0] if isinstance(values, list) else values
    return None if text is None else _CONVERT.get(shape.type_name, str)(text)


_CONVERT: dict[str, Any] = {
    "boolean": lambda text: text.lower() == "true",
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
}


def _to_xml(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(
            f"<{name}>{_to_xml(member, value[name])}</{name}>"
            for name, member in shape.members.items()
            if value.get(name) is not None
        )
    if shape.type_name == "list":
        return "".join(f"<member>{_to_xml(shape.member, each)}</member>" for each in value)
    if shape.type_name == "timestamp" and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value).lower() if isinstance(value, bool) else escape(str(value))
