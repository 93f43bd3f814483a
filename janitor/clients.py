"""AWS clients for whoever looks at many resources at once."""

import threading
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from botocore.config import Config

if TYPE_CHECKING:
    import boto3


class Place(Protocol):
    """An account and region, and where its endpoints are when they are not AWS's own."""

    @property
    def region(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def endpoint_url(self) -> str | None: ...


@dataclass(frozen=True)
class Here:
    """The place in which this process runs, as a function finds it in its environment."""

    region: str
    account: str
    endpoint_url: str | None = None


@dataclass
class Clients:
    """AWS clients, each made once and shared by the threads of a sweep.

    Attributes
    ----------
    attempts
        How often a call is tried in all; None for as often as suits the place. Who plans for a limit tries once, and
        plans again.
    """

    target: Place
    attempts: int | None = None
    _made: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, service: str) -> Any:
        with self._lock:
            if service not in self._made:
                make: Any = _session().client  # its stubs know literal names only
                elsewhere = self.target.endpoint_url is not None
                self._made[service] = make(
                    service,
                    region_name=self.target.region,
                    endpoint_url=self.target.endpoint_url,
                    config=Config(
                        max_pool_connections=32,
                        connect_timeout=5,
                        read_timeout=60,
                        # AWS's control planes allow few calls a second, and one DeleteRestApi in thirty.
                        retries={"mode": "standard", "total_max_attempts": self.attempts or (4 if elsewhere else 12)},
                        s3={"addressing_style": "path"} if elsewhere else None,
                    ),
                )
            return self._made[service]


@cache
def _session() -> "boto3.Session":
    import boto3

    return boto3.Session()
