"""Each kind of resource that a stack has, as a row: how to list it, whose it is, and how and after what it goes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from janitor.clients import Clients
from janitor.found import Found, Tags
from janitor.services import devices, functions, gateway, messages, pairs, stores

type Attributes = Mapping[str, Any]
type Call = tuple[str, str]
"""A call of AWS's: boto3's name of the service and the API's of the operation, as `paygo_limits` has them."""


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    Attributes
    ----------
    find
        Lists those whose names begin in some way. One that tells no names lists all.
    terraform, key
        What Terraform's state calls the kind, and how it names what `find` calls `Found.id`.
    calls
        Every call that removing one makes to a service whose rates are limited, in order.
    after
        The kinds that have to be gone before: what calls a function goes before it, what a function writes to after it.
    within
        The kind that takes this one away with it.
    by_devices
        Whether devices make it at run time, so that no state knows it.
    of_its_own_name
        Whether its names begin like the stack's; those of others are found by their tags alone.
    """

    words: str
    find: Callable[[Clients, str], Iterable[Found]]
    remove: Callable[[Clients, Found], None]
    terraform: str
    key: Callable[[Attributes], str]
    calls: Sequence[Call] = ()
    after: Sequence[str] = ()
    within: str | None = None
    by_devices: bool = False
    of_its_own_name: bool = True
    tags: Callable[[Clients, Found], Tags] | None = None
    data: Callable[[Clients, Found], str | None] | None = None
    protected: Callable[[Clients, Found], bool] | None = None


def _attribute(name: str) -> Callable[[Attributes], str]:
    return lambda attributes: str(attributes.get(name))


def _alias_key(attributes: Attributes) -> str:
    return f"{str(attributes.get('function_name')).rpartition(':')[2]}:{attributes.get('name')}"


def _stage_key(attributes: Attributes) -> str:
    return f"{attributes.get('rest_api_id')}/{attributes.get('stage_name')}"


_CALLERS = ("event source mapping", "schedule", "IoT rule", "provisioning template")
# Not the REST API: one goes in 30 s, and nothing that its functions use waits for that. It answers errors meanwhile.

KINDS: Sequence[Kind] = (
    Kind("thing", devices.things, devices.remove_thing, "aws_iot_thing", _attribute("name"), by_devices=True),
    Kind(
        "device certificate",
        devices.device_certificates,
        devices.remove_certificate,
        "aws_iot_certificate",
        _attribute("id"),
        after=("thing",),
        by_devices=True,
    ),
    Kind("certificate", devices.certificates, devices.remove_certificate, "aws_iot_certificate", _attribute("id")),
    Kind(
        "event source mapping",
        functions.mappings,
        lambda clients, found: clients("lambda").delete_event_source_mapping(UUID=found.id),
        "aws_lambda_event_source_mapping",
        _attribute("uuid"),
    ),
    Kind(
        "schedule",
        functions.schedules,
        functions.remove_schedule,
        "aws_cloudwatch_event_rule",
        _attribute("name"),
        tags=functions.schedule_tags,
    ),
    Kind(
        "IoT rule",
        devices.rules,
        lambda clients, found: clients("iot").delete_topic_rule(ruleName=found.id),
        "aws_iot_topic_rule",
        _attribute("name"),
        tags=devices.tags_of("rule"),
    ),
    Kind(
        "provisioning template",
        devices.templates,
        lambda clients, found: clients("iot").delete_provisioning_template(templateName=found.id),
        "aws_iot_provisioning_template",
        _attribute("name"),
        tags=devices.tags_of("provisioningtemplate"),
    ),
    Kind(
        "usage plan",
        gateway.plans,
        gateway.remove_plan,
        "aws_api_gateway_usage_plan",
        _attribute("id"),
        calls=(("apigateway", "GetUsagePlan"), ("apigateway", "UpdateUsagePlan"), ("apigateway", "DeleteUsagePlan")),
    ),
    Kind(
        "API key",
        gateway.keys,
        gateway.remove_key,
        "aws_api_gateway_api_key",
        _attribute("id"),
        calls=(("apigateway", "DeleteApiKey"),),
        after=("usage plan",),
    ),
    Kind(
        "API stage",
        gateway.stages,
        gateway.remove_stage,
        "aws_api_gateway_stage",
        _stage_key,
        calls=(("apigateway", "DeleteStage"),),
        after=("usage plan",),
        within="REST API",
    ),
    Kind(
        "REST API",
        gateway.apis,
        gateway.remove_api,
        "aws_api_gateway_rest_api",
        _attribute("id"),
        calls=(("apigateway", "DeleteRestApi"),),
        after=("usage plan", "API stage"),
    ),
    Kind(
        "execution log group",
        messages.execution_logs,
        messages.remove_log_group,
        "aws_cloudwatch_log_group",
        _attribute("name"),
        after=("REST API",),
        of_its_own_name=False,
        tags=messages.log_group_tags,
    ),
    Kind(
        "function alias",
        functions.aliases,
        functions.remove_alias,
        "aws_lambda_alias",
        _alias_key,
        after=_CALLERS,
        within="function",
        tags=functions.alias_tags,
    ),
    Kind(
        "function",
        functions.functions,
        lambda clients, found: clients("lambda").delete_function(FunctionName=found.id),
        "aws_lambda_function",
        _attribute("function_name"),
        after=(*_CALLERS, "function alias"),
        tags=functions.function_tags,
    ),
    Kind(
        "layer version",
        functions.layers,
        functions.remove_layer,
        "aws_lambda_layer_version",
        _attribute("arn"),
        after=("function",),
    ),
    Kind(
        "IoT policy",
        devices.policies,
        devices.remove_policy,
        "aws_iot_policy",
        _attribute("name"),
        after=("thing", "device certificate", "certificate"),
        tags=devices.tags_of("policy"),
    ),
    Kind(
        "log group",
        messages.log_groups,
        messages.remove_log_group,
        "aws_cloudwatch_log_group",
        _attribute("name"),
        after=("function",),
        tags=messages.log_group_tags,
    ),
    Kind(
        "queue",
        messages.queues,
        messages.remove_queue,
        "aws_sqs_queue",
        _attribute("name"),
        after=("function",),
        tags=messages.queue_tags,
    ),
    Kind(
        "topic",
        messages.topics,
        messages.remove_topic,
        "aws_sns_topic",
        _attribute("arn"),
        after=("function",),
        tags=lambda clients, found: pairs(clients("sns").list_tags_for_resource(ResourceArn=found.id)["Tags"]),
    ),
    Kind(
        "table",
        stores.tables,
        stores.remove_table,
        "aws_dynamodb_table",
        _attribute("name"),
        after=("function",),
        tags=stores.table_tags,
        data=stores.table_data,
        protected=stores.table_is_protected,
    ),
    Kind(
        "bucket",
        stores.buckets,
        stores.remove_bucket,
        "aws_s3_bucket",
        _attribute("bucket"),
        after=("function",),
        tags=stores.bucket_tags,
        data=stores.bucket_data,
    ),
    Kind(
        "secret",
        stores.secrets,
        stores.remove_secret,
        "aws_secretsmanager_secret",
        _attribute("arn"),
        after=("function",),
    ),
    Kind(
        "user pool",
        stores.user_pools,
        stores.remove_user_pool,
        "aws_cognito_user_pool",
        _attribute("id"),
        after=("function",),
        tags=stores.user_pool_tags,
        data=stores.user_pool_data,
        protected=stores.user_pool_is_protected,
    ),
    Kind(
        "identity pool",
        stores.identity_pools,
        stores.remove_identity_pool,
        "aws_cognito_identity_pool",
        _attribute("id"),
        after=("function",),
        tags=stores.identity_pool_tags,
    ),
    Kind(
        "alarm",
        messages.alarms,
        lambda clients, found: clients("cloudwatch").delete_alarms(AlarmNames=[found.id]),
        "aws_cloudwatch_metric_alarm",
        _attribute("alarm_name"),
    ),
    Kind(
        "role",
        messages.roles,
        messages.remove_role,
        "aws_iam_role",
        _attribute("name"),
        after=("function", "IoT rule", "provisioning template", "identity pool"),
        tags=lambda clients, found: pairs(clients("iam").list_role_tags(RoleName=found.id)["Tags"]),
    ),
)

NAMED: Mapping[str, Kind] = {kind.words: kind for kind in KINDS}

PARTS = frozenset(
    {
        "aws_api_gateway_deployment",
        "aws_api_gateway_gateway_response",
        "aws_api_gateway_method_settings",
        "aws_api_gateway_usage_plan_key",
        "aws_cloudwatch_event_target",
        "aws_cloudwatch_log_subscription_filter",
        "aws_cognito_identity_pool_roles_attachment",
        "aws_cognito_user_pool_client",
        "aws_cognito_user_pool_domain",
        "aws_cognito_user_group",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_iot_policy_attachment",
        "aws_lambda_function_event_invoke_config",
        "aws_lambda_function_recursion_config",
        "aws_lambda_permission",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_s3_object",
        "aws_secretsmanager_secret_version",
        "aws_sns_topic_policy",
        "aws_sns_topic_subscription",
        "aws_sqs_queue_policy",
        "aws_sqs_queue_redrive_allow_policy",
        "aws_wafv2_web_acl_association",
        "terraform_data",
    }
)
"""Terraform's types that are no resources of their own: they go with what they are part of."""


def layers(kinds: Iterable[Kind]) -> list[list[Kind]]:
    """Order kinds so that each comes after those it has to."""
    depths: dict[str, int] = {}

    def depth(kind: Kind) -> int:
        if kind.words not in depths:
            depths[kind.words] = max((depth(NAMED[before]) + 1 for before in kind.after), default=0)
        return depths[kind.words]

    by_depth: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_depth.setdefault(depth(kind), []).append(kind)
    return [by_depth[level] for level in sorted(by_depth)]
