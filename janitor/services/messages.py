"""Queues, topics, alarms, logs and roles: what is between the others."""

import contextlib
from collections.abc import Iterator

from botocore.exceptions import ClientError

from janitor.clients import Clients
from janitor.found import Found, Tags
from janitor.services import pages

EXECUTION_LOGS = "API-Gateway-Execution-Logs_"


def queues(clients: Clients, prefix: str) -> Iterator[Found]:
    for url in pages(clients, "sqs", "list_queues", "QueueUrls", QueueNamePrefix=prefix):
        yield Found(url.rpartition("/")[2], url.rpartition("/")[2])


def queue_url(clients: Clients, found: Found) -> str:
    return str(clients("sqs").get_queue_url(QueueName=found.id)["QueueUrl"])


def queue_tags(clients: Clients, found: Found) -> Tags:
    tags: dict[str, str] = clients("sqs").list_queue_tags(QueueUrl=queue_url(clients, found)).get("Tags", {})
    return tags


def remove_queue(clients: Clients, found: Found) -> None:
    clients("sqs").delete_queue(QueueUrl=queue_url(clients, found))


def topics(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "sns", "list_topics", "Topics"):
        name = one["TopicArn"].rpartition(":")[2]
        if name.startswith(prefix):
            yield Found(one["TopicArn"], name)


def remove_topic(clients: Clients, found: Found) -> None:
    for one in pages(clients, "sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=found.id):
        with contextlib.suppress(ClientError):
            clients("sns").unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    clients("sns").delete_topic(TopicArn=found.id)


def alarms(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix):
        yield Found(one["AlarmName"], one["AlarmName"])


def log_groups(clients: Clients, prefix: str) -> Iterator[Found]:
    for writer in ("lambda", "apigateway"):
        beginning = f"/aws/{writer}/{prefix}"
        for one in pages(clients, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=beginning):
            yield Found(one["logGroupName"], one["logGroupName"])


def execution_logs(clients: Clients, _prefix: str) -> Iterator[Found]:
    """Find the log groups that API Gateway names after an API's identifier, which tells nobody whose it is."""
    for one in pages(clients, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=EXECUTION_LOGS):
        yield Found(one["logGroupName"], one["logGroupName"])


def log_group_tags(clients: Clients, found: Found) -> Tags:
    tags: dict[str, str] = clients("logs").list_tags_log_group(logGroupName=found.id).get("tags", {})
    return tags


def remove_log_group(clients: Clients, found: Found) -> None:
    clients("logs").delete_log_group(logGroupName=found.id)


def roles(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "iam", "list_roles", "Roles"):
        if one["RoleName"].startswith(prefix):
            yield Found(one["RoleName"], one["RoleName"])


def remove_role(clients: Clients, found: Found) -> None:
    iam = clients("iam")
    for name in iam.list_role_policies(RoleName=found.id)["PolicyNames"]:
        iam.delete_role_policy(RoleName=found.id, PolicyName=name)
    for policy in iam.list_attached_role_policies(RoleName=found.id)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=found.id, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=found.id)
