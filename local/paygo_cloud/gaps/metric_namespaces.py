"""``cloudwatch:namespace``: where a request puts its metrics, for policies that name it.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
"""

import json
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_actions


def install() -> None:
    """Add the namespace to what a policy's conditions see."""
    original = iam_actions.request_tag_context

    def context_of(service: str, action: str, body: bytes, *more: Any) -> dict[str, Any]:
        context: dict[str, Any] = original(service, action, body, *more)
        namespace = _namespace(body) if action == "cloudwatch:PutMetricData" else None
        return context | ({"cloudwatch:namespace": namespace} if namespace else {})

    iam_actions.request_tag_context = context_of


def _namespace(body: bytes) -> str | None:
    """Read it in either of the protocols that clients speak."""
    try:
        found = json.loads(body).get("Namespace")
    except (ValueError, AttributeError):
        found = next(iter(parse_qs(body.decode(errors="replace")).get("Namespace", [])), None)
    return found if isinstance(found, str) else None
