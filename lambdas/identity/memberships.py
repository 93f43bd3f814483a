"""Which sessions a household has: an item for each, written with the change that gives the session its household."""

from typing import Any

from identity.lifecycle import AUTHENTICATED_FOR
from paygo.security import Session

PREFIX = "SESSION#"


def household_key(household_id: str) -> dict[str, str]:
    """Return the key of the household itself."""
    return {"pk": f"HOUSEHOLD#{household_id}", "sk": "HOUSEHOLD"}


def membership_key(household_id: str, session_id: str) -> dict[str, str]:
    """Return the key of the item."""
    return {"pk": f"HOUSEHOLD#{household_id}", "sk": PREFIX + session_id}


def membership_item(session: Session, household_id: str) -> dict[str, Any]:
    """Return the item; it is there for as long as the session may last once it is authenticated."""
    return {
        **membership_key(household_id, session.session_id),
        "identity_id": session.identity_id,
        "session_id": session.session_id,
        "opened_at": session.opened_at.isoformat(),
        "user_agent": session.user_agent,
        "expires_at": int((session.ends_at + AUTHENTICATED_FOR).timestamp()),
    }
