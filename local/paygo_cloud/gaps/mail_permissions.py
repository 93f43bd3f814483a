"""Sending mail is allowed on the sender's identity, and not only on everything.

AWS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
"""

import json
from email.utils import parseaddr

from ministack.core import iam_actions

SEND = "/v2/email/outbound-emails"


def install() -> None:
    """Name the sender's identity as the resource of SendEmail."""
    original = iam_actions._ses_v2_resource_arn

    def resource_arn(method: str, path: str, body: bytes, region: str, account_id: str) -> str:
        if method != "POST" or path.rstrip("/") != SEND:
            found: str = original(method, path, body, region, account_id)
            return found
        sender = _sender(body)
        return f"arn:aws:ses:{region}:{account_id}:identity/{sender}" if sender else "*"

    iam_actions._ses_v2_resource_arn = resource_arn


def _sender(body: bytes) -> str:
    try:
        request = json.loads(body)
    except ValueError:
        return ""
    return parseaddr(str(request.get("FromEmailAddress") or ""))[1] if isinstance(request, dict) else ""
