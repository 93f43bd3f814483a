"""A mail keeps the headers and tags it was sent with; here that is what the inspector shows of it.

AWS: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import json
from typing import Any

from ministack.services import ses, ses_v2

SEND = "/v2/email/outbound-emails"


def install() -> None:
    """Add to each mail that was taken what MiniStack leaves out of it."""
    handle = ses_v2.handle_request

    async def handle_and_complete(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        answer = await handle(method, path, headers, body, query_params)
        if method == "POST" and path.rstrip("/") == SEND and answer[0] == 200:
            _complete(json.loads(answer[2])["MessageId"], json.loads(body))
        return answer

    ses_v2.handle_request = handle_and_complete


def _complete(message_id: str, request: dict[str, Any]) -> None:
    simple = request.get("Content", {}).get("Simple", {})
    for mail in ses._sent_emails_list():
        if mail["MessageId"] == message_id:
            mail["Headers"] = {header["Name"]: header["Value"] for header in simple.get("Headers", [])}
            mail["Tags"] = {tag["Name"]: tag["Value"] for tag in request.get("EmailTags", [])}
