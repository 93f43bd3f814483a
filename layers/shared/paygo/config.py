"""Settings that Terraform hands a function as environment variables."""

import os

from botocore.config import Config

CLIENT_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""Bounds (seconds) that keep a slow AWS call inside a function's own time-out."""


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
