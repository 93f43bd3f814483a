"""A subscription filter lets through what its pattern says, to the alias that it names.

MiniStack looks for the words of a pattern anywhere, all of them, and calls a function's unpublished code.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import base64
import gzip
import json
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, new_uuid
from ministack.services import cloudwatch_logs

from paygo_cloud import log_patterns
from paygo_cloud.gaps import async_invocations


def install() -> None:
    """Replace what delivers lines, and refuse patterns that cannot be."""
    cloudwatch_logs._fanout_to_subscription_filters = _fan_out
    cloudwatch_logs._put_subscription_filter = _refusing(cloudwatch_logs._put_subscription_filter)
    cloudwatch_logs._filter_log_events = _refusing(cloudwatch_logs._filter_log_events)
    cloudwatch_logs._compile_filter_pattern = log_patterns.compile_pattern


def _refusing(original: Any) -> Any:
    def handle(data: dict[str, Any]) -> Any:
        try:
            log_patterns.compile_pattern(data.get("filterPattern") or "")
        except log_patterns.PatternError as error:
            return error_response_json("InvalidParameterException", str(error), 400)
        return original(data)

    return handle


def _fan_out(group: str, stream: str, events: list[dict[str, Any]]) -> None:
    for subscription in ((cloudwatch_logs._log_groups.get(group) or {}).get("subscriptionFilters") or {}).values():
        destination = subscription.get("destinationArn", "")
        if ":function:" not in destination or group == f"/aws/lambda/{destination.split(':')[6]}":
            continue  # its own lines would come round and round
        matches = log_patterns.compile_pattern(subscription.get("filterPattern") or "")
        matched = [event for event in events if matches(event.get("message", ""))]
        if not matched:
            continue
        told = {
            "messageType": "DATA_MESSAGE",
            "owner": get_account_id(),
            "logGroup": group,
            "logStream": stream,
            "subscriptionFilters": [subscription["filterName"]],
            "logEvents": [
                {"id": new_uuid().replace("-", ""), "timestamp": event["timestamp"], "message": event["message"]}
                for event in matched
            ],
        }
        data = base64.b64encode(gzip.compress(json.dumps(told).encode())).decode()
        async_invocations.invoke(destination, {"awslogs": {"data": data}})
