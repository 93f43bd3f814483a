"""DynamoDB items as plain dictionaries: numbers are integers, conditions are boto3's own expressions."""

import base64
import binascii
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from boto3.dynamodb.conditions import Attr, ConditionBase, ConditionExpressionBuilder, Key
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]
type Write = dict[str, Any]

ABSENT = Attr("pk").not_exists()
"""The condition of an item's first write."""
PRESENT = Attr("pk").exists()

EXAMINED = 1000
"""Items that one query with a condition looks at, whether they fulfil it or not."""

LONGEST_KEYS = {"pk": 2048, "sk": 1024}
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys"""

MAX_TRANSACTION_WRITES = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""

CONFLICT_PAUSES = (0.02, 0.04, 0.08, 0.16)
"""The longest pauses (seconds) before a write that met a transaction on the same items is tried again."""


class ConditionFailed(Exception):
    """The item is not in the state that the write asked for."""


class TransactionRefused(Exception):
    """A transaction wrote nothing: `failed` holds the places (from 0) of the writes whose condition did not hold."""

    def __init__(self, failed: tuple[int, ...]) -> None:
        super().__init__(f"The conditions of the writes {failed} did not hold.")
        self.failed = failed


class InvalidCursor(ValueError):
    """A cursor that no page of this query returned."""


@dataclass(frozen=True, slots=True)
class Page:
    """Items of one query and the cursor of the next page, if there is one."""

    items: tuple[Item, ...]
    next_cursor: str | None


class _IntegerDeserializer(TypeDeserializer):
    def _deserialize_n(self, value: str) -> int:
        return int(Decimal(value))


_serialize = TypeSerializer().serialize
_deserialize = _IntegerDeserializer().deserialize


def to_attributes(item: Item) -> dict[str, Any]:
    """Return the item in DynamoDB's own JSON."""
    return {name: _serialize(value) for name, value in item.items()}


def from_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item that DynamoDB's own JSON holds."""
    return {name: _deserialize(value) for name, value in attributes.items()}


def sortable(time: datetime) -> str:
    """Return the time as RFC 3339 text in UTC that sorts as times do, for sort keys and conditions."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


class Table:
    """One DynamoDB table with the key `pk` and, where it has one, `sk`."""

    def __init__(self, name: str, client: "DynamoDBClient") -> None:
        self.name = name
        self._client = client

    def get(self, **key: str) -> dict[str, Any] | None:
        """Read an item, strongly consistent; there is none under a key that is too long for one."""
        if any(len(value.encode()) > LONGEST_KEYS[name] for name, value in key.items()):
            return None
        found = self._client.get_item(TableName=self.name, Key=to_attributes(key), ConsistentRead=True)
        return from_attributes(found["Item"]) if "Item" in found else None

    def put(self, item: Item, condition: ConditionBase | None = None) -> None:
        """Write an item; raise `ConditionFailed` when the condition does not hold."""
        self._write("put_item", self.putting(item, condition)["Put"])

    def update(
        self,
        key: Mapping[str, str],
        changes: Item,
        condition: ConditionBase | None = None,
        *,
        remove: Sequence[str] = (),
    ) -> None:
        """Set and remove attributes of an item; raise `ConditionFailed` when the condition does not hold."""
        self._write("update_item", self.updating(key, changes, condition, remove=remove)["Update"])

    def add(
        self, key: Mapping[str, str], amounts: Mapping[str, int], *, expires_at: int | None = None
    ) -> dict[str, int]:
        """Add to numbers of an item, where what is absent counts as 0, and return them as they are now."""
        names = {f"#a{place}": name for place, name in enumerate(amounts)}
        values = {f":a{place}": _serialize(by) for place, by in enumerate(amounts.values())}
        expression = "ADD " + ", ".join(f"{name} :{name[1:]}" for name in names)
        if expires_at is not None:
            expression += " SET expires_at = :expires_at"
            values[":expires_at"] = _serialize(expires_at)
        request: Write = {
            "TableName": self.name,
            "Key": to_attributes(key),
            "UpdateExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValues": "UPDATED_NEW",
        }
        written = from_attributes(_outlast(lambda: self._client.update_item(**request))["Attributes"])
        return {name: written[name] for name in amounts}

    def putting(self, item: Item, condition: ConditionBase | None = None) -> Write:
        """Return a put as a part of a transaction."""
        return {"Put": {"TableName": self.name, "Item": to_attributes(item)} | _condition(condition)}

    def updating(
        self,
        key: Mapping[str, str],
        changes: Item,
        condition: ConditionBase | None = None,
        *,
        remove: Sequence[str] = (),
    ) -> Write:
        """Return an update as a part of a transaction."""
        removals = {f"#r{place}": name for place, name in enumerate(remove)}
        names = {f"#s{place}": name for place, name in enumerate(changes)}
        values = {f":s{place}": _serialize(value) for place, value in enumerate(changes.values())}
        assignments = ", ".join(f"#s{place} = :s{place}" for place in range(len(changes)))
        conditional = _condition(condition)
        return {
            "Update": conditional
            | {
                "TableName": self.name,
                "Key": to_attributes(key),
                "UpdateExpression": f"SET {assignments}" + (f" REMOVE {', '.join(removals)}" if removals else ""),
                "ExpressionAttributeNames": conditional.get("ExpressionAttributeNames", {}) | names | removals,
                "ExpressionAttributeValues": conditional.get("ExpressionAttributeValues", {}) | values,
            }
        }

    def deleting(self, key: Mapping[str, str], condition: ConditionBase | None = None) -> Write:
        """Return a deletion as a part of a transaction."""
        return {"Delete": {"TableName": self.name, "Key": to_attributes(key)} | _condition(condition)}

    def checking(self, key: Mapping[str, str], condition: ConditionBase) -> Write:
        """Return the part of a transaction that lets it happen only while the condition holds."""
        return {"ConditionCheck": {"TableName": self.name, "Key": to_attributes(key)} | _condition(condition)}

    def transact(self, writes: Sequence[Write]) -> None:
        """Do all writes or none.

        Raises
        ------
        TransactionRefused
            When the condition of at least one write does not hold.
        """
        _outlast(lambda: self._transact(writes))

    def _transact(self, writes: Sequence[Write]) -> None:
        request: Write = {"TransactItems": list(writes)}
        try:
            self._client.transact_write_items(**request)
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = _reasons(error)
            failed = tuple(place for place, reason in enumerate(reasons) if reason == "ConditionalCheckFailed")
            if not failed:
                raise
            raise TransactionRefused(failed) from error

    def query(
        self,
        pk: str,
        *,
        prefix: str,
        limit: int,
        cursor: str | None = None,
        order: Literal["ascending", "descending"] = "ascending",
        condition: ConditionBase | None = None,
    ) -> Page:
        """Return a page of the items under `pk` whose `sk` starts with `prefix`.

        With a condition, `EXAMINED` items are looked at, so a page may hold few of those that fulfil it, or none, and
        yet not be the last.

        Raises
        ------
        InvalidCursor
            When the cursor is not one of this query's own.
        """
        # One builder for both, so that their placeholders differ.
        builder = ConditionExpressionBuilder()
        expression = _expression(Key("pk").eq(pk) & Key("sk").begins_with(prefix), builder, is_key=True)
        request: Write = {
            "TableName": self.name,
            "KeyConditionExpression": expression["expression"],
            "ExpressionAttributeNames": expression["names"],
            "ExpressionAttributeValues": expression["values"],
            "Limit": limit,
            "ScanIndexForward": order == "ascending",
            "ConsistentRead": True,
        }
        if condition is not None:
            wanted = _expression(condition, builder)
            request["FilterExpression"] = wanted["expression"]
            request["ExpressionAttributeNames"] |= wanted["names"]
            request["ExpressionAttributeValues"] |= wanted["values"]
            request["Limit"] = EXAMINED
        if cursor:
            request["ExclusiveStartKey"] = to_attributes({"pk": pk, "sk": _after(cursor, prefix)})
        found = self._client.query(**request)
        items, last = found["Items"], found.get("LastEvaluatedKey")
        if len(items) > limit:
            items = items[:limit]
            last = items[-1]
        return Page(
            tuple(from_attributes(item) for item in items), _cursor(from_attributes(last)["sk"]) if last else None
        )

    def query_index(self, index: str, key: ConditionBase) -> Iterator[dict[str, Any]]:
        """Return the items of an index as it was a moment ago: one that was changed since may be missing or old."""
        expression = _expression(key, is_key=True)
        pages = self._pages(
            "query",
            {
                "IndexName": index,
                "KeyConditionExpression": expression["expression"],
                "ExpressionAttributeNames": expression["names"],
                "ExpressionAttributeValues": expression["values"],
            },
        )
        for page in pages:
            yield from map(from_attributes, page["Items"])

    def scan(
        self, condition: ConditionBase, *, after: Mapping[str, str] | None = None
    ) -> Iterator[tuple[tuple[dict[str, Any], ...], dict[str, str] | None]]:
        """Go through the whole table, from behind the key `after` on.

        Yields
        ------
        The items of each page for which the condition holds, often none, and the key behind which the next begins.
        """
        expression = _expression(condition)
        pages = self._pages(
            "scan",
            {
                "FilterExpression": expression["expression"],
                "ExpressionAttributeNames": expression["names"],
                "ConsistentRead": True,
            }
            | ({"ExpressionAttributeValues": expression["values"]} if expression["values"] else {})
            | ({"ExclusiveStartKey": to_attributes(after)} if after else {}),
        )
        for page in pages:
            last = page.get("LastEvaluatedKey")
            yield tuple(map(from_attributes, page["Items"])), from_attributes(last) if last else None

    def _pages(self, operation: Literal["query", "scan"], request: Write) -> Iterator[Any]:
        return iter(self._client.get_paginator(operation).paginate(TableName=self.name, **request))

    def _write(self, operation: Literal["put_item", "update_item"], request: Write) -> None:
        try:
            _outlast(lambda: getattr(self._client, operation)(**request))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raise ConditionFailed(str(error)) from error


def _outlast[Written](write: Callable[[], Written]) -> Written:
    # A transaction under way on the same item refuses a write without judging its conditions; the SDK does not retry.
    for pause in CONFLICT_PAUSES:
        try:
            return write()
        except ClientError as error:
            if error.response["Error"][
                "Code"
            ] != "TransactionConflictException" and "TransactionConflict" not in _reasons(error):
                raise
        time.sleep(random.uniform(0, pause))  # noqa: S311 (it spreads retries and protects nothing)
    return write()


def _reasons(error: ClientError) -> list[str | None]:
    response: Mapping[str, Any] = error.response
    return [reason.get("Code") for reason in response.get("CancellationReasons", [])]


def _condition(condition: ConditionBase | None) -> Write:
    if condition is None:
        return {}
    expression = _expression(condition)
    request: Write = {
        "ConditionExpression": expression["expression"],
        "ExpressionAttributeNames": expression["names"],
    }
    if expression["values"]:
        request["ExpressionAttributeValues"] = expression["values"]
    return request


def _expression(
    condition: ConditionBase, builder: ConditionExpressionBuilder | None = None, *, is_key: bool = False
) -> Write:
    built = (builder or ConditionExpressionBuilder()).build_expression(condition, is_key_condition=is_key)
    return {
        "expression": built.condition_expression,
        "names": built.attribute_name_placeholders,
        "values": to_attributes(built.attribute_value_placeholders),
    }


def _cursor(sk: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"sk": sk}).encode()).decode().rstrip("=")


def _after(cursor: str, prefix: str) -> str:
    # The partition is the caller's own, so a cursor carries the sort key alone and cannot point into another's rows.
    try:
        sk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))["sk"]
        is_key = isinstance(sk, str) and sk.startswith(prefix) and len(sk.encode()) <= LONGEST_KEYS["sk"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise InvalidCursor(cursor) from error
    if not is_key:
        raise InvalidCursor(cursor)
    return str(sk)
