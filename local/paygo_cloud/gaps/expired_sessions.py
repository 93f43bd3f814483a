"""A session is known for a while after its end, so that its caller is told that it expired and not that it is unknown.

AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_use-resources.html
"""

import time

from ministack.services import sts

REMEMBERED_SECONDS = 12 * 60 * 60
"""The longest that a session may live; who still calls later than that is nobody's forgotten client."""


def install() -> None:
    """Replace the eviction that any new session sets off."""

    def evict() -> None:
        before = time.time() - REMEMBERED_SECONDS
        for key, session in list(sts._sessions.items()):
            ends = session.get("Expiration")
            if isinstance(ends, int | float) and ends < before:
                sts._sessions.pop(key, None)

    sts._evict_expired_sessions = evict
