"""The service's collaborators, made once in each environment."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

from identity.repository import RegistrationTable, SessionTable
from paygo.config import CLIENT_CONFIG, setting
from paygo.http import idempotency_store
from paygo.storage import Table

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

    from identity.gateways.bureau import HttpBureau
    from identity.gateways.credentials import CognitoCredentials
    from identity.gateways.users import UserPool

RESULTS_PATH = "/partners/identity-bureau/results"
"""Where the bureau answers; the contract has the same path."""


@cache
def dynamodb() -> "DynamoDBClient":
    """Return the client of every table."""
    return boto3.client("dynamodb", config=CLIENT_CONFIG)


@cache
def table() -> Table:
    """Return the service's own table."""
    return Table(setting("TABLE"), dynamodb())


@cache
def sessions_table() -> Table:
    """Return the table that `paygo.security` reads."""
    return Table(setting("SESSIONS_TABLE"), dynamodb())


@cache
def nonces() -> Table:
    """Return the stack's table of things that happen once, as nonces."""
    return Table(setting("IDEMPOTENCY_TABLE"), dynamodb())


@cache
def idempotency() -> "DynamoDBPersistenceLayer":
    """Return the stack's table of things that happen once, as powertools' store."""
    return idempotency_store(setting("IDEMPOTENCY_TABLE"), dynamodb())


@cache
def sessions() -> SessionTable:
    """Return the sessions."""
    return SessionTable(sessions_table())


@cache
def registrations() -> RegistrationTable:
    """Return the registrations."""
    return RegistrationTable(table(), sessions_table())


@cache
def credentials() -> "CognitoCredentials":
    """Return the maker of credentials."""
    from identity.gateways.credentials import CognitoCredentials

    client = boto3.client("cognito-identity", config=CLIENT_CONFIG)
    return CognitoCredentials(client, setting("IDENTITY_POOL_ID"), setting("DEVELOPER_PROVIDER"))


@cache
def users() -> "UserPool":
    """Return the user pool."""
    from identity.gateways.users import UserPool

    return UserPool(boto3.client("cognito-idp", config=CLIENT_CONFIG), setting("USER_POOL_ID"))


@cache
def bureau() -> "HttpBureau":
    """Return the identity bureau."""
    # Imported here because `requests` costs a cold start that only the bureau's function should pay.
    from identity.gateways.bureau import HttpBureau

    return HttpBureau(setting("BUREAU_URL"), setting("BUREAU_SECRET_ARN"), setting("API_URL") + RESULTS_PATH)


@cache
def sns() -> "SNSClient":
    """Return the client that publishes events."""
    return boto3.client("sns", config=CLIENT_CONFIG)


def source() -> str:
    """Return the source of the service's events."""
    return f"/{setting('STACK')}/identity"
