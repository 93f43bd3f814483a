"""The service's collaborators, each made once in a process."""

import json
from collections.abc import Mapping
from functools import cache

import boto3

from operations.gateways import AlarmsTopic, AwsSender, CloudWatchGauge, Mailbox, Webhook
from operations.model import Kind, Queue
from operations.repository import AttemptTable, AuditTable, LetterTable, ReportTable
from paygo.composition import dynamodb, own_table, sns
from paygo.config import CLIENT_CONFIG, setting
from paygo.storage import Table


@cache
def letters() -> LetterTable:
    """Return where dead letters are kept."""
    return LetterTable(own_table())


@cache
def attempts() -> AttemptTable:
    """Return where consumers leave what became of each attempt."""
    return AttemptTable(Table(setting("ATTEMPTS_TABLE"), dynamodb()))


@cache
def reports() -> ReportTable:
    """Return where error reports are kept."""
    return ReportTable(own_table())


@cache
def audit() -> AuditTable:
    """Return where audit events are kept."""
    return AuditTable(Table(setting("AUDIT_TABLE"), dynamodb()))


@cache
def sender() -> AwsSender:
    """Return what gives a letter's message back to where it came from."""
    return AwsSender(
        boto3.client("sqs", config=CLIENT_CONFIG),
        boto3.client("lambda", config=CLIENT_CONFIG),
        queue_urls=setting("QUEUE_URLS_BASE"),
        function_arns=setting("FUNCTIONS_ARN_BASE"),
    )


@cache
def gauge() -> CloudWatchGauge:
    """Return where the number of open letters is shown."""
    return CloudWatchGauge(boto3.client("cloudwatch", config=CLIENT_CONFIG), setting("POWERTOOLS_METRICS_NAMESPACE"))


@cache
def notices() -> AlarmsTopic:
    """Return the topic that reaches the operators."""
    return AlarmsTopic(sns(), setting("ALARMS_TOPIC_ARN"))


@cache
def channels() -> tuple[Mailbox, Webhook]:
    """Return the ways to tell operators something."""
    ses = boto3.client("sesv2", config=CLIENT_CONFIG)
    return Mailbox(ses, setting("MAIL_SENDER"), setting("ALARM_ADDRESS")), Webhook(setting("WEBHOOK_SECRET_ARN"))


def queue(name: str) -> Queue:
    """Return the dead-letter queue of that name."""
    return Queue.named(name, setting("STACK"), _kinds())


@cache
def _kinds() -> Mapping[str, Kind]:
    return {place: Kind(kind) for place, kind in json.loads(setting("QUEUES")).items()}
