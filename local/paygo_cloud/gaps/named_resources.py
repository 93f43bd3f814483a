"""Calls that name an alarm or a rule are judged by it, and not as calls on everything.

AWS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
"""

import json
from typing import Any

from ministack.core import iam_actions


def install() -> None:
    """Find the resource of DeleteAlarms, and of the calls that name a rule by `Rule`."""
    original = iam_actions.extract_resource_arn

    def resource_arn(service: str, *request: Any) -> str:
        *_, body, query_params, region, account_id = request
        found: str = original(service, *request)
        if found != "*":
            return found
        here = f"{region}:{account_id}"
        if service == "events" and (rule := _read(body).get("Rule")):
            return f"arn:aws:events:{here}:rule/{rule}"
        if service == "monitoring" and (alarm := _alarm(body, query_params)):
            return f"arn:aws:cloudwatch:{here}:alarm:{alarm}"
        return found

    iam_actions.extract_resource_arn = resource_arn


def _alarm(body: bytes, query_params: dict[str, Any]) -> str | None:
    """Return the one alarm that is named; several are judged as everything, which allows no more than AWS does."""
    listed = [value for name, value in query_params.items() if name.startswith("AlarmNames.member.")]
    names = [each[0] if isinstance(each, list) else each for each in listed] or _read(body).get("AlarmNames")
    return str(names[0]) if isinstance(names, list) and len(names) == 1 else None


def _read(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
