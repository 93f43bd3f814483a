"""DescribeAlarms returns every field that PutMetricAlarm was given, so that a second Terraform plan shows no change.

Both directions follow botocore's model of the operation, in which no field can be forgotten.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html
"""

import json
from typing import Any

import botocore.session
from ministack.services import cloudwatch

from paygo_cloud.query_protocol import from_query, to_xml

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
        given = data if is_cbor or is_json else from_query(given_shape, params)
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
        request = from_query(model.operation_model("DescribeAlarms").input_shape, params)
        answer = original_describe({}, request, False, True)
        if answer[0] != 200:
            return original_describe(params, data, is_cbor, is_json)
        body = to_xml(described_shape, json.loads(answer[2]))
        return cloudwatch._xml(200, "DescribeAlarmsResponse", f"<DescribeAlarmsResult>{body}</DescribeAlarmsResult>")

    cloudwatch._put_metric_alarm = put
    cloudwatch._describe_alarms = describe
