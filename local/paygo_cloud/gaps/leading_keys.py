"""``dynamodb:LeadingKeys``: the partition keys that a request names.

AWS: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from ministack.core import iam_actions
from ministack.services import dynamodb

_TRANSACTION_MEMBERS = ("Get", "Put", "Update", "Delete", "ConditionCheck")


def install() -> None:
    """Add the key to the context of every DynamoDB request."""
    original = iam_actions.dynamodb_service_context

    def service_context(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = original(body)
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return context
        keys = list(_leading_keys(request)) if isinstance(request, dict) else []
        if keys:
            context["dynamodb:LeadingKeys"] = keys
        return context

    iam_actions.dynamodb_service_context = service_context


def _leading_keys(request: dict[str, Any]) -> Iterator[str]:
    table = request.get("TableName")
    if table:
        for item in (request.get("Key"), request.get("Item")):
            yield from _of_item(table, item)
        yield from _of_query(table, request)
    for transacted in request.get("TransactItems") or []:
        for member in _TRANSACTION_MEMBERS:
            if member in transacted:
                yield from _leading_keys(transacted[member])
    for name, wanted in (request.get("RequestItems") or {}).items():
        yield from _of_batch(name, wanted)


def _of_batch(table: str, wanted: Any) -> Iterator[str]:
    if isinstance(wanted, dict):
        for key in wanted.get("Keys") or []:
            yield from _of_item(table, key)
        return
    for write in wanted:
        yield from _of_item(table, (write.get("PutRequest") or {}).get("Item"))
        yield from _of_item(table, (write.get("DeleteRequest") or {}).get("Key"))


def _of_item(table: str, item: Any) -> Iterator[str]:
    name = _partition_key(table, None)
    if name and isinstance(item, dict) and name in item:
        yield _text(item[name])


def _of_query(table: str, request: dict[str, Any]) -> Iterator[str]:
    name = _partition_key(table, request.get("IndexName"))
    if name is None:
        return
    names = request.get("ExpressionAttributeNames") or {}
    values = request.get("ExpressionAttributeValues") or {}
    for left, right in re.findall(r"([#\w.-]+)\s*=\s*(:\w+)", request.get("KeyConditionExpression") or ""):
        if names.get(left, left) == name and right in values:
            yield _text(values[right])
    legacy = (request.get("KeyConditions") or {}).get(name) or {}
    for value in legacy.get("AttributeValueList") or []:
        yield _text(value)


def _partition_key(table: str, index: str | None) -> str | None:
    described = dynamodb._tables.get(table.rsplit("/", 1)[-1])
    if not described:
        return None
    schema = described["KeySchema"]
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for each in described.get(kind) or []:
            if each["IndexName"] == index:
                schema = each["KeySchema"]
    return next((key["AttributeName"] for key in schema if key["KeyType"] == "HASH"), None)


def _text(value: dict[str, Any]) -> str:
    return str(next(iter(value.values())))
