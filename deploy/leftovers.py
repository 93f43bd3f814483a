"""Find what a stack has in a cloud, service by service, and remove it.

A killed Terraform leaves resources that its state does not know; an API or a pool may even be there twice under one
name. Each kind of resource is a row of `KINDS`: how to list those whose name begins like the stack, how to tell
whose they are, how Terraform's state names them and how to remove them. A name makes a candidate; a tag, where the
cloud keeps one, decides.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.storage import State, artefact_bucket, state_bucket
from deploy.target import Clients

THREADS = 16

type Tags = Mapping[str, str] | None
type Attributes = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A resource in the cloud: what its API calls it, and what a person does."""

    id: str
    name: str
    tags: Tags = None


@dataclass(frozen=True)
class Kind:
    """One kind of resource; `by_devices` tells those that devices make at run time, which no state knows."""

    words: str
    find: Callable[[Clients, str], Iterable[Found]]
    remove: Callable[[Clients, Found], None]
    terraform: str
    key: Callable[[Attributes], str]
    order: int
    by_devices: bool = False
    tags: Callable[[Clients, Found], Tags] | None = None
    data: Callable[[Clients, Found], str | None] | None = None


@dataclass(frozen=True)
class Leftover:
    """A resource of the stack that its state does not know."""

    kind: Kind
    found: Found

    def __str__(self) -> str:
        return f"{self.kind.words} {self.found.name}"


def counted(count: int, words: str) -> str:
    """Write how many there are of something.

    >>> counted(2, "IoT policy")
    '2 IoT policies'
    """
    if count != 1:
        words = f"{words[:-1]}ies" if words.endswith("y") and words[-2] not in "aeiou" else f"{words}s"
        words = words.replace("aliass", "aliases")
    return f"{count} {words}"


def owner(name: str, stacks: Iterable[str]) -> str | None:
    """Name the stack whose resource this is by its name: of those that fit, the longest.

    >>> owner("paygo-demo-2-identity", ["paygo-demo", "paygo-demo-2"])
    'paygo-demo-2'
    """
    plain = bare(name)
    fitting = [stack for stack in stacks if plain == stack or plain.startswith(f"{stack}-")]
    return max(fitting, key=len, default=None)


def bare(name: str) -> str:
    """Cut what AWS puts before a name, and write it with hyphens, as stacks are written."""
    for prefix in ("/aws/lambda/", "/aws/apigateway/"):
        name = name.removeprefix(prefix)
    return name.replace("_", "-").replace("/", "-")


def belongs(found: Found, stack: str, stacks: Iterable[str]) -> bool:
    """Tell whether a resource is the stack's: by its tag, or where nothing is tagged by its name."""
    if found.tags:
        return found.tags.get("Stack") == stack
    return owner(found.name, {stack, *stacks}) == stack


def is_here(found: Found, region: str) -> bool:
    """Tell whether a resource is of this region: roles know none, and a branch may have a stack in two."""
    return (found.tags or {}).get("Region", region) == region


def unknown(found: Iterable[Found], kind: Kind, state: State) -> list[Found]:
    """Give those that Terraform's state does not have."""
    known = {kind.key(attributes) for attributes in state.known(kind.terraform)}
    return [one for one in found if one.id not in known]


def sweep(
    clients: Clients, stack: str, stacks: Iterable[str], state: State, kinds: Sequence[Kind] | None = None
) -> list[Leftover]:
    """Find everything of a stack, of some kinds or of all, that its state does not know."""

    def look(kind: Kind) -> list[Leftover]:
        candidates = [one for one in kind.find(clients, stack) if _may_be(one, stack)]
        strays = [_tagged(clients, kind, one) for one in unknown(candidates, kind, state)]
        region = clients.target.region
        return [Leftover(kind, one) for one in strays if one and is_here(one, region) and belongs(one, stack, stacks)]

    with ThreadPoolExecutor(THREADS) as pool:
        return [leftover for found in pool.map(look, KINDS if kinds is None else kinds) for leftover in found]


def holding_data(clients: Clients, leftovers: Sequence[Leftover]) -> list[str]:
    """Name the leftovers that may hold people's data."""
    told = []
    for leftover in leftovers:
        data = leftover.kind.data(clients, leftover.found) if leftover.kind.data else None
        if data:
            told.append(f"{leftover} ({data})")
    return told


def remove(clients: Clients, leftovers: Sequence[Leftover]) -> list[str]:
    """Remove what was found, in an order that works, and say what could not be."""
    failures: list[str] = []

    def one(leftover: Leftover) -> None:
        try:
            leftover.kind.remove(clients, leftover.found)
        except ClientError as error:
            if not _is_gone(error):
                failures.append(f"{leftover}: {error.response['Error'].get('Message') or error}")

    with ThreadPoolExecutor(THREADS) as pool:
        for order in sorted({leftover.kind.order for leftover in leftovers}):
            list(pool.map(one, [leftover for leftover in leftovers if leftover.kind.order == order]))
    return failures


def _may_be(found: Found, stack: str) -> bool:
    plain = bare(found.name)
    return plain == stack or plain.startswith(f"{stack}-") or (found.tags or {}).get("Stack") == stack


def _tagged(clients: Clients, kind: Kind, found: Found) -> Found | None:
    if found.tags is not None or kind.tags is None:
        return found
    try:
        return Found(found.id, found.name, kind.tags(clients, found))
    except ClientError as error:
        if _is_gone(error):
            return None
        raise


def _is_gone(error: ClientError) -> bool:
    code = str(error.response.get("Error", {}).get("Code", ""))
    gone = ("NotFound", "NoSuchEntity", "NoSuchBucket", "NonExistentQueue", "QueueDoesNotExist", "DeleteConflictGone")
    return any(part in code for part in gone)


# --- how each service lists, tells and removes ----------------------------------------------------------------------


def _pages(clients: Clients, service: str, operation: str, item: str, **arguments: Any) -> Iterator[Any]:
    for page in clients(service).get_paginator(operation).paginate(**arguments):
        yield from page.get(item) or []


def _pairs(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Read the three ways in which AWS writes a list of tags."""
    return {
        (tag.get("Key") or tag.get("TagKey") or ""): tag.get("Value") or tag.get("TagValue") or "" for tag in tags or ()
    }


def _attribute(name: str) -> Callable[[Attributes], str]:
    return lambda attributes: str(attributes.get(name))


def _functions(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "lambda", "list_functions", "Functions"):
        if bare(one["FunctionName"]).startswith(stack):
            yield Found(one["FunctionName"], one["FunctionName"])


def _function_tags(clients: Clients, found: Found) -> Tags:
    tags: dict[str, str] = clients("lambda").get_function(FunctionName=found.id).get("Tags", {})
    return tags


def _aliases(clients: Clients, stack: str) -> Iterator[Found]:
    for function in _functions(clients, stack):
        with contextlib.suppress(clients("lambda").exceptions.ResourceNotFoundException):
            for alias in clients("lambda").list_aliases(FunctionName=function.id)["Aliases"]:
                yield Found(f"{function.id}:{alias['Name']}", f"{function.name}:{alias['Name']}")


def _alias_tags(clients: Clients, found: Found) -> Tags:
    return _function_tags(clients, Found(found.id.rpartition(":")[0], ""))


def _remove_alias(clients: Clients, found: Found) -> None:
    function, _, name = found.id.rpartition(":")
    clients("lambda").delete_alias(FunctionName=function, Name=name)


def _mappings(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "lambda", "list_event_source_mappings", "EventSourceMappings"):
        name = str(one.get("FunctionArn", "")).partition(":function:")[2].partition(":")[0]
        if bare(name).startswith(stack):
            yield Found(one["UUID"], name)


def _layers(clients: Clients, stack: str) -> Iterator[Found]:
    for layer in _pages(clients, "lambda", "list_layers", "Layers"):
        if bare(layer["LayerName"]).startswith(stack):
            for version in _pages(
                clients, "lambda", "list_layer_versions", "LayerVersions", LayerName=layer["LayerName"]
            ):
                yield Found(version["LayerVersionArn"], layer["LayerName"])


def _remove_layer(clients: Clients, found: Found) -> None:
    version = int(found.id.rpartition(":")[2])
    clients("lambda").delete_layer_version(LayerName=found.name, VersionNumber=version)


def _log_groups(clients: Clients, stack: str) -> Iterator[Found]:
    for prefix in (f"/aws/lambda/{stack}", f"/aws/apigateway/{stack}"):
        for one in _pages(clients, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            yield Found(one["logGroupName"], one["logGroupName"])


def _log_group_tags(clients: Clients, found: Found) -> Tags:
    tags: dict[str, str] = clients("logs").list_tags_log_group(logGroupName=found.id).get("tags", {})
    return tags


def _roles(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "iam", "list_roles", "Roles"):
        if one["RoleName"].startswith(stack):
            yield Found(one["RoleName"], one["RoleName"])


def _remove_role(clients: Clients, found: Found) -> None:
    iam = clients("iam")
    for name in iam.list_role_policies(RoleName=found.id)["PolicyNames"]:
        iam.delete_role_policy(RoleName=found.id, PolicyName=name)
    for policy in iam.list_attached_role_policies(RoleName=found.id)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=found.id, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=found.id)


def _queues(clients: Clients, stack: str) -> Iterator[Found]:
    for url in _pages(clients, "sqs", "list_queues", "QueueUrls", QueueNamePrefix=stack):
        yield Found(url.rpartition("/")[2], url.rpartition("/")[2])


def _queue_url(clients: Clients, found: Found) -> str:
    return str(clients("sqs").get_queue_url(QueueName=found.id)["QueueUrl"])


def _queue_tags(clients: Clients, found: Found) -> Tags:
    tags: dict[str, str] = clients("sqs").list_queue_tags(QueueUrl=_queue_url(clients, found)).get("Tags", {})
    return tags


def _remove_queue(clients: Clients, found: Found) -> None:
    clients("sqs").delete_queue(QueueUrl=_queue_url(clients, found))


def _topics(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "sns", "list_topics", "Topics"):
        name = one["TopicArn"].rpartition(":")[2]
        if name.startswith(stack):
            yield Found(one["TopicArn"], name)


def _remove_topic(clients: Clients, found: Found) -> None:
    for one in _pages(clients, "sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=found.id):
        with contextlib.suppress(ClientError):
            clients("sns").unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    clients("sns").delete_topic(TopicArn=found.id)


def _tables(clients: Clients, stack: str) -> Iterator[Found]:
    for name in _pages(clients, "dynamodb", "list_tables", "TableNames"):
        if name.startswith(stack):
            yield Found(name, name)


def _table_tags(clients: Clients, found: Found) -> Tags:
    table = clients("dynamodb").describe_table(TableName=found.id)["Table"]
    return _pairs(clients("dynamodb").list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"])


def _table_data(clients: Clients, found: Found) -> str | None:
    # What describe_table counts is up to six hours old, so one item is looked for.
    return "it has items" if clients("dynamodb").scan(TableName=found.id, Limit=1)["Items"] else None


def _remove_table(clients: Clients, found: Found) -> None:
    dynamodb = clients("dynamodb")
    dynamodb.delete_table(TableName=found.id)
    dynamodb.get_waiter("table_not_exists").wait(TableName=found.id, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def _buckets(clients: Clients, stack: str) -> Iterator[Found]:
    # All regions are listed alike, and a bucket that was made a moment ago has no tags yet: its name says where it is.
    here = f"-{clients.target.account}-{clients.target.region}"
    the_accounts = {state_bucket(clients.target), artefact_bucket(clients.target)}
    for one in _pages(clients, "s3", "list_buckets", "Buckets"):
        if one["Name"].startswith(stack) and one["Name"].endswith(here) and one["Name"] not in the_accounts:
            yield Found(one["Name"], one["Name"])


def _bucket_tags(clients: Clients, found: Found) -> Tags:
    try:
        return _pairs(clients("s3").get_bucket_tagging(Bucket=found.id)["TagSet"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return None
        raise


def _bucket_data(clients: Clients, found: Found) -> str | None:
    return "it has objects" if clients("s3").list_objects_v2(Bucket=found.id, MaxKeys=1).get("Contents") else None


def _remove_bucket(clients: Clients, found: Found) -> None:
    s3 = clients("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=found.id):
        gone = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if gone:
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in gone]
            s3.delete_objects(Bucket=found.id, Delete={"Objects": objects, "Quiet": True})
    s3.delete_bucket(Bucket=found.id)


def _schedules(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "events", "list_rules", "Rules", NamePrefix=stack):
        yield Found(one["Name"], one["Name"])


def _schedule_tags(clients: Clients, found: Found) -> Tags:
    arn = clients("events").describe_rule(Name=found.id)["Arn"]
    return _pairs(clients("events").list_tags_for_resource(ResourceARN=arn)["Tags"])


def _remove_schedule(clients: Clients, found: Found) -> None:
    events = clients("events")
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=found.id)["Targets"]]
    if targets:
        events.remove_targets(Rule=found.id, Ids=targets)
    events.delete_rule(Name=found.id)


def _apis(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "apigateway", "get_rest_apis", "items", PaginationConfig={"PageSize": 500}):
        if one["name"].startswith(stack):
            yield Found(one["id"], one["name"], one.get("tags") or None)


def _remove_api(clients: Clients, found: Found) -> None:
    clients("apigateway").delete_rest_api(restApiId=found.id)
    logs = clients("logs")
    with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName=f"API-Gateway-Execution-Logs_{found.id}/v")


def _stages(clients: Clients, stack: str) -> Iterator[Found]:
    for api in _apis(clients, stack):
        with contextlib.suppress(clients("apigateway").exceptions.NotFoundException):
            for one in clients("apigateway").get_stages(restApiId=api.id)["item"]:
                yield Found(f"{api.id}/{one['stageName']}", api.name, api.tags)


def _remove_stage(clients: Clients, found: Found) -> None:
    api, _, stage = found.id.partition("/")
    clients("apigateway").delete_stage(restApiId=api, stageName=stage)


def _plans(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "apigateway", "get_usage_plans", "items", PaginationConfig={"PageSize": 500}):
        if one["name"].startswith(stack):
            yield Found(one["id"], one["name"], one.get("tags") or None)


def _remove_plan(clients: Clients, found: Found) -> None:
    gateway = clients("apigateway")
    for stage in gateway.get_usage_plan(usagePlanId=found.id).get("apiStages", []):
        place = f"{stage['apiId']}:{stage['stage']}"
        operation = {"op": "remove", "path": "/apiStages", "value": place}
        gateway.update_usage_plan(usagePlanId=found.id, patchOperations=[operation])
    gateway.delete_usage_plan(usagePlanId=found.id)


def _keys(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "apigateway", "get_api_keys", "items", nameQuery=stack):
        if one["name"].startswith(stack):
            yield Found(one["id"], one["name"], one.get("tags") or None)


def _remove_key(clients: Clients, found: Found) -> None:
    clients("apigateway").delete_api_key(apiKey=found.id)


def _user_pools(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "cognito-idp", "list_user_pools", "UserPools", PaginationConfig={"PageSize": 60}):
        if one["Name"].startswith(stack):
            yield Found(one["Id"], one["Name"])


def _user_pool_tags(clients: Clients, found: Found) -> Tags:
    tags: dict[str, str] = (
        clients("cognito-idp").describe_user_pool(UserPoolId=found.id)["UserPool"].get("UserPoolTags", {})
    )
    return tags


def _user_pool_data(clients: Clients, found: Found) -> str | None:
    return "it has users" if clients("cognito-idp").list_users(UserPoolId=found.id, Limit=1)["Users"] else None


def _remove_user_pool(clients: Clients, found: Found) -> None:
    cognito = clients("cognito-idp")
    pool = cognito.describe_user_pool(UserPoolId=found.id)["UserPool"]
    if pool.get("Domain"):
        cognito.delete_user_pool_domain(UserPoolId=found.id, Domain=pool["Domain"])
    cognito.delete_user_pool(UserPoolId=found.id)


def _identity_pools(clients: Clients, stack: str) -> Iterator[Found]:
    arguments = {"PaginationConfig": {"PageSize": 60}}
    for one in _pages(clients, "cognito-identity", "list_identity_pools", "IdentityPools", **arguments):
        if one["IdentityPoolName"].startswith(stack):
            yield Found(one["IdentityPoolId"], one["IdentityPoolName"])


def _identity_pool_tags(clients: Clients, found: Found) -> Tags:
    pool = clients("cognito-identity").describe_identity_pool(IdentityPoolId=found.id)
    tags: dict[str, str] = pool.get("IdentityPoolTags") or {}
    return tags


def _remove_identity_pool(clients: Clients, found: Found) -> None:
    clients("cognito-identity").delete_identity_pool(IdentityPoolId=found.id)


def _secrets(clients: Clients, stack: str) -> Iterator[Found]:
    filters = [{"Key": "name", "Values": [stack]}]
    for one in _pages(
        clients, "secretsmanager", "list_secrets", "SecretList", Filters=filters, IncludePlannedDeletion=True
    ):
        if one["Name"].startswith(stack):
            yield Found(one["ARN"], one["Name"], _pairs(one.get("Tags")) or None)


def _remove_secret(clients: Clients, found: Found) -> None:
    clients("secretsmanager").delete_secret(SecretId=found.id, ForceDeleteWithoutRecovery=True)


def _alarms(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=stack):
        yield Found(one["AlarmName"], one["AlarmName"])


def _iot_arn(clients: Clients, kind: str, name: str) -> str:
    return f"arn:aws:iot:{clients.target.region}:{clients.target.account}:{kind}/{name}"


def _iot_tags(kind: str) -> Callable[[Clients, Found], Tags]:
    def read(clients: Clients, found: Found) -> Tags:
        return _pairs(clients("iot").list_tags_for_resource(resourceArn=_iot_arn(clients, kind, found.id)).get("tags"))

    return read


def _rules(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "iot", "list_topic_rules", "rules"):
        if bare(one["ruleName"]).startswith(stack):
            yield Found(one["ruleName"], one["ruleName"])


def _templates(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "iot", "list_provisioning_templates", "templates"):
        if one["templateName"].startswith(stack):
            yield Found(one["templateName"], one["templateName"])


def _policies(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "iot", "list_policies", "policies"):
        if one["policyName"].startswith(stack):
            yield Found(one["policyName"], one["policyName"])


def _remove_policy(clients: Clients, found: Found) -> None:
    iot = clients("iot")
    for target in _pages(clients, "iot", "list_targets_for_policy", "targets", policyName=found.id):
        iot.detach_policy(policyName=found.id, target=target)
    for version in iot.list_policy_versions(policyName=found.id)["policyVersions"]:
        if not version["isDefaultVersion"]:
            iot.delete_policy_version(policyName=found.id, policyVersionId=version["versionId"])
    iot.delete_policy(policyName=found.id)


def _things(clients: Clients, stack: str) -> Iterator[Found]:
    for one in _pages(clients, "iot", "list_things", "things", PaginationConfig={"PageSize": 250}):
        if one["thingName"].startswith(stack):
            # A thing carries no tags; its template writes the stack into an attribute instead.
            stack_of = (one.get("attributes") or {}).get("stack")
            yield Found(one["thingName"], one["thingName"], {"Stack": stack_of} if stack_of else None)


def _remove_thing(clients: Clients, found: Found) -> None:
    iot = clients("iot")
    for principal in iot.list_thing_principals(thingName=found.id)["principals"]:
        iot.detach_thing_principal(thingName=found.id, principal=principal)
        with contextlib.suppress(iot.exceptions.ResourceNotFoundException):
            _remove_certificate(clients, Found(principal.rpartition("/")[2], ""))
    iot.delete_thing(thingName=found.id)


def _certificates(clients: Clients, stack: str) -> Iterator[Found]:
    return _certificates_of(clients, (one for one in _policies(clients, stack) if not _is_devices(one)))


def _device_certificates(clients: Clients, stack: str) -> Iterator[Found]:
    return _certificates_of(clients, (one for one in _policies(clients, stack) if _is_devices(one)))


def _is_devices(policy: Found) -> bool:
    return policy.name.endswith("-device")


def _certificates_of(clients: Clients, policies: Iterable[Found]) -> Iterator[Found]:
    """Find certificates by the policies that they are attached to: they have neither name nor tag."""
    for policy in policies:
        for target in _pages(clients, "iot", "list_targets_for_policy", "targets", policyName=policy.id):
            if ":cert/" in target:
                yield Found(target.rpartition("/")[2], policy.name)


def _remove_certificate(clients: Clients, found: Found) -> None:
    iot = clients("iot")
    arn = iot.describe_certificate(certificateId=found.id)["certificateDescription"]["certificateArn"]
    iot.update_certificate(certificateId=found.id, newStatus="INACTIVE")
    for policy in iot.list_attached_policies(target=arn)["policies"]:
        iot.detach_policy(policyName=policy["policyName"], target=arn)
    for thing in iot.list_principal_things(principal=arn)["things"]:
        iot.detach_thing_principal(thingName=thing, principal=arn)
    iot.delete_certificate(certificateId=found.id, forceDelete=True)


def _alias_key(attributes: Attributes) -> str:
    return f"{str(attributes.get('function_name')).rpartition(':')[2]}:{attributes.get('name')}"


def _stage_key(attributes: Attributes) -> str:
    return f"{attributes.get('rest_api_id')}/{attributes.get('stage_name')}"


# What calls a function goes before it, what a function writes to after it.
KINDS: Sequence[Kind] = (
    Kind("thing", _things, _remove_thing, "aws_iot_thing", _attribute("name"), 0, by_devices=True),
    Kind(
        "device certificate",
        _device_certificates,
        _remove_certificate,
        "aws_iot_certificate",
        _attribute("id"),
        1,
        by_devices=True,
    ),
    Kind("certificate", _certificates, _remove_certificate, "aws_iot_certificate", _attribute("id"), 1),
    Kind(
        "event source mapping",
        _mappings,
        lambda clients, found: clients("lambda").delete_event_source_mapping(UUID=found.id),
        "aws_lambda_event_source_mapping",
        _attribute("uuid"),
        0,
    ),
    Kind(
        "schedule",
        _schedules,
        _remove_schedule,
        "aws_cloudwatch_event_rule",
        _attribute("name"),
        0,
        tags=_schedule_tags,
    ),
    Kind(
        "IoT rule",
        _rules,
        lambda clients, found: clients("iot").delete_topic_rule(ruleName=found.id),
        "aws_iot_topic_rule",
        _attribute("name"),
        0,
        tags=_iot_tags("rule"),
    ),
    Kind(
        "provisioning template",
        _templates,
        lambda clients, found: clients("iot").delete_provisioning_template(templateName=found.id),
        "aws_iot_provisioning_template",
        _attribute("name"),
        0,
        tags=_iot_tags("provisioningtemplate"),
    ),
    Kind("usage plan", _plans, _remove_plan, "aws_api_gateway_usage_plan", _attribute("id"), 0),
    Kind("API key", _keys, _remove_key, "aws_api_gateway_api_key", _attribute("id"), 1),
    Kind("API stage", _stages, _remove_stage, "aws_api_gateway_stage", _stage_key, 1),
    Kind("REST API", _apis, _remove_api, "aws_api_gateway_rest_api", _attribute("id"), 2),
    Kind("function alias", _aliases, _remove_alias, "aws_lambda_alias", _alias_key, 2, tags=_alias_tags),
    Kind(
        "function",
        _functions,
        lambda clients, found: clients("lambda").delete_function(FunctionName=found.id),
        "aws_lambda_function",
        _attribute("function_name"),
        3,
        tags=_function_tags,
    ),
    Kind("layer version", _layers, _remove_layer, "aws_lambda_layer_version", _attribute("arn"), 4),
    Kind("IoT policy", _policies, _remove_policy, "aws_iot_policy", _attribute("name"), 4, tags=_iot_tags("policy")),
    Kind(
        "log group",
        _log_groups,
        lambda clients, found: clients("logs").delete_log_group(logGroupName=found.id),
        "aws_cloudwatch_log_group",
        _attribute("name"),
        4,
        tags=_log_group_tags,
    ),
    Kind("queue", _queues, _remove_queue, "aws_sqs_queue", _attribute("name"), 4, tags=_queue_tags),
    Kind(
        "topic",
        _topics,
        _remove_topic,
        "aws_sns_topic",
        _attribute("arn"),
        4,
        tags=lambda clients, found: _pairs(clients("sns").list_tags_for_resource(ResourceArn=found.id)["Tags"]),
    ),
    Kind(
        "table", _tables, _remove_table, "aws_dynamodb_table", _attribute("name"), 4, tags=_table_tags, data=_table_data
    ),
    Kind(
        "bucket",
        _buckets,
        _remove_bucket,
        "aws_s3_bucket",
        _attribute("bucket"),
        4,
        tags=_bucket_tags,
        data=_bucket_data,
    ),
    Kind("secret", _secrets, _remove_secret, "aws_secretsmanager_secret", _attribute("arn"), 4),
    Kind(
        "user pool",
        _user_pools,
        _remove_user_pool,
        "aws_cognito_user_pool",
        _attribute("id"),
        4,
        tags=_user_pool_tags,
        data=_user_pool_data,
    ),
    Kind(
        "identity pool",
        _identity_pools,
        _remove_identity_pool,
        "aws_cognito_identity_pool",
        _attribute("id"),
        4,
        tags=_identity_pool_tags,
    ),
    Kind(
        "alarm",
        _alarms,
        lambda clients, found: clients("cloudwatch").delete_alarms(AlarmNames=[found.id]),
        "aws_cloudwatch_metric_alarm",
        _attribute("alarm_name"),
        4,
    ),
    Kind(
        "role",
        _roles,
        _remove_role,
        "aws_iam_role",
        _attribute("name"),
        5,
        tags=lambda clients, found: _pairs(clients("iam").list_role_tags(RoleName=found.id)["Tags"]),
    ),
)

MADE_BY_DEVICES = tuple(kind for kind in KINDS if kind.by_devices)
MADE_BY_DEPLOY = tuple(kind for kind in KINDS if not kind.by_devices)
