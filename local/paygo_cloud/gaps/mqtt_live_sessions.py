"""A certificate that is no longer active loses its live sessions, not only the next one.

AWS: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateCertificate.html ("within a few minutes ... IoT
disconnects all devices that used that certificate to connect"; here at once).
"""

import asyncio
from typing import Any

from ministack.services import iot

_closing: set[asyncio.Task[None]] = set()  # a task that nobody holds may be collected before it ran


def install() -> None:
    """Look at the certificate's status after every change of it."""
    original = iot._handle_certificate

    def handle(method: str, path: str, body: bytes, query: dict[str, Any]) -> Any:
        answer = original(method, path, body, query)
        certificate_id = path.rsplit("/", 1)[-1]
        if method in {"PUT", "DELETE"} and answer[0] == 200 and not _is_active(certificate_id):
            _disconnect(certificate_id)
        return answer

    iot._handle_certificate = handle


def _is_active(certificate_id: str) -> bool:
    return (iot._certificates.get(certificate_id) or {}).get("status") == "ACTIVE"


def _disconnect(certificate_id: str) -> None:
    for session in list(iot._connected_clients.values()):
        if getattr(session, "certificate_id", None) == certificate_id:
            session._forced_disconnect_reason = "FORBIDDEN_ACCESS"
            task = asyncio.get_running_loop().create_task(session._send({"type": "websocket.close", "code": 1000}))
            _closing.add(task)
            task.add_done_callback(_closing.discard)
