"""What the mocked identity bureau is asked and how it decides."""

import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

REJECTED_FAMILY_NAME = "Rejected"
"""The family name that is rejected; everybody else is approved."""

_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9_-]+)+")


class Outcome(StrEnum):
    """What the bureau found."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Answer(BaseModel):
    """An answer on its way to whoever asked."""

    model_config = ConfigDict(frozen=True)

    reference: str
    outcome: Outcome
    callback_url: str


class ForeignCallback(Exception):
    """The callback is not a plain path of the stack's own API: a mock calls nobody else."""


class CallbackFailed(Exception):
    """Whoever asked did not take the answer."""


def outcome_for(family_name: str) -> Outcome:
    """Return what the bureau finds about a person of this name."""
    return Outcome.REJECTED if family_name == REJECTED_FAMILY_NAME else Outcome.APPROVED


def callback_path(callback_url: str, api_url: str) -> str:
    """Return the contract's path that the callback names, which is the one to sign.

    Raises
    ------
    ForeignCallback
        When it is not a path below `api_url`; one with dots or a query is not either.
    """
    path = callback_url.removeprefix(api_url)
    if not callback_url.startswith(api_url) or not _PLAIN_PATH.fullmatch(path):
        raise ForeignCallback
    return path
