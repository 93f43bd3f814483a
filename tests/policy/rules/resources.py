"""What resources are by themselves: private, encrypted, and not in one another's way."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.policy.plan import ADDRESSES, STACK, Plan
from tests.policy.rules.reading import Complaints, at_most, listed, statements

type Values = Mapping[str, Any]


def functions_have_a_role_and_a_log_group_of_their_own(plan: Plan) -> Complaints:
    roles = {role.values["arn"]: role.values["name"] for role in plan.of("aws_iam_role")}
    kept = {group.values["name"] for group in plan.of("aws_cloudwatch_log_group") if group.values["retention_in_days"]}
    for function in plan.of("aws_lambda_function"):
        name = function.values["function_name"]
        if roles.get(function.values["role"]) != name:
            yield f"{function.address}: no role of its own"
        if f"/aws/lambda/{name}" not in kept:
            yield f"{function.address}: no log group that forgets"


def only_the_proxy_is_in_a_network(plan: Plan) -> Complaints:
    """What calls AWS alone would reach nothing from there."""
    for function in plan.of("aws_lambda_function"):
        is_proxy = function.values["function_name"] == f"{STACK}-partners-proxy"
        if bool(function.values["vpc_config"]) and not is_proxy:
            yield f"{function.address}: in a network of ours"


def environments_fit(plan: Plan) -> Complaints:
    """Lambda takes 4,096 bytes, measured as JSON."""
    for function in plan.of("aws_lambda_function"):
        [environment] = function.values["environment"]
        size = at_most(json.dumps(environment["variables"], separators=(",", ":")))
        if size > 4096:
            yield f"{function.address}: may have an environment of {size} bytes and AWS takes 4,096"


def buckets_are_private_and_encrypted(plan: Plan) -> Complaints:
    """A bucket of code keeps what was there before as well; those of a stack hold what is written once."""
    for bucket in plan.of("aws_s3_bucket"):
        for word, kind, holds in _ASKED_OF_BUCKETS:
            if word == "versioned" and bucket.values.get("lifecycle_rule"):
                continue
            if not any(one.values["bucket"] == bucket.values["bucket"] and holds(one.values) for one in plan.of(kind)):
                yield f"{bucket.address}: not {word}"


def _is_walled(values: Mapping[str, Any]) -> bool:
    walls = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    return all(values[wall] for wall in walls)


def _is_encrypted(values: Mapping[str, Any]) -> bool:
    return bool(values["rule"])


def _is_versioned(values: Mapping[str, Any]) -> bool:
    return bool(values["versioning_configuration"][0]["status"] == "Enabled")


_ASKED_OF_BUCKETS = (
    ("private", "aws_s3_bucket_public_access_block", _is_walled),
    ("encrypted", "aws_s3_bucket_server_side_encryption_configuration", _is_encrypted),
    ("versioned", "aws_s3_bucket_versioning", _is_versioned),
)


def topics_are_encrypted(plan: Plan) -> Complaints:
    for topic in plan.of("aws_sns_topic"):
        if not topic.values["kms_master_key_id"] and topic.values["name"] != f"{STACK}-alarms":
            yield topic.address


def logs_are_kept_for_a_time(plan: Plan) -> Complaints:
    """Also what API Gateway writes, which would else make a log group of its own that never forgets."""
    groups = {group.values["name"]: group for group in plan.of("aws_cloudwatch_log_group")}
    for group in groups.values():
        if not group.values["retention_in_days"]:
            yield f"{group.address}: never forgets"
    for stage in plan.of("aws_api_gateway_stage"):
        values = stage.values
        written = [log["destination_arn"].partition(":log-group:")[2] for log in values["access_log_settings"]]
        execution = f"API-Gateway-Execution-Logs_{values['rest_api_id']}/{values['stage_name']}"
        for name in [*(written or ["no access log"]), execution]:
            if name not in groups:
                yield f"{stage.address}: {name} is no log group that forgets"


def buckets_are_spoken_to_over_tls(plan: Plan) -> Complaints:
    """Where a bucket has a policy, it says so; where it has none, IAM's statements alone let in, and SDKs use TLS."""
    for policy in plan.of("aws_s3_bucket_policy"):
        if not any(
            statement["Effect"] == "Deny"
            and statement["Principal"] in ("*", {"AWS": "*"})
            and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in statements(policy.document("policy"))
        ):
            yield f"{policy.address}: answers in the clear"


# What keeps things, where somebody's data is, and what lets them go, where a stack is made and removed all day: by the
# kind of resource, how to tell.
KEPT: tuple[tuple[str, str, Callable[[Values], object]], ...] = (
    ("aws_cognito_user_pool", "deletion_protection", lambda values: values["deletion_protection"] == "ACTIVE"),
    ("aws_dynamodb_table", "deletion_protection", lambda values: values["deletion_protection_enabled"]),
    ("aws_dynamodb_table", "recovery", lambda values: values["point_in_time_recovery"][0]["enabled"]),
    ("aws_s3_bucket", "force_destroy", lambda values: not values["force_destroy"]),
    ("aws_secretsmanager_secret", "recovery window", lambda values: values["recovery_window_in_days"] > 0),
)


def what_holds_data_is_kept(plan: Plan) -> Complaints:
    for kind, word, is_kept in KEPT:
        yield from (f"{one.address}: {word}: one mistake from gone" for one in plan.of(kind) if not is_kept(one.values))


def what_holds_data_goes_with_the_stack(plan: Plan) -> Complaints:
    """A name in its recovery window cannot be used again, so the stack could not be rebuilt."""
    for kind, word, is_kept in KEPT:
        yield from (f"{one.address}: {word}: outlives the stack" for one in plan.of(kind) if is_kept(one.values))


def token_keys_sign(plan: Plan) -> Complaints:
    """RS256 is what verifiers expect; the longest a key outlives its withdrawal is a week."""
    for key in plan.of("aws_kms_key"):
        made = (key.values["key_usage"], key.values["customer_master_key_spec"], key.values["deletion_window_in_days"])
        if made != ("SIGN_VERIFY", "RSA_2048", 7):
            yield f"{key.address}: {made}"


def partners_are_themselves(plan: Plan) -> Complaints:
    """Each is called where it was said to be, over TLS, with a credential that is the account's."""
    for function in plan.of("aws_lambda_function"):
        told = function.values["environment"][0]["variables"]
        for name, partner in json.loads(told.get("PARTNERS", "{}")).items():
            if partner["url"] != ADDRESSES.get(name):
                yield f"{function.address}: calls {name} at {partner['url']}"
            if f":secret:paygo/{told['STAGE']}/outbound/{name}-" not in partner["secret_arn"]:
                yield f"{function.address}: shows {name} a credential of our own making"


def logs_last_a_quarter(plan: Plan) -> Complaints:
    for group in plan.of("aws_cloudwatch_log_group"):
        if group.values["retention_in_days"] < 90:
            yield f"{group.address}: {group.values['retention_in_days']} days"


def nothing_is_a_mock(plan: Plan) -> Complaints:
    for resource in plan.resources:
        if "mock" in resource.address or "mock" in json.dumps(dict(resource.values)):
            yield resource.address


def identities_come_by_the_enhanced_flow(plan: Plan) -> Complaints:
    for pool in plan.of("aws_cognito_identity_pool"):
        if pool.values["allow_classic_flow"] is not False:
            yield f"{pool.address}: the classic flow is on"
        if not pool.values["developer_provider_name"]:
            yield f"{pool.address}: no developer provider"


def only_the_platform_makes_users(plan: Plan) -> Complaints:
    for pool in plan.of("aws_cognito_user_pool"):
        if not pool.values["admin_create_user_config"][0]["allow_admin_create_user_only"]:
            yield f"{pool.address}: anybody signs up"
        [recovery] = pool.values["account_recovery_setting"]
        if {each["name"] for each in recovery["recovery_mechanism"]} != {"admin_only"}:
            yield f"{pool.address}: a forgotten password is a way in that nobody here knows of"
    for client in plan.of("aws_cognito_user_pool_client"):
        if set(client.values["explicit_auth_flows"]) - {"ALLOW_USER_SRP_AUTH"}:
            yield f"{client.address}: a password travels, or a sign-in outlives signing out"
        # Of an app without a list AWS takes every attribute.
        written = client.values["write_attributes"] or ["email"]
        if "email" in written:
            yield f"{client.address}: a household has its address changed where nobody asks us"


def iot_policies_fit(plan: Plan) -> Complaints:
    """AWS IoT takes 2,048 characters, white space not counted."""
    for policy in plan.of("aws_iot_policy"):
        size = at_most("".join(policy.values["policy"].split()))
        if size > 2048:
            yield f"{policy.address}: may have {size} characters and AWS takes 2,048"


def devices_speak_for_themselves_only(plan: Plan) -> Complaints:
    thing = "${iot:Connection.Thing.ThingName}"
    provisioning = re.compile(
        rf"\$aws/(certificates/create|provisioning-templates/{STACK}/provision)/json(/accepted|/rejected)?"
    )
    for policy in plan.of("aws_iot_policy"):
        is_claim = policy.values["name"].endswith("-claim")
        for statement in statements(policy.document("policy")):
            for resource in listed(statement["Resource"]):
                about = resource.partition("/")[2]
                if is_claim and not (resource.endswith(f":client/{STACK}-claim-*") or provisioning.fullmatch(about)):
                    yield f"{policy.address}: {resource} is no part of provisioning"
                if not is_claim and (
                    thing not in resource or "*" in resource.removesuffix("/*") or "+" in about or "#" in about
                ):
                    yield f"{policy.address}: {resource} is not the device's own"


def devices_start_inactive(plan: Plan) -> Complaints:
    for template in plan.of("aws_iot_provisioning_template"):
        certificate = template.document("template_body")["Resources"]["certificate"]
        if certificate["Properties"].get("Status") != "INACTIVE":
            yield f"{template.address}: a device connects before a household has it"
        if not template.values["pre_provisioning_hook"]:
            yield f"{template.address}: nobody checks who asks"
