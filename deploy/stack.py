"""What a stack is called, and what its tags may say."""

import hashlib
import re
from datetime import UTC, datetime, timedelta

PREFIX = "paygo-"
LONGEST = 24  # a provisioning template's name allows 36, and needs room for what a resource adds
_DIGITS = 8
_WORD = re.compile(r"[a-z0-9]+")
_LIKE_A_HASH = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")
_NOT_IN_A_TAG = re.compile(r"[^\w .:/=+@-]")
_DURATION = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

LIFETIME = "7d"
FOREVER = "never"


def stack_name(branch: str) -> str:
    """Name the stack of a branch.

    A branch that is one short word is used as it is; any other could share its simplified name with a second branch,
    so it ends in a hash of the branch. So does a name with a hyphen, or `demo-ledger` would be named like the
    resources of `demo`, and a word that looks like such a hash.

    >>> stack_name("demo")
    'paygo-demo'
    >>> stack_name("feature/Foo_bar")
    'paygo-feature-f-01af6bd2'
    """
    if not branch.strip():
        msg = "A stack needs a branch to be named after: BRANCH=..."
        raise ValueError(msg)
    room = LONGEST - len(PREFIX)
    if len(branch) <= room and _WORD.fullmatch(branch) and not _LIKE_A_HASH.fullmatch(branch):
        return PREFIX + branch
    digest = hashlib.sha256(branch.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    slug = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")[: room - _DIGITS - 1].rstrip("-")
    return PREFIX + (f"{slug}-{digest}" if slug else digest)


def tag_value(text: str) -> str:
    """Make a text fit to be the value of a tag: AWS takes letters, digits, spaces and a few signs."""
    return _NOT_IN_A_TAG.sub("_", text).strip()[:256] or "unknown"


def timestamp(moment: datetime) -> str:
    """Write a moment as UTC RFC 3339, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def expiry(now: datetime, lifetime: str) -> str:
    """Say when a stack that lives for `lifetime` (`30m`, `8h`, `7d`, `2w`, or `never`) may be removed."""
    if lifetime == FOREVER:
        return FOREVER
    match = _DURATION.fullmatch(lifetime)
    if not match:
        msg = f"TTL is a number and m, h, d or w, or 'never': not '{lifetime}'."
        raise ValueError(msg)
    return timestamp(now + timedelta(**{_UNITS[match[2]]: int(match[1])}))
