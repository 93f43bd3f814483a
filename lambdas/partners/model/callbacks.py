"""Calls that a played partner makes to us."""

import re

from pydantic import BaseModel, ConfigDict

_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9_-]+)+")


class Callback(BaseModel):
    """A call on its way to the platform."""

    model_config = ConfigDict(frozen=True)

    partner: str
    url: str
    body: str


class ForeignCallback(Exception):
    """The callback is not a plain path of the stack's own API: a mock calls nobody else."""


class CallbackFailed(Exception):
    """The platform did not take the call."""


def callback_path(url: str, api_url: str) -> str:
    """Return the contract's path that the callback names, which is the one to sign.

    Raises
    ------
    ForeignCallback
        When it is not a path below `api_url`; one with dots or a query is not either.
    """
    path = url.removeprefix(api_url)
    if not url.startswith(api_url) or not _PLAIN_PATH.fullmatch(path):
        raise ForeignCallback
    return path
