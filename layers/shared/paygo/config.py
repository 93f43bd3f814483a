"""Settings that Terraform hands a function as environment variables."""

import os
from datetime import timedelta

from botocore.config import Config

CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent="paygo",
)
"""Bounds (seconds) that keep one slow AWS call, its second try included, inside the 15 s most functions have.

The user agent is fixed because the SDK would put its own together twice for each call, at a fifth of the call's cost.
"""


class MissingSetting(RuntimeError):
    """A function was deployed without a setting it needs."""


def setting(name: str) -> str:
    """Return the environment variable `name`.

    Raises
    ------
    MissingSetting
        When it is absent or empty: the function's entry in Terraform does not list it.
    """
    value = os.environ.get(name)
    if not value:
        message = f"The setting {name} is missing: list it in the function's entry in terraform/."
        raise MissingSetting(message)
    return value


def scaled(delay: timedelta) -> timedelta:
    """Return the delay as this stack waits it: `DELAY_SCALE` shortens all of them, so that outages can be tested."""
    return delay * float(os.environ.get("DELAY_SCALE") or 1)
