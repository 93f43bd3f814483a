"""The service's collaborators, each made once in a process."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

from notifications.gateways import SesPost
from notifications.repository import ContactTable
from paygo.config import CLIENT_CONFIG, setting
from paygo.http import idempotency_store
from paygo.storage import Table

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
    from mypy_boto3_dynamodb import DynamoDBClient


@cache
def dynamodb() -> "DynamoDBClient":
    """Return the client of every table."""
    return boto3.client("dynamodb", config=CLIENT_CONFIG)


@cache
def contacts() -> ContactTable:
    """Return where contacts are kept."""
    return ContactTable(Table(setting("TABLE"), dynamodb()))


@cache
def post() -> SesPost:
    """Return what sends messages."""
    return SesPost(boto3.client("sesv2", config=CLIENT_CONFIG), setting("MAIL_SENDER"))


@cache
def sent() -> "DynamoDBPersistenceLayer":
    """Return what remembers which events people were told about."""
    return idempotency_store(setting("IDEMPOTENCY_TABLE"), dynamodb())
