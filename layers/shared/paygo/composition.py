"""The collaborators that most functions have, each made once in an environment from its settings."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

from paygo.attempts import Attempts
from paygo.config import CLIENT_CONFIG, setting
from paygo.http import idempotency_store
from paygo.payloads import Payloads
from paygo.queues import Queue
from paygo.security import Callers
from paygo.storage import Table

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


@cache
def dynamodb() -> "DynamoDBClient":
    """Return the client of every table."""
    return boto3.client("dynamodb", config=CLIENT_CONFIG)


@cache
def own_table() -> Table:
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
def callers() -> Callers:
    """Return who may call as whom."""
    return Callers(sessions_table(), nonces())


# Powertools' store keeps the settings of its first use, so requests and events have one each.
@cache
def idempotency_keys() -> "DynamoDBPersistenceLayer":
    """Return the stack's table of things that happen once, as `paygo.http.answer_once` uses it."""
    return idempotency_store(setting("IDEMPOTENCY_TABLE"), dynamodb())


@cache
def handled_events() -> "DynamoDBPersistenceLayer":
    """Return the stack's table of things that happen once, as `paygo.consumer.consumer` uses it."""
    return idempotency_store(setting("IDEMPOTENCY_TABLE"), dynamodb())


@cache
def sns() -> "SNSClient":
    """Return the client that publishes events."""
    return boto3.client("sns", config=CLIENT_CONFIG)


@cache
def sqs() -> "SQSClient":
    """Return the client of queues."""
    return boto3.client("sqs", config=CLIENT_CONFIG)


@cache
def s3() -> "S3Client":
    """Return the client of buckets."""
    return boto3.client("s3", config=CLIENT_CONFIG)


@cache
def own_queue() -> Queue:
    """Return the queue that the function consumes, with the dead-letter queue behind it."""
    return Queue(sqs(), setting("QUEUE_URL"), setting("DEAD_QUEUE_URL"))


@cache
def attempts() -> Attempts:
    """Return where it is kept why messages of the function's queue could not be handled."""
    return Attempts(Table(setting("ATTEMPTS_TABLE"), dynamodb()), own_queue().name)


@cache
def payloads() -> Payloads:
    """Return where the data of events is that are too large to be published."""
    return Payloads(s3(), setting("PAYLOADS_BUCKET"))


def source() -> str:
    """Return the source of the service's events."""
    return f"/{setting('STACK')}/{setting('POWERTOOLS_SERVICE_NAME')}"
