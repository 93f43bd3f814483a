"""No MQTT without a client certificate, and no WebSocket MQTT without a signature.

AWS: https://docs.aws.amazon.com/iot/latest/developerguide/client-authentication.html,
https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html
"""

import ssl
from typing import Any

from ministack.core.iam_evaluator import AuthError
from ministack.services import iot


def install() -> None:
    """Make the certificate and the signature a condition of the handshake."""
    original_context = iot._mtls_build_ssl_context
    original_check = iot._ws_handshake_check

    def ssl_context() -> ssl.SSLContext:
        context: ssl.SSLContext = original_context()
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def handshake_check(scope: dict[str, Any]) -> Any:
        checked = original_check(scope)
        return AuthError("MissingAuthenticationToken", "Missing Authentication Token") if checked is None else checked

    iot._mtls_build_ssl_context = ssl_context
    iot._ws_handshake_check = handshake_check
