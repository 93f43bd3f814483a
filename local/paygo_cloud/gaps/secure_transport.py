"""A request on this machine's loopback counts as one over TLS, as every request of AWS's own endpoints is.

Policies that refuse what comes without TLS would otherwise refuse everything here.
AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
"""

from ministack import app


def install() -> None:
    """Tell policies of TLS wherever a request comes in."""
    original = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, _secure_transport: original(source_ip, True)
