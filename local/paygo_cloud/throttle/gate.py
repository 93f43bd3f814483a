"""Whether a call passes, by the rates and quotas of the account, and what has passed."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paygo_cloud.throttle.buckets import TokenBucket
from paygo_cloud.throttle.clock import Clock
from paygo_cloud.throttle.operations import Call
from paygo_cloud.throttle.refusals import Answer, Error, refused, throttled
from paygo_limits import ALL, Rate, quota
from paygo_limits import rates as rates_of

SHARED = {"apigatewayv2": "apigateway"}
"""Whose rate for all operations a service shares: the page on API Gateway's quotas names both versions' operations, and
one total."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A quota on a number of things, and what makes one more.

    Attributes
    ----------
    service, quota
        As in `paygo_limits`.
    operations
        Those that make one.
    error
        What AWS answers; ``{limit}`` in its message is the quota.
    held
        How many there are.
    replaces
        Whether a call makes no new one, since there is one of that name.
    """

    service: str
    quota: str
    operations: frozenset[str]
    error: Error
    held: Callable[[Call], int]
    replaces: Callable[[Call], bool]

    @property
    def name(self) -> str:
        """Return its name as it is lowered by, ``iam.roles``."""
        return f"{self.service}.{self.quota}"


@dataclass(slots=True)
class Tally:
    """The calls of one operation: at which seconds they passed and were refused, and by what."""

    passed_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    refused_by: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return it as the control route tells it."""
        return {
            "calls": len(self.passed_at) + len(self.refused_at),
            "refused": len(self.refused_at),
            "passed_at": self.passed_at,
            "refused_at": self.refused_at,
            "refused_by": dict(self.refused_by),
        }


class Gate:
    """Rates and quotas that are in force, from full buckets and an empty record on.

    Parameters
    ----------
    clock
        What the rates are measured with.
    quotas
        Those that differ from AWS's, by name as ``iam.roles``.
    """

    def __init__(self, clock: Clock, quotas: Mapping[str, int] | None = None) -> None:
        self.clock = clock
        self.quotas = dict(quotas or {})
        self.record: dict[str, Tally] = {}
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def limit(self, service: str, name: str) -> int:
        """Return a quota that is in force."""
        return self.quotas.get(f"{service}.{name}", quota(service, name).limit)

    def answer(self, scope: str, call: Call, counted: Counted | None = None) -> Answer | None:
        """Let a call pass, or answer it with a refusal, which costs no token.

        Parameters
        ----------
        scope
            Account and region, each of which has rates of its own.
        counted
            The quota that the call's operation counts towards, if any.
        """
        rates = _rates(call)
        if counted is None and not rates:
            return None
        now = self.clock.now()
        tally = self.record.setdefault(call.name, Tally())
        buckets = {name: self._bucket(scope, name, rate, now) for name, rate in rates.items()}
        empty = next((name for name, bucket in buckets.items() if not bucket.has_token(now)), None)
        if empty is not None:
            return self._refuse(tally, now, empty, throttled(call))
        for bucket in buckets.values():
            bucket.take(now)
        if counted is not None:
            limit = self.limit(counted.service, counted.quota)
            if counted.held(call) >= limit and not counted.replaces(call):
                error = Error(counted.error.shape, counted.error.message.format(limit=limit), counted.error.status)
                return self._refuse(tally, now, counted.name, refused(call, error))
        tally.passed_at.append(round(now, 3))
        return None

    def _bucket(self, scope: str, name: str, rate: Rate, now: float) -> TokenBucket:
        if (scope, name) not in self._buckets:
            self._buckets[scope, name] = TokenBucket(rate, now)
        return self._buckets[scope, name]

    @staticmethod
    def _refuse(tally: Tally, now: float, by: str, answer: Answer) -> Answer:
        tally.refused_at.append(round(now, 3))
        tally.refused_by[by] += 1
        return answer


def _rates(call: Call) -> dict[str, Rate]:
    """Return the rates that a call is held to, its own first."""
    sharing = SHARED.get(call.service, call.service)
    own, shared = rates_of(call.service).get(call.operation), rates_of(sharing).get(ALL)
    found = {call.name: own, f"{sharing}.{ALL}": shared}
    return {name: rate for name, rate in found.items() if rate is not None}
