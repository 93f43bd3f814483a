"""What roles may do, and who may take them."""

import re
from typing import Any

from tests.policy.plan import ACCOUNT, IDENTITY_POOL_ID, STACK, TOKEN_KEYS, Plan, Resource
from tests.policy.rules.reading import Complaints, at_most, listed, statements

COGNITO = "cognito-identity.amazonaws.com"

# Where AWS leaves no choice but a wildcard: the actions that know no resources, and resources that AWS names.
WITHOUT_RESOURCES = {
    "cognito-identity:DeleteIdentities",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "iot:RegisterThing",
}

NAMED_BY_CONDITION = {"cloudwatch:PutMetricData": {"StringEquals": {"cloudwatch:namespace": ["Paygo"]}}}

NAMED_BY_AWS = (
    r"arn:aws:iot:[^:]+:\d+:cert/\*",  # by the certificate's fingerprint
    r"arn:aws:dynamodb:[^:]+:\d+:table/{stack}-[a-z]+/stream/\*",  # by the moment the stream was made
    r"arn:aws:logs:[^:]+:\d+:log-group:/aws/lambda/{stack}-[a-z-]+:\*",  # by the environment that writes
    r"arn:aws:secretsmanager:[^:]+:\d+:secret:{stack}/[a-z/-]+-\?{{6}}",  # by six characters of its own
    r"arn:aws:iot:[^:]+:\d+:thing/{stack}-\*",  # devices come at run time, each under the stack's name
    r"arn:aws:iot:[^:]+:\d+:topic/paygo/{stack}/{stack}-\*/[a-z/]+",
    r"arn:aws:execute-api:[^:]+:\d+:[a-z0-9]+/v/[A-Z]+/v1(/[a-z-]+|/\*)+",  # one `*` for each parameter in the path
    rf"arn:aws:s3:::{{stack}}-[a-z]+-{ACCOUNT}-[a-z0-9-]+/\*",  # objects come at run time
)


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


def roles_are_assumed_by_their_own_service(plan: Plan) -> Complaints:
    for role in plan.of("aws_iam_role"):
        for statement in statements(role.document("assume_role_policy")):
            complaint = _wrong_trust(role, statement)
            if complaint:
                yield f"{role.address}: {complaint}"


def _wrong_trust(role: Resource, statement: dict[str, Any]) -> str | None:
    principal, condition = statement["Principal"], statement.get("Condition", {})
    kind = re.search(r'module\.identity_pool\.aws_iam_role\.this\["(\w+)"\]', role.address)
    if kind:
        expected = {
            "StringEquals": {f"{COGNITO}:aud": IDENTITY_POOL_ID},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": kind[1]},
        }
        if principal != {"Federated": COGNITO} or statement["Action"] != "sts:AssumeRoleWithWebIdentity":
            return "is for Cognito's identities alone"
        return None if condition == expected else "is for one pool's identities of one kind"
    if statement["Action"] != "sts:AssumeRole" or set(principal) != {"Service"}:
        return "is for a service"
    if ".module.iot." in f".{role.address}":
        source = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        return (
            None if (principal["Service"], condition) == ("iot.amazonaws.com", source) else "is for IoT of this account"
        )
    own = "apigateway.amazonaws.com" if role.address == "aws_iam_role.api_gateway" else "lambda.amazonaws.com"
    return None if principal["Service"] == own else f"is for {own} alone"


def roles_hold_nothing_but_their_statements(plan: Plan) -> Complaints:
    """AWS's own policies and shared ones allow what no entry lists."""
    for kind in ("aws_iam_role_policy_attachment", "aws_iam_policy_attachment", "aws_iam_policy"):
        for resource in plan.of(kind):
            yield f"{resource.address}: list the statements instead"
    for role in plan.of("aws_iam_role"):
        if role.values.get("managed_policy_arns") or role.values.get("inline_policy"):
            yield f"{role.address}: list the statements in a role policy"


def statements_name_actions_and_resources(plan: Plan) -> Complaints:
    allowed = [re.compile(pattern.format(stack=re.escape(STACK))) for pattern in NAMED_BY_AWS]
    for policy in plan.of("aws_iam_role_policy"):
        for statement in statements(policy.document("policy")):
            actions, resources = listed(statement.get("Action")), listed(statement.get("Resource"))
            if statement["Effect"] != "Allow" or "NotAction" in statement or "NotResource" in statement:
                yield f"{policy.address}: say what is allowed, not what is not"
            if not actions or not resources:
                yield f"{policy.address}: a statement names its actions and its resources"
            for action in actions:
                if "*" in action or "?" in action:
                    yield f"{policy.address}: {action} is a wildcard"
            for resource in resources:
                if resource == "*" and _knows_no_resources(actions, statement.get("Condition")):
                    continue
                if ("*" in resource or "?" in resource) and not any(one.fullmatch(resource) for one in allowed):
                    yield f"{policy.address}: {resource} is a wildcard"


def _knows_no_resources(actions: list[str], condition: dict[str, Any] | None) -> bool:
    named = (action in WITHOUT_RESOURCES or NAMED_BY_CONDITION.get(action, {}) == condition for action in actions)
    return all(named)


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
        role = policy.address.replace("aws_iam_role_policy.", "aws_iam_role.")
        sizes[role] = sizes.get(role, 0) + at_most("".join(policy.values["policy"].split()))
    for role, size in sizes.items():
        if size > 10_240:
            yield f"{role}: may have {size} characters of policies and AWS takes 10,240"
