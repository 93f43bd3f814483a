"""How a session's row says when it is over."""

from datetime import datetime, timedelta
from typing import Any

from paygo.storage import sortable

ENDS_AT = "ends_at"

FORGOTTEN_AFTER = timedelta(days=7)
"""The sweep removes a session that is over, and its identity before; the table's own clock only makes sure."""


def ending_at(time: datetime) -> dict[str, Any]:
    """Return the attributes of a session that ends then."""
    return {ENDS_AT: sortable(time), "expires_at": int((time + FORGOTTEN_AFTER).timestamp())}
