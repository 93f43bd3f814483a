"""Refusals in the log: who was turned away from what, as one line that is kept as an audit event."""

from collections.abc import Mapping
from datetime import datetime

from aws_lambda_powertools import Logger

from paygo.audit import LONGEST, Act, Origin

logger = Logger()


def tell_refusal(
    reason: str,
    *,
    method: str,
    route: str,
    caller: Mapping[str, str | None],
    origin: Origin,
    request_id: str | None,
    time: datetime,
) -> None:
    """Log that a request was refused.

    Parameters
    ----------
    reason
        The kind of the problem that the caller was told.
    caller
        What is known of the caller, by names such as `identity_hash` and `session_id`; never a secret.
    """
    logger.warning(
        "Refused",
        audit={
            "act": Act.REQUEST_REFUSED.value,
            "reason": reason,
            "method": method,
            "route": route,
            "caller": {name: known for name, known in caller.items() if known},
            "source_ip": origin.source_ip,
            "user_agent": origin.user_agent and origin.user_agent[:LONGEST],
            "request_id": request_id,
            "time": time.isoformat(),
        },
    )
