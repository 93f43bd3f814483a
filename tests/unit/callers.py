"""Callers, as use cases are handed them."""

from paygo.security import Household


def household(household_id: str = "household-1") -> Household:
    """Return a registered caller."""
    return Household(household_id=household_id, session_id=f"session-of-{household_id}")
