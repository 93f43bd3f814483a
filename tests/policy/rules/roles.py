"""What roles may do, and who may take them."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tests.policy.plan import ACCOUNT, BOUNDARY, REGION, STACK, TOKEN_KEYS, Plan
from tests.policy.rules.reading import Complaints, allowed, at_most, iot_actions, listed, statements

COGNITO = "cognito-identity.amazonaws.com"

# Services that work for whoever asks: they say for which account they do. Lambda and API Gateway take a role of their
# own account only, for nobody can pass one across accounts.
# https://docs.aws.amazon.com/iot/latest/developerguide/cross-service-confused-deputy-prevention.html
CONFUSABLE = {"iot.amazonaws.com": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}

# AWS's own policies that a role holds.
MANAGED = {
    # API Gateway refuses a role without the actions of this one, and no narrower one replaces it.
    (
        f"paygo-api-gateway-{REGION}",
        "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
    ),
}

# How long a name may be.
NAMES = {
    "aws_cloudwatch_event_rule": ("name", 64),
    "aws_iam_role": ("name", 64),
    "aws_iot_provisioning_template": ("name", 36),
    "aws_iot_topic_rule": ("name", 128),
    "aws_lambda_function": ("function_name", 64),
    "aws_s3_bucket": ("bucket", 63),
    "aws_sns_topic": ("name", 256),
    "aws_sqs_queue": ("name", 80),
}


def every_policy_is_known(plan: Plan) -> Complaints:
    """What a plan cannot show, no rule can check."""
    attributes = {
        "aws_iam_role": "assume_role_policy",
        "aws_iam_role_policy": "policy",
        "aws_iot_policy": "policy",
        "aws_lambda_permission": "source_arn",
        "aws_api_gateway_rest_api": "body",
    }
    for kind, attribute in attributes.items():
        for resource in plan.of(kind):
            if attribute in resource.unknown or not resource.values.get(attribute):
                yield f"{resource.address}: {attribute} is known after the apply only"


def roles_are_assumed_by_what_uses_them(plan: Plan) -> Complaints:
    """And by nothing else, whether the emulator asks or not."""
    expected = dict(_users(plan))
    for role in plan.of("aws_iam_role"):
        found = [_trust(statement) for statement in statements(role.document("assume_role_policy"))]
        if role.values["name"] in expected:
            if found != [expected[role.values["name"]]]:
                yield f"{role.address}: may be assumed by {found}"
        elif not found or not all(_is_one_pipeline(*trust) for trust in found):
            yield f"{role.address}: is used by nobody, and may be assumed by {found}"


type Trust = tuple[Any, str, Any]


def _trust(statement: dict[str, Any]) -> Trust:
    return statement.get("Principal"), statement["Action"], statement.get("Condition", {})


def _users(plan: Plan) -> Iterator[tuple[str, Trust]]:
    """Name each role that something uses, with the trust that it takes."""
    users = {
        **dict.fromkeys((one.values["role"] for one in plan.of("aws_lambda_function")), "lambda.amazonaws.com"),
        **dict.fromkeys(roles_of_iot(plan), "iot.amazonaws.com"),
        **dict.fromkeys(
            (one.values["cloudwatch_role_arn"] for one in plan.of("aws_api_gateway_account")),
            "apigateway.amazonaws.com",
        ),
    }
    for role, service in users.items():
        yield role.rpartition("/")[2], ({"Service": service}, "sts:AssumeRole", CONFUSABLE.get(service, {}))
    for attachment in plan.of("aws_cognito_identity_pool_roles_attachment"):
        for kind, role in attachment.values["roles"].items():
            condition = {
                "StringEquals": {f"{COGNITO}:aud": attachment.values["identity_pool_id"]},
                "ForAnyValue:StringLike": {f"{COGNITO}:amr": kind},
            }
            trust = {"Federated": COGNITO}, "sts:AssumeRoleWithWebIdentity", condition
            yield role.rpartition("/")[2], trust


def roles_of_iot(plan: Plan) -> Iterator[str]:
    """Give the ARNs of the roles that AWS IoT works under."""
    for rule in plan.of("aws_iot_topic_rule"):
        yield from (action["role_arn"] for _, action in iot_actions(rule) if "role_arn" in action)
    for template in plan.of("aws_iot_provisioning_template"):
        yield template.values["provisioning_role_arn"]


def _is_one_pipeline(principal: Any, action: str, condition: Any) -> bool:
    """Tell whether it is for the jobs of one CI that are named: its tokens say for whom and about what they are."""
    named = principal.get("Federated", "") if isinstance(principal, dict) else ""
    provider = re.fullmatch(rf"arn:aws:iam::{ACCOUNT}:oidc-provider/(.+)", named)
    if provider is None or action != "sts:AssumeRoleWithWebIdentity":
        return False
    issuer = provider[1]
    audience = condition.get("StringEquals", {}).get(f"{issuer}:aud")
    subjects = [
        subject
        for operator in ("StringEquals", "StringLike")
        for subject in listed(condition.get(operator, {}).get(f"{issuer}:sub"))
    ]
    return bool(audience and subjects) and not any(set(subject) <= set("*?:/") for subject in subjects)


def roles_stay_within_the_boundary(plan: Plan) -> Complaints:
    for role in plan.of("aws_iam_role"):
        if role.values.get("permissions_boundary") != BOUNDARY:
            yield f"{role.address}: what it is given by its branch nothing bounds"


def roles_hold_nothing_but_their_statements(plan: Plan) -> Complaints:
    """AWS's own policies and shared ones allow what no entry lists, but for those that have a reason."""
    written = {policy.values.get("arn") for policy in plan.of("aws_iam_policy")}
    for attachment in plan.of("aws_iam_role_policy_attachment"):
        arn = attachment.values.get("policy_arn")
        if arn not in written and (attachment.values["role"], arn) not in MANAGED:
            yield f"{attachment.address}: list the statements instead of {arn}"
    for attachment in plan.of("aws_iam_policy_attachment"):
        yield f"{attachment.address}: takes the policy away from all others"
    for role in plan.of("aws_iam_role"):
        if role.values.get("managed_policy_arns") or role.values.get("inline_policy"):
            yield f"{role.address}: list the statements in a role policy"


def statements_name_actions_and_resources(plan: Plan) -> Complaints:
    for resource, statement in allowed(plan):
        if statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
            yield f"{resource.address}: say what is allowed, not what is not"
        elif not listed(statement.get("Action")) or not listed(statement.get("Resource")):
            yield f"{resource.address}: a statement names its actions and its resources"


def nobody_is_let_in_unnamed(plan: Plan) -> Complaints:
    """Who is let in by a resource's own policy is one service for one source, or one account."""
    for resource, statement in allowed(plan):
        principal = statement.get("Principal")
        if principal is None:
            continue
        named = dict(principal) if isinstance(principal, dict) else {}
        sources = {key for operands in statement.get("Condition", {}).values() for key in operands}
        if not named or "*" in [one for each in named.values() for one in listed(each)]:
            yield f"{resource.address}: lets everybody in"
        elif "Service" in named and not sources & {"aws:SourceArn", "aws:SourceAccount"}:
            yield f"{resource.address}: lets {named['Service']} in for anybody"


def whoever_makes_roles_keeps_them_within_the_boundary(plan: Plan) -> Complaints:
    """Else who may make roles may do everything. And a role is passed to the services that stacks are made of."""
    asked = {
        **dict.fromkeys(
            ("AttachRolePolicy", "CreateRole", "PutRolePermissionsBoundary", "PutRolePolicy"), "iam:PermissionsBoundary"
        ),
        "PassRole": "iam:PassedToService",
    }
    for resource, statement in allowed(plan):
        named = set(statement.get("Condition", {}).get("StringEquals", {}))
        for action in listed(statement.get("Action")):
            for name, key in asked.items():
                if fnmatchcase(f"iam:{name}", action) and key not in named:
                    yield f"{resource.address}: {action} without {key}"


def names_fit(plan: Plan) -> Complaints:
    """With the longest name that a stack has, in the region with the longest."""
    for kind, (attribute, length) in NAMES.items():
        for resource in plan.of(kind):
            if attribute in resource.unknown or not resource.values.get(attribute):
                continue  # AWS names it.
            size = at_most(resource.values[attribute])
            if size > length:
                yield f"{resource.address}: may have a name of {size} characters and AWS takes {length}"


def statements_stay_in_the_stack(plan: Plan) -> Complaints:
    """A function touches what is its stack's, or what only the account has."""
    ours = re.compile(rf"[:/]{re.escape(STACK)}([-/:]|$)")
    others = (
        r":cert/\*$",
        r":execute-api:",
        r":userpool/",
        r":identitypool/",
        r":ses:[^:]+:\d+:identity/[^*]+$",
        r":kms:[^:]+:\d+:key/[^*]+$",
        r":secretsmanager:[^:]+:\d+:secret:paygo/(staging|production)/[^*?]+$",
        r"^\*$",
    )
    for policy in plan.of("aws_iam_role_policy"):
        for statement in statements(policy.document("policy")):
            for resource in listed(statement["Resource"]):
                if not ours.search(resource) and not any(re.search(other, resource) for other in others):
                    yield f"{policy.address}: {resource} is no resource of this stack"


def only_identity_writes_sessions(plan: Plan) -> Complaints:
    """The one table that two services share is read by all and written by its owner."""
    reads = {"dynamodb:GetItem"}
    for policy in plan.of("aws_iam_role_policy"):
        if policy.address.startswith("module.identity."):
            continue
        for statement in statements(policy.document("policy")):
            if any(arn.endswith(f":table/{STACK}-sessions") for arn in listed(statement["Resource"])):
                extra = set(listed(statement["Action"])) - reads
                if extra:
                    yield f"{policy.address}: {', '.join(sorted(extra))} on the sessions"


def services_keep_to_their_own_tables(plan: Plan) -> Complaints:
    shared = {"sessions", "idempotency", "attempts", "partner-calls"}
    others = {"audit": "operations"}  # whose table is not named like its service
    for policy in plan.of("aws_iam_role_policy"):
        service = re.match(r'module\.([a-z]+)(\["mocks"\])?\.aws_iam_role_policy\.this', policy.address)
        for statement in statements(policy.document("policy")):
            for arn in listed(statement["Resource"]):
                table = re.search(rf":table/{re.escape(STACK)}-([a-z-]+)", arn)
                if (
                    table
                    and table[1] not in shared
                    and (service is None or others.get(table[1], table[1]) != service[1])
                ):
                    yield f"{policy.address}: {table[1]} is another service's table"


def the_audit_is_only_added_to(plan: Plan) -> Complaints:
    """And who reads it adds nothing."""
    for policy in plan.of("aws_iam_role_policy"):
        found = {
            action
            for statement in statements(policy.document("policy"))
            if any(re.search(rf":table/{re.escape(STACK)}-audit(/|$)", arn) for arn in listed(statement["Resource"]))
            for action in listed(statement["Action"])
        }
        if found and found not in ({"dynamodb:PutItem"}, {"dynamodb:Query"}):
            yield f"{policy.address}: {', '.join(sorted(found))} on the audit"


def functions_cannot_make_log_groups(plan: Plan) -> Complaints:
    """Else an invocation that comes late brings back the log group of a stack that is gone."""
    for policy in plan.of("aws_iam_role_policy"):
        for statement in statements(policy.document("policy")):
            if "logs:CreateLogGroup" in listed(statement["Action"]):
                yield policy.address


def only_identity_invokes_the_proxy(plan: Plan) -> Complaints:
    """Services meet in events; the way into a partner's network is the one function that another invokes."""
    proxy = re.compile(rf"arn:aws:lambda:[^:]+:{ACCOUNT}:function:{re.escape(STACK)}-partners-proxy:live")
    for policy in plan.of("aws_iam_role_policy"):
        for statement in statements(policy.document("policy")):
            if "lambda:InvokeFunction" not in listed(statement["Action"]):
                continue
            for arn in listed(statement["Resource"]):
                if proxy.fullmatch(arn) is None and policy.address.startswith("module.operations."):
                    continue  # It sends dead calls again.
                if proxy.fullmatch(arn) is None or not policy.address.startswith("module.identity."):
                    yield f"{policy.address}: invokes {arn}"


def operators_routes_are_for_operators(plan: Plan) -> Complaints:
    """An identity of the pool is anybody who has registered."""
    for policy in plan.of("aws_iam_role_policy"):
        for statement in statements(policy.document("policy")):
            if any("/operations/" in arn for arn in listed(statement["Resource"]) if ":execute-api:" in arn):
                yield f"{policy.address}: may call operators' routes"


def identities_invoke_routes_and_nothing_else(plan: Plan) -> Complaints:
    for policy in plan.of("aws_iam_role_policy"):
        if not policy.address.startswith("module.identity_pool."):
            continue
        for statement in statements(policy.document("policy")):
            if listed(statement["Action"]) != ["execute-api:Invoke"]:
                yield f"{policy.address}: {statement['Action']}"
            for arn in listed(statement["Resource"]):
                if "/v/" not in arn or not arn.partition("/v/")[2].partition("/")[2].startswith("v1/"):
                    yield f"{policy.address}: {arn} is no route of /v1"


def tokens_are_signed_by_identity_alone(plan: Plan) -> Complaints:
    """With the first of the keys; the others only verify."""
    allowed = {"kms:Sign": {TOKEN_KEYS[0]}, "kms:GetPublicKey": set(TOKEN_KEYS)}
    for policy in plan.of("aws_iam_role_policy"):
        for statement in statements(policy.document("policy")):
            for action in listed(statement["Action"]):
                if not action.startswith("kms:"):
                    continue
                if not policy.address.startswith("module.identity."):
                    yield f"{policy.address}: has nothing to do with keys"
                if not set(listed(statement["Resource"])) <= allowed.get(action, set()):
                    yield f"{policy.address}: {action} on {statement['Resource']}"


def role_policies_fit(plan: Plan) -> Complaints:
    """IAM takes 10,240 characters of a role's inline policies together, white space not counted."""
    sizes: dict[str, int] = {}
    for policy in plan.of("aws_iam_role_policy"):
        role = policy.values["role"]
        sizes[role] = sizes.get(role, 0) + at_most("".join(policy.values["policy"].split()))
    for role, size in sizes.items():
        if size > 10_240:
            yield f"{role}: may have {size} characters of policies and AWS takes 10,240"
