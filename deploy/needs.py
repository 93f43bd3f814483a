"""What a stack needs of the account's quotas, recorded from a plan, since to plan takes longer than a deploy may.

`needs.json` holds the counts by kind of stack: `make needs` writes it, and a test compares it with the plan.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.storage import State
from paygo_limits import Quota, quota

RECORDED = Path(__file__).with_name("needs.json")
CODE = "code_bytes"

type Needs = Mapping[str, int]
"""How many resources of each type a stack has, and under `code_bytes` what its functions' and layers' code takes."""


@dataclass(frozen=True)
class Limited:
    """A resource of Terraform's of which an account may have so many."""

    resource: str
    quota: Quota


LIMITED = (
    Limited("aws_iam_role", quota("iam", "roles")),
    Limited("aws_cloudwatch_event_rule", quota("events", "rules_per_bus")),
    Limited("aws_cloudwatch_metric_alarm", quota("cloudwatch", "alarms")),
    Limited("aws_dynamodb_table", quota("dynamodb", "tables")),
    Limited("aws_iot_provisioning_template", quota("iot", "provisioning_templates")),
    Limited("aws_api_gateway_usage_plan", quota("apigateway", "usage_plans")),
    Limited("aws_api_gateway_rest_api", quota("apigateway", "regional_rest_apis")),
    Limited("aws_api_gateway_api_key", quota("apigateway", "api_keys")),
    Limited("aws_cognito_user_pool", quota("cognito-idp", "user_pools")),
    Limited("aws_cognito_identity_pool", quota("cognito-identity", "identity_pools")),
    Limited("aws_iot_topic_rule", quota("iot", "topic_rules")),
    Limited("aws_s3_bucket", quota("s3", "buckets")),
    Limited(CODE, quota("lambda", "code_storage_bytes")),
)


def kind(stage: str, roles: str) -> str:
    """Name the kind of stack that a stage and its roles make.

    >>> kind("development", "service")
    'development, a role a service'
    """
    return f"{stage}, a role a service" if roles == "service" else stage


def recorded() -> dict[str, dict[str, int]]:
    """Read what each kind of stack needs."""
    needs: dict[str, dict[str, int]] = json.loads(RECORDED.read_bytes())
    return needs


def missing(needs: Needs, state: State) -> dict[str, int]:
    """Say what a stack needs beyond what it has; nothing of it for a stack that is up to date."""
    there = {resource: len(state.known(resource)) for resource in needs}
    # The state does not say how much code there is: a stack that has functions is taken to have its code.
    there[CODE] = needs.get(CODE, 0) if state.known("aws_lambda_function") else 0
    return {resource: count - there[resource] for resource, count in needs.items() if count > there[resource]}
