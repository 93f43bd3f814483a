"""The quotas on numbers of things, counted in MiniStack's own stores, whoever made them and when.

Left out are those that an operation's arguments decide alone, such as a payload's size, and the paths of an imported
document. Lambda's code storage is full when it holds as much as the quota, not when one more upload would not fit.

The errors are those of each operation's page; their words are AWS's where they are known:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-deployment.html
"""

from collections.abc import Callable, Collection
from typing import Any

from ministack.services import apigateway_v1, cloudwatch, cognito, dynamodb, eventbridge, iam, iot, lambda_svc, s3

from paygo_cloud.throttle.gate import Counted
from paygo_cloud.throttle.operations import Call
from paygo_cloud.throttle.refusals import Error

LIMIT_EXCEEDED = "LimitExceededException"


def of(call: Call) -> Counted | None:
    """Return the quota that a call counts towards."""
    return _BY_OPERATION.get((call.service, call.operation))


def services() -> set[str]:
    """Return the services that have such quotas."""
    return {service for service, _ in _BY_OPERATION}


def _counted(
    name: str, operations: str, error: Error, things: Callable[[Call], Collection[Any]], name_parameter: str = ""
) -> Counted:
    """Count things by their names; a call that names one of them makes no new one."""

    def replaces(call: Call) -> bool:
        return bool(name_parameter) and call.parameter(name_parameter) in things(call)

    service, _, quota = name.partition(".")
    return Counted(service, quota, frozenset(operations.split()), error, lambda call: len(things(call)), replaces)


def _all(module: Any, store: str) -> Callable[[Call], Any]:
    """Look a store up when it is asked for: a gap may have put another in its place."""
    return lambda _call: getattr(module, store)


def _of_api(store: str) -> Callable[[Call], Any]:
    return lambda call: getattr(apigateway_v1, store).get(call.labels["restapi_id"]) or {}


def _attached(call: Call) -> list[str]:
    role: dict[str, Any] = iam._roles.get(call.parameter("RoleName")) or {}
    return list(role.get("AttachedPolicies", ()))


def _rules(call: Call) -> set[str]:
    bus = (call.parameter("EventBusName") or "default").rpartition("/")[2]
    return {rule["Name"] for rule in eventbridge._rules.values() if rule["EventBusName"] == bus}


def _code_bytes(_call: Call) -> int:
    functions = list(lambda_svc._functions.values())
    published = [version for function in functions for version in function["versions"].values()]
    layers = [version for layer in lambda_svc._layers.values() for version in layer["versions"]]
    code = [*(each["config"] for each in (*functions, *published)), *(each["Content"] for each in layers)]
    return sum(each.get("CodeSize") or 0 for each in code)


def _too_many(things: str) -> Error:
    return Error(LIMIT_EXCEEDED, f"Limit exceeded: {{limit}} {things}.")


def _of_iam(what: str) -> Error:
    return Error(LIMIT_EXCEEDED, f"Cannot exceed quota for {what}: {{limit}}")


def _of_gateway(things: str) -> Error:
    message = f"Maximum number of {things} has been reached. Please contact AWS if you need additional {things}."
    return Error(LIMIT_EXCEEDED, message)


ROLE, POLICY, ATTACHED = (_of_iam(what) for what in ("RolesPerAccount", "PoliciesPerAccount", "PoliciesPerRole"))
NO_STORAGE = Error("CodeStorageExceededException", "Code storage limit exceeded.")
NO_BUCKET = Error("TooManyBuckets", "You have attempted to create more buckets than allowed")
NO_ALARM = Error("LimitExceededFault", "The quota for alarms for this customer has already been reached.")

COUNTED = (
    _counted("iam.roles", "CreateRole", ROLE, _all(iam, "_roles"), "RoleName"),
    _counted("iam.customer_managed_policies", "CreatePolicy", POLICY, _all(iam, "_policies")),
    _counted("iam.managed_policies_per_role", "AttachRolePolicy", ATTACHED, _attached, "PolicyArn"),
    _counted(
        "apigateway.regional_rest_apis",
        "CreateRestApi ImportRestApi",
        _of_gateway("APIs"),
        _all(apigateway_v1, "_rest_apis"),
    ),
    _counted("apigateway.resources_per_api", "CreateResource", _of_gateway("Resources"), _of_api("_resources")),
    _counted("apigateway.stages_per_api", "CreateStage", _of_gateway("Stages"), _of_api("_stages_v1")),
    _counted(
        "apigateway.authorizers_per_api", "CreateAuthorizer", _of_gateway("Authorizers"), _of_api("_authorizers_v1")
    ),
    _counted("s3.buckets", "CreateBucket", NO_BUCKET, _all(s3, "_buckets"), "Bucket"),
    _counted("dynamodb.tables", "CreateTable", _too_many("tables"), _all(dynamodb, "_tables"), "TableName"),
    _counted("cognito-idp.user_pools", "CreateUserPool", _too_many("user pools"), _all(cognito, "_user_pools")),
    _counted(
        "cognito-identity.identity_pools",
        "CreateIdentityPool",
        _too_many("identity pools"),
        _all(cognito, "_identity_pools"),
    ),
    # CreateTopicRule's page lists no such error; this is AWS IoT's own for its other limits.
    _counted("iot.topic_rules", "CreateTopicRule", _too_many("rules"), _all(iot, "_topic_rules"), "ruleName"),
    _counted("cloudwatch.alarms", "PutMetricAlarm", NO_ALARM, _all(cloudwatch, "_alarms"), "AlarmName"),
    _counted("events.rules_per_bus", "PutRule", _too_many("rules"), _rules, "Name"),
    Counted(
        "lambda",
        "code_storage_bytes",
        frozenset({"CreateFunction", "UpdateFunctionCode", "PublishVersion", "PublishLayerVersion"}),
        NO_STORAGE,
        _code_bytes,
        lambda _call: False,
    ),
)

_BY_OPERATION = {(counted.service, operation): counted for counted in COUNTED for operation in counted.operations}
