"""How rules read a plan."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tests.policy.plan import HERE, REGION, STACK, Plan, Resource

type Complaints = Iterator[str]


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Give a document's statements: IAM takes a single one without a list around it."""
    found: list[dict[str, Any]] | dict[str, Any] = document["Statement"]
    return [found] if isinstance(found, dict) else found


def listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


# Where documents stand that say who may do what.
POLICIES = {
    "aws_cloudwatch_log_resource_policy": "policy_document",
    "aws_iam_policy": "policy",
    "aws_iam_role_policy": "policy",
    "aws_iot_policy": "policy",
    "aws_kms_key": "policy",
    "aws_kms_key_policy": "policy",
    "aws_s3_bucket_policy": "policy",
    "aws_secretsmanager_secret": "policy",
    "aws_secretsmanager_secret_policy": "policy",
    "aws_sns_topic": "policy",
    "aws_sns_topic_policy": "policy",
    "aws_sqs_queue": "policy",
    "aws_sqs_queue_policy": "policy",
}


def stated(plan: Plan) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Give every statement of every policy, a function's permissions as IAM would write them among them.

    A policy that no role holds is a boundary: it allows nothing by itself.
    """
    held = {attachment.values.get("policy_arn") for attachment in plan.of("aws_iam_role_policy_attachment")}
    for kind, attribute in POLICIES.items():
        for resource in plan.of(kind):
            if resource.values.get(attribute) and (kind != "aws_iam_policy" or resource.values.get("arn") in held):
                for statement in statements(resource.document(attribute)):
                    yield resource, statement
    for permission in plan.of("aws_lambda_permission"):
        values = permission.values
        source = {"ArnLike": {"aws:SourceArn": values["source_arn"]}} if values.get("source_arn") else {}
        principal = values["principal"]
        yield (
            permission,
            {
                "Effect": "Allow",
                "Principal": "*" if principal == "*" else {"Service": principal},
                "Action": values["action"],
                "Resource": f"arn:aws:lambda:{HERE}:function:{values['function_name']}",
                "Condition": source,
            },
        )


def allowed(plan: Plan) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Give the statements that allow something."""
    return ((resource, statement) for resource, statement in stated(plan) if statement["Effect"] == "Allow")


class Rights:
    """What each role may do, by its own statements."""

    def __init__(self, plan: Plan) -> None:
        self._of: dict[str, list[tuple[set[str], list[str]]]] = {}
        for policy in plan.of("aws_iam_role_policy"):
            for statement in statements(policy.document("policy")):
                if statement["Effect"] == "Allow":
                    right = set(listed(statement.get("Action"))), listed(statement.get("Resource"))
                    self._of.setdefault(policy.values["role"], []).append(right)

    def may(self, role: str, action: str, resource: str) -> bool:
        """Tell whether a role, by its name or ARN, may do this."""
        return any(
            action in actions and any(fnmatchcase(resource, pattern) for pattern in patterns)
            for actions, patterns in self._of.get(role.rpartition("/")[2], [])
        )


def roles_of_functions(plan: Plan) -> dict[str, str]:
    """Give the ARN of each function's role by the function's name."""
    return {one.values["function_name"]: one.values["role"] for one in plan.of("aws_lambda_function")}


def function_of(arn: str) -> str:
    """Name the function of a function's or an alias's ARN."""
    return arn.partition(":function:")[2].partition(":")[0]


def iot_actions(rule: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what a rule of AWS IoT does, with a message and with what failed, by the action's kind."""
    for places in (rule.values, *(rule.values.get("error_action") or [])):
        for kind, blocks in places.items():
            if kind != "error_action" and isinstance(blocks, list):
                yield from ((kind, block) for block in blocks if isinstance(block, dict))


def operations_of(plan: Plan) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for api in plan.of("aws_api_gateway_rest_api"):
        for path, item in api.document("body")["paths"].items():
            for method, operation in item.items():
                yield method, path, operation


def route_of(method: str, path: str) -> str:
    """Write a route as the ARNs of execute-api do: one `*` for each parameter."""
    return f"{method.upper()}{re.sub(r'{[^}]*}', '*', path)}"


def at_most(text: str) -> int:
    """Measure a text where stack and region have the longest names there are."""
    return len(text.replace(STACK, "paygo-eighteenlettername").replace(REGION, "ap-southeast-1"))
