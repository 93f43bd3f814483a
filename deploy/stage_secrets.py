"""What staging and production are given: secrets of the account, put there once. No value is ever shown."""

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.errors import DeployError
from deploy.target import Clients

WEBHOOK = "operations/webhook"
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_ADDRESS = re.compile(r"https://\S+")


@dataclass(frozen=True)
class Shape:
    """What a secret's JSON has to be."""

    words: str
    fits: Callable[[Any], bool]


SHAPES = {
    "outbound": Shape(
        '{"credential": "..."}',
        lambda read: isinstance(read, dict) and _matches(_PRINTABLE, read.get("credential")),
    ),
    "operations": Shape(
        '{"url": "https://..."}, or null for none',
        lambda read: (
            isinstance(read, dict) and "url" in read and (read["url"] is None or _matches(_ADDRESS, read["url"]))
        ),
    ),
}


def secret_id(stage: str, name: str) -> str:
    """Name a secret of the account.

    >>> secret_id("staging", "outbound/crm")
    'paygo/staging/outbound/crm'
    """
    return f"paygo/{stage}/{name}"


def needed(stage: str, partner_urls: Mapping[str, str]) -> list[str]:
    """Name the secrets that a stack is given: what each partner that is called is shown, and where alarms are posted.

    A stack for development makes all of its own.

    >>> needed("staging", {"crm": "https://crm.example.org"})
    ['outbound/crm', 'operations/webhook']
    """
    if stage == "development":
        return []
    return [*(f"outbound/{name}" for name in sorted(partner_urls)), WEBHOOK]


def require(clients: Clients, stage: str, partner_urls: Mapping[str, str], profile: str | None) -> dict[str, str]:
    """Find what a stack is given, by ARN, or say all that is missing and how it gets there.

    Raises
    ------
    DeployError
        When one is not there, is being deleted, or holds no value or none of its shape.
    """
    names = needed(stage, partner_urls)
    if not names:
        return {}
    client = clients("secretsmanager")
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = dict(zip(names, pool.map(lambda name: _look(client, stage, name), names), strict=True))
    faults = {name: one.fault for name, one in found.items() if one.fault}
    if faults:
        told = "; ".join(f"{secret_id(stage, name)} {fault}" for name, fault in faults.items())
        with_profile = f" PROFILE={profile}" if profile else ""
        msg = (
            f"{stage.capitalize()} is not deployed without its secrets: {told}. Put each there once, as "
            f"make secret STAGE={stage} SECRET={next(iter(faults))}{with_profile}"
        )
        raise DeployError(msg)
    return {name: one.arn for name, one in found.items()}


@dataclass(frozen=True)
class _Looked:
    arn: str = ""
    fault: str = ""


def _look(client: Any, stage: str, name: str) -> _Looked:
    try:
        held = client.get_secret_value(SecretId=secret_id(stage, name))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            return _Looked(fault="is not there or has no value")
        if code == "InvalidRequestException":
            return _Looked(fault="is being deleted")
        raise
    shape = SHAPES[name.partition("/")[0]]
    try:
        fits = shape.fits(json.loads(held.get("SecretString") or ""))
    except ValueError:
        fits = False
    return _Looked(held["ARN"], "" if fits else f"is not {shape.words}")


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))
