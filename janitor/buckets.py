"""How often AWS may be called: a token bucket a rate-limited call, shared by every janitor of the account.

A bucket is one number, the time at which it would be full again if nothing more were taken (the generic cell rate
algorithm: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm). Times are seconds since 1970, by each machine's
own clock; half a minute's difference between two of them costs a retried call, not more.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from botocore.exceptions import ClientError

import paygo_limits
from janitor.clients import Clients
from janitor.errors import code
from janitor.kinds import Call
from paygo_limits import ALL, Rate

TABLE = "paygo-account-buckets"
MARGIN = 1.01
"""How much longer than AWS says is waited where bursts are allowed, in times."""
SLACK = 0.2
"""And where they are not, in seconds: one call's way there is longer than another's. What comes early is made again."""
HELD_BACK = 0.9
"""The share of a burst that is used; the rest is for deploys."""

_FORGOTTEN_AFTER = 86_400
_TRIES = 5
_CONTENDED = 0.1
_SAME = 1e-3  # seconds since 1970 are floating points


class Buckets(Protocol):
    """What says when calls may be made."""

    def take(self, calls: Iterable[Call], now: float) -> float:
        """Take a token for each call and return `now`; or take none, and return when to ask again."""
        ...

    def refused(self, calls: Iterable[Call], until: float) -> None:
        """Learn that AWS's own buckets were empty, so that nobody takes a token before a time."""
        ...


def rate_of(call: Call) -> Rate | None:
    """Return the rate of one call, None when AWS limits none that matters here."""
    service, operation = call
    return paygo_limits.rates(service).get(operation)


def seconds_each(call: Call) -> float:
    """Return the seconds after which a call may be made again, the margin included; 0 for one without a rate."""
    rate = rate_of(call)
    if rate is None:
        return 0.0
    return rate.seconds_each + SLACK if rate.burst == 1 else rate.seconds_each * MARGIN


def at_once(rate: Rate) -> int:
    """Return how many calls a janitor makes at once."""
    return max(1, int(rate.burst * HELD_BACK))


def needed(calls: Iterable[Call]) -> Counter[Call]:
    """Count the tokens that calls take: each call's own, and its service's."""
    tokens: Counter[Call] = Counter()
    for service, operation in calls:
        tokens.update(bucket for bucket in ((service, operation), (service, ALL)) if rate_of(bucket))
    return tokens


def take(tokens: Mapping[Call, int], full: Mapping[Call, float], now: float) -> tuple[float, dict[Call, float]]:
    """Take tokens of buckets that are full again at `full`: return when that is possible, and what is then `full`.

    >>> delete = ("apigateway", "DeleteRestApi")
    >>> at, full = take({delete: 1}, {}, now=0.0)
    >>> at, round(take({delete: 1}, full, now=1.0)[0], 1)
    (0.0, 30.2)
    """
    possible, after = now, {}
    for bucket, count in tokens.items():
        rate, each = rate_of(bucket), seconds_each(bucket)
        if rate is None or count > at_once(rate):
            msg = f"{bucket[1]} of {bucket[0]} is never allowed {count} times at once."
            raise ValueError(msg)
        was = full.get(bucket, now)
        possible = max(possible, was - (at_once(rate) - count) * each)
        after[bucket] = max(was, now) + count * each
    return (possible if possible > now + _SAME else now), after


def emptied(tokens: Mapping[Call, int], until: float) -> dict[Call, float]:
    """Return when buckets are full again that have no token before a time; what was taken of them is forgotten.

    >>> delete = ("apigateway", "DeleteRestApi")
    >>> take({delete: 1}, emptied({delete: 1}, until=2.0), now=1.0)[0]
    2.0
    """
    rates = {bucket: rate_of(bucket) for bucket in tokens}
    return {bucket: until + (at_once(rate) - 1) * seconds_each(bucket) for bucket, rate in rates.items() if rate}


class LocalBuckets:
    """Buckets of one process, for an account that no other janitor works in."""

    def __init__(self) -> None:
        self._full: dict[Call, float] = {}

    def take(self, calls: Iterable[Call], now: float) -> float:
        """Take a token for each call and return `now`; or take none, and return when to ask again."""
        possible, after = take(needed(calls), self._full, now)
        if possible <= now:
            self._full.update(after)
        return possible

    def refused(self, calls: Iterable[Call], until: float) -> None:
        """Learn that AWS's own buckets were empty, so that nobody takes a token before a time."""
        self._full.update(emptied(needed(calls), until))


class SharedBuckets:
    """Buckets in a table, one item each, for all janitors of an account; whoever reads old numbers takes nothing."""

    def __init__(self, clients: Clients, table: str = TABLE) -> None:
        self._dynamodb = clients("dynamodb")
        self._table = table

    def take(self, calls: Iterable[Call], now: float) -> float:
        """Take a token for each call and return `now`; or take none, and return when to ask again."""
        tokens = needed(calls)
        if not tokens:
            return now
        for _ in range(_TRIES):
            written = self._read(tokens)
            possible, after = take(tokens, {bucket: float(text) for bucket, text in written.items()}, now)
            if possible > now:
                return possible
            if self._write(written, after):
                return now
        return now + _CONTENDED

    def refused(self, calls: Iterable[Call], until: float) -> None:
        """Learn that AWS's own buckets were empty, so that nobody takes a token before a time."""
        for bucket, full in emptied(needed(calls), until).items():
            self._dynamodb.update_item(**self._set(bucket, full))

    def _read(self, buckets: Iterable[Call]) -> dict[Call, str]:
        keys = [_key(bucket) for bucket in buckets]
        answer = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
        items = answer["Responses"][self._table]
        return {_bucket(item): item["full"]["N"] for item in items}

    def _write(self, before: Mapping[Call, str], after: Mapping[Call, float]) -> bool:
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[self._update(bucket, before.get(bucket), full) for bucket, full in after.items()]
            )
        except ClientError as error:
            if code(error) in {"TransactionCanceledException", "TransactionConflictException"}:
                return False
            raise
        return True

    def _update(self, bucket: Call, before: str | None, full: float) -> dict[str, Any]:
        update = self._set(bucket, full)
        if before is None:
            return {"Update": update | {"ConditionExpression": "attribute_not_exists(#full)"}}
        values = update["ExpressionAttributeValues"] | {":before": {"N": before}}
        return {"Update": update | {"ConditionExpression": "#full = :before", "ExpressionAttributeValues": values}}

    def _set(self, bucket: Call, full: float) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": _key(bucket),
            "UpdateExpression": "SET #full = :full, expires_at = :expires_at",
            "ExpressionAttributeNames": {"#full": "full"},
            "ExpressionAttributeValues": {
                ":full": {"N": f"{full:.6f}"},
                ":expires_at": {"N": str(int(full) + _FORGOTTEN_AFTER)},
            },
        }


def _key(bucket: Call) -> dict[str, dict[str, str]]:
    return {"call": {"S": ":".join(bucket)}}


def _bucket(item: Mapping[str, Any]) -> Call:
    service, _, operation = item["call"]["S"].partition(":")
    return service, operation


def of(clients: Clients) -> Buckets:
    """Return the account's buckets; before the account has its table, this process's own."""
    try:
        clients("dynamodb").describe_table(TableName=TABLE)
    except ClientError as error:
        if code(error) == "ResourceNotFoundException":
            return LocalBuckets()
        raise
    return SharedBuckets(clients)
