"""A rate that all workers keep together: slots in time, each given once.

The generic cell rate algorithm over one DynamoDB item, which holds when the next slot is free. Slots are evenly spaced:
the rate is kept in every second and not on average. See https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from paygo.storage import from_attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MICROSECOND = timedelta(microseconds=1)

type Clock = Callable[[], int]


def microseconds() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class NoSlot(Exception):
    """No slot is free soon enough; `free_in` is how long it takes."""

    def __init__(self, free_in: timedelta) -> None:
        super().__init__(f"No slot is free for {free_in.total_seconds():.1f} s.")
        self.free_in = free_in


class Bucket:
    """The slots of one rate, in the item with the key `pk`.

    Parameters
    ----------
    per_second
        How many slots a second has.
    """

    def __init__(
        self, client: "DynamoDBClient", table_name: str, pk: str, per_second: float, clock: Clock = microseconds
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._pk = pk
        # Rounded up: a slot too few is no harm, one too many is.
        self._interval = -int(-1_000_000 // per_second)
        self._clock = clock

    def reserve(self, within: timedelta) -> timedelta:
        """Take the next slot and return how long it is until then.

        Raises
        ------
        NoSlot
            When it is further away than `within`; it is then not taken.
        """
        while True:
            now = self._clock()
            latest = now + within // MICROSECOND
            known = self._take_next(now, latest)
            if isinstance(known, timedelta):
                return known
            free_at = known.get("free_at", 0)
            if free_at > latest:
                raise NoSlot((free_at - now) * MICROSECOND)
            # Nobody has called for a while. Another worker may start anew in this moment, and is then followed.
            if self._start_anew(now):
                return timedelta()

    def _take_next(self, now: int, latest: int) -> timedelta | dict[str, Any]:
        """Return how long it is until the slot that was taken, or the item that has none between the two times."""
        values = {":interval": self._interval, ":now": now, ":latest": latest}
        request = self._update("SET free_at = free_at + :interval", "free_at BETWEEN :now AND :latest", values)
        try:
            taken = self._client.update_item(
                **request, ReturnValues="UPDATED_NEW", ReturnValuesOnConditionCheckFailure="ALL_OLD"
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            response: dict[str, Any] = dict(error.response)
            return from_attributes(response.get("Item", {}))
        free_at: int = from_attributes(taken["Attributes"])["free_at"]
        return (free_at - self._interval - now) * MICROSECOND

    def _start_anew(self, now: int) -> bool:
        values = {":next": now + self._interval, ":now": now}
        try:
            self._client.update_item(
                **self._update("SET free_at = :next", "attribute_not_exists(free_at) OR free_at < :now", values)
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _update(self, expression: str, condition: str, values: dict[str, int]) -> dict[str, Any]:
        return {
            "TableName": self._table_name,
            "Key": {"pk": {"S": self._pk}},
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {name: {"N": str(value)} for name, value in values.items()},
        }
