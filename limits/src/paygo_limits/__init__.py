"""AWS's published limits, written down once in `aws.toml`: whoever plans for one, or plays one, reads it here.

Services have the names of their boto3 clients and operations those of AWS's API, as `("apigateway", "DeleteRestApi")`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

ALL = "*"
"""Stands for all of a service's operations, which share a rate."""


class NoSuchLimitError(LookupError):
    """A limit is asked for that is not written down."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often an operation may be called in an account and region.

    Attributes
    ----------
    calls, per
        So many calls in so many seconds.
    burst
        How many may come at once, after a pause.
    """

    calls: int
    per: float
    burst: int = 1

    @property
    def seconds_each(self) -> float:
        """Seconds after which one more call is allowed."""
        return self.per / self.calls


@dataclass(frozen=True, slots=True)
class Quota:
    """How many of a thing an account may have in a region, unless AWS has raised it.

    Attributes
    ----------
    code
        What AWS Service Quotas calls it; None for one that cannot be looked up there.
    source
        The page that says so.
    checked
        Whether it was compared with that page.
    most
        What AWS raises it to at most; None where that is not written down.
    """

    service: str
    name: str
    limit: int
    code: str | None
    source: str
    checked: bool
    most: int | None = None

    @property
    def words(self) -> str:
        """Return its name as a person says it.

        >>> quota("iam", "roles").words
        'IAM roles'
        """
        spelt = (_SPELT.get(word, word) for word in self.name.split("_"))
        return " ".join([_SERVICES.get(self.service, self.service), *spelt])


_SPELT = {"rest": "REST", "api": "API", "apis": "APIs"}
_SERVICES = {
    "apigateway": "API Gateway",
    "lambda": "Lambda",
    "iam": "IAM",
    "s3": "S3",
    "dynamodb": "DynamoDB",
    "cognito-idp": "Cognito",
    "cognito-identity": "Cognito",
    "iot": "AWS IoT",
    "sqs": "SQS",
    "cloudwatch": "CloudWatch",
    "events": "EventBridge",
}


def rates(service: str) -> Mapping[str, Rate]:
    """Return the rates of a service by operation; none for a service that limits nothing that matters here.

    >>> rates("apigateway")["DeleteRestApi"].seconds_each
    30.0
    """
    return {operation: Rate(**rate) for operation, rate in _written().get(service, {}).get("rate", {}).items()}


def limited_services() -> list[str]:
    """Return the services that have rates."""
    return [service for service, limits in _written().items() if "rate" in limits]


def quotas(service: str) -> Mapping[str, Quota]:
    """Return the quotas of a service by name."""
    limits = _written().get(service, {})
    return {
        name: Quota(
            service, name, entry["limit"], entry.get("code"), limits["source"], limits["checked"], entry.get("most")
        )
        for name, entry in limits.get("quota", {}).items()
    }


def quota(service: str, name: str) -> Quota:
    """Return one quota.

    Raises
    ------
    NoSuchLimitError
        When it is not written down.

    >>> quota("iam", "roles").limit
    1000
    """
    try:
        return quotas(service)[name]
    except KeyError:
        msg = f"No quota '{name}' of {service} is written down."
        raise NoSuchLimitError(msg) from None


@cache
def _written() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("aws.toml").read_text())
