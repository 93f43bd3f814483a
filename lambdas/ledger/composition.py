"""The service's collaborators, each made once in a process."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

from ledger.repository import AccountTable
from paygo.config import CLIENT_CONFIG, setting
from paygo.storage import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient


@cache
def table() -> Table:
    """Return the service's own table."""
    return Table(setting("TABLE"), _dynamodb())


@cache
def sessions() -> Table:
    """Return the table of sessions."""
    return Table(setting("SESSIONS_TABLE"), _dynamodb())


@cache
def accounts() -> AccountTable:
    """Return where the ledger is kept."""
    return AccountTable(table())


@cache
def sns() -> "SNSClient":
    """Return the client that publishes."""
    return boto3.client("sns", config=CLIENT_CONFIG)


def source() -> str:
    """Return the source of the service's events."""
    return f"/{setting('STACK')}/ledger"


@cache
def _dynamodb() -> "DynamoDBClient":
    return boto3.client("dynamodb", config=CLIENT_CONFIG)
