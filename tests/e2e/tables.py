"""What a stack has stored and how it is set up, as the deployer sees it, who may read and change everything."""

import configparser
import json
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

import boto3

from demo.journey import PATIENCE_SECONDS, StepFailed
from demo.stage import Stage, home_folder
from paygo.security import session_key
from paygo.storage import to_attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BOOKKEEPING = ("attempts", "audit", "idempotency", "mocks", "partner-calls")
"""Tables that a refused call may write to: it is counted, remembered, or kept for whoever looks into it."""

QUIET_SECONDS = 1.0
"""Longer than a delivered event and what it causes take here."""

type Snapshot = Mapping[str, str]


class Deployer:
    """The deployer's credentials, which on AWS are the ones that the tests run with."""

    def __init__(self, stage: Stage) -> None:
        self.access = stage.access

    def client(self, service: str) -> Any:
        """Return a client of the service."""
        client: Any = self._session.client  # its stubs know literal names only
        return client(service, region_name=self.access.region, endpoint_url=self.access.endpoint_url)

    @cached_property
    def _session(self) -> boto3.Session:
        if self.access.endpoint_url is None:
            return boto3.Session()
        profiles = configparser.ConfigParser()
        profiles.read(home_folder() / "cloud" / "credentials")
        keys = profiles["deployer"]
        return boto3.Session(keys["aws_access_key_id"], keys["aws_secret_access_key"])

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """Return the client of every table."""
        found: DynamoDBClient = self.client("dynamodb")
        return found

    @cached_property
    def tables(self) -> list[str]:
        """The stack's tables but those that keep book of calls; a new one is among them."""
        pages = self.dynamodb.get_paginator("list_tables").paginate()
        names = [name for page in pages for name in page["TableNames"]]
        own = [name for name in names if name.startswith(f"{self.access.stack}-")]
        return [name for name in own if not name.endswith(BOOKKEEPING)]

    def snapshot(self, marks: Collection[str]) -> Snapshot:
        """Return what stands in the tables and has one of the marks in it: an id, a serial number, an address."""
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda table: dict(self._marked(table, marks)), self.tables)
        return {place: item for each in found for place, item in each.items()}

    def settled(self, marks: Collection[str]) -> Snapshot:
        """Return what stands there once nothing changes any more: consumers go on after an answer."""
        found = self.snapshot(marks)
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            time.sleep(QUIET_SECONDS)
            again = self.snapshot(marks)
            if again == found:
                return found
            found = again
        message = f"The tables of {self.access.stack} did not come to rest."
        raise StepFailed(message)

    def _marked(self, table: str, marks: Collection[str]) -> Iterator[tuple[str, str]]:
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            for item in page["Items"]:
                text = json.dumps(item, sort_keys=True, default=str)
                if any(mark in text for mark in marks):
                    yield _place(table, item), _lasting(item, text)

    def end_session(self, identity_id: str) -> None:
        """Write that the session's time was over a minute ago: waiting for it would take a day."""
        self.dynamodb.update_item(
            TableName=f"{self.access.stack}-sessions",
            Key=to_attributes(session_key(identity_id)),
            UpdateExpression="SET ends_at = :then",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":then": {"S": _in(-timedelta(minutes=1))}},
        )

    def prolong_registration(self, registration_id: UUID) -> None:
        """Give a registration five minutes more: where delays are a thousandth, it has 86 seconds."""
        self.dynamodb.update_item(
            TableName=f"{self.access.stack}-identity",
            Key={"pk": {"S": f"REGISTRATION#{registration_id}"}, "sk": {"S": "REGISTRATION"}},
            UpdateExpression="SET undecided_until = :then",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":then": {"S": _in(timedelta(minutes=5))}},
        )

    def users_of(self, user_pool_id: str, start: str) -> list[str]:
        """Return the users whose e-mail address starts so."""
        pool = self.client("cognito-idp")
        pages = pool.get_paginator("list_users").paginate(UserPoolId=user_pool_id, Filter=f'email ^= "{start}"')
        return [user["Username"] for page in pages for user in page["Users"]]

    def variables(self, function: str) -> dict[str, str]:
        """Return what a function's newest version, which nobody calls by its alias, has in its environment."""
        found = self.client("lambda").get_function_configuration(FunctionName=function)
        return dict(found["Environment"]["Variables"])

    def configure(self, function: str, variables: Mapping[str, str]) -> None:
        """Give a function's newest version another environment."""
        client = self.client("lambda")
        client.update_function_configuration(FunctionName=function, Environment={"Variables": dict(variables)})
        client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})


def _place(table: str, item: Mapping[str, Any]) -> str:
    return "/".join([table, *(str(item[name].get("S")) for name in ("pk", "sk") if name in item)])


def _lasting(item: Mapping[str, Any], text: str) -> str:
    # An event's item is marked once it is published, which is its publisher's doing: that there is one is what counts.
    return "an event" if "OUTBOX#" in str(item.get("pk")) else text


def _in(time_from_now: timedelta) -> str:
    return (datetime.now(UTC) + time_from_now).isoformat(timespec="microseconds")


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """Say which items came, went or differ."""
    return [
        f"{place}: {before.get(place, 'nothing')} -> {after.get(place, 'nothing')}"
        for place in sorted(before.keys() | after.keys())
        if before.get(place) != after.get(place)
    ]
