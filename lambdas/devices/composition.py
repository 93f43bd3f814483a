"""The service's collaborators, made once in each environment."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

from devices.repository import DeviceTable
from paygo.config import CLIENT_CONFIG, setting
from paygo.http import idempotency_store
from paygo.storage import Table

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

    from devices.gateways import IotCertificates, IotThings


@cache
def dynamodb() -> "DynamoDBClient":
    """Return the client of every table."""
    return boto3.client("dynamodb", config=CLIENT_CONFIG)


@cache
def table() -> Table:
    """Return the service's own table."""
    return Table(setting("TABLE"), dynamodb())


@cache
def sessions() -> Table:
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
def devices() -> DeviceTable:
    """Return the devices."""
    return DeviceTable(table())


@cache
def certificates() -> "IotCertificates":
    """Return the certificates, by the control plane of AWS IoT."""
    from devices.gateways import IotCertificates

    return IotCertificates(boto3.client("iot", config=CLIENT_CONFIG))


@cache
def things() -> "IotThings":
    """Return the things, by the data plane of AWS IoT, whose endpoint boto3 knows (`data-ats`)."""
    from devices.gateways import IotThings

    return IotThings(boto3.client("iot-data", config=CLIENT_CONFIG), setting("STACK"))


@cache
def sns() -> "SNSClient":
    """Return the client that publishes events."""
    return boto3.client("sns", config=CLIENT_CONFIG)


def source() -> str:
    """Return the source of the service's events."""
    return f"/{setting('STACK')}/devices"
