"""The throttle of the embedded cloud, for whoever runs something behind it and wants to know what it called.

Its route and what it enforces are told in `local/README.md`; it needs a cloud of ours that runs, on loopback.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

_SECONDS = 30.0

type Clock = Literal["real", "virtual"]


class ThrottleError(Exception):
    """The cloud has no throttle, or was asked for what it does not do; the text is its answer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The calls of one operation, at seconds of the throttle's clock."""

    calls: int
    refused: int
    passed_at: Sequence[float]
    refused_at: Sequence[float]
    refused_by: Mapping[str, int]


@dataclass(frozen=True)
class Throttled:
    """A cloud behind its throttle.

    In virtual time it stands in for a clock: `now` and `sleep` are what a scheduler is given instead of `time`'s.
    """

    endpoint_url: str

    def now(self) -> float:
        """Return the seconds since the throttle was switched on."""
        return float(self._ask()["now"])

    def sleep(self, seconds: float) -> None:
        """Let seconds pass; in virtual time only."""
        self._ask({"advance": seconds})

    def lower(self, quotas: Mapping[str, int]) -> None:
        """Put quotas in force instead of AWS's, as ``{"iam.roles": 80}``, and no others."""
        self._ask({"quotas": dict(quotas)})

    def record(self) -> dict[str, Seen]:
        """Return what was called since the throttle was switched on, by service and operation; also when it is over."""
        return {name: Seen(**told) for name, told in self._ask()["record"].items()}

    def _ask(self, change: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = None if change is None else json.dumps(change).encode()
        asked = urllib.request.Request(f"{self.endpoint_url}/_paygo/throttle", data=body)  # noqa: S310 (ours, on loopback)
        # No proxy, whatever the environment says: it is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(asked, timeout=_SECONDS) as answer:
                told: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as refused:
            raise ThrottleError(refused.read().decode(errors="replace")) from None
        return told


@contextmanager
def throttled(
    endpoint_url: str, clock: Clock = "real", *, speed: float | None = None, quotas: Mapping[str, int] | None = None
) -> Iterator[Throttled]:
    """Hold a cloud's callers to AWS's rates and quotas for a while.

    Parameters
    ----------
    endpoint_url
        The embedded cloud's.
    clock
        ``real``, or ``virtual``, which stands still until it is advanced.
    speed
        Of a virtual clock: its seconds for each real one.
    quotas
        Those that differ from AWS's.

    Raises
    ------
    ThrottleError
        When the cloud refuses to.
    """
    cloud = Throttled(endpoint_url)
    cloud._ask(
        {"clock": clock, "quotas": dict(quotas or {})} | ({} if speed is None else {"speed": speed}),
    )
    try:
        yield cloud
    finally:
        cloud._ask({"clock": "off"})


def lines(record: Mapping[str, Seen]) -> Iterator[str]:
    """Tell a record, what was refused first.

    >>> list(lines({"apigateway.DeleteRestApi": Seen(3, 1, [0.0, 31.0], [4.5], {"apigateway.DeleteRestApi": 1})}))
    ['apigateway.DeleteRestApi                        3 calls    1 refused by apigateway.DeleteRestApi, first at 4.5 s']
    """
    for name, seen in sorted(record.items(), key=lambda item: (-item[1].refused, item[0])):
        by = f" by {', '.join(seen.refused_by)}, first at {seen.refused_at[0]:.1f} s" if seen.refused else ""
        yield f"{name:<42} {seen.calls:>6} calls {seen.refused:>4} refused{by}"
