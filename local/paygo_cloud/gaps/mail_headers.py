"""A mail keeps the headers and tags it was sent with; here that is what the inspector shows of it.

AWS: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import json
from typing import Any

from ministack import app
from ministack.services import ses_v2

SEND = "/v2/email/outbound-emails"

type Extras = dict[str, dict[str, str]]

_extras: dict[str, Extras] = {}


def install() -> None:
    """Keep of each mail that is taken what MiniStack leaves out of it, and let its inspector show that."""
    handle, inspect = ses_v2.handle_request, app._handle_ses_messages_request

    async def handle_and_keep(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        answer = await handle(method, path, headers, body, query_params)
        if method == "POST" and path.rstrip("/") == SEND and answer[0] == 200:
            _extras[json.loads(answer[2])["MessageId"]] = _extras_of(json.loads(body))
        return answer

    async def inspect_all(*request: Any, **more: Any) -> Any:
        answer = await inspect(*request, **more)
        if answer is None or answer[0] != 200:
            return answer
        shown = json.loads(answer[2])
        for mails in shown["messages"].values():
            for mail in mails:
                mail.update(_extras.get(mail["MessageId"], {}))
        return answer[0], answer[1], json.dumps(shown).encode()

    ses_v2.handle_request = handle_and_keep
    app._handle_ses_messages_request = inspect_all


def _extras_of(request: dict[str, Any]) -> Extras:
    simple = request.get("Content", {}).get("Simple", {})
    return {
        "Headers": {header["Name"]: header["Value"] for header in simple.get("Headers", [])},
        "Tags": {tag["Name"]: tag["Value"] for tag in request.get("EmailTags", [])},
    }
