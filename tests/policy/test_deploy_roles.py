"""What the account lets its pipelines and a stack's roles do: enough to work, and no way to become more."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.policy.iam import Call, Statement, allows
from tests.policy.plan import ACCOUNT, ADDRESSES, BOUNDARY, REGION, STACK, Plan, Planner, PlanRefused, Resource, given

ISSUER = "token.actions.githubusercontent.com"
OIDC: dict[str, Any] = {
    "issuer": f"https://{ISSUER}",
    "audience": "sts.amazonaws.com",
    "deployers": ["repo:example/paygo:ref:refs/heads/*", "repo:example/paygo:pull_request"],
    "releasers": ["repo:example/paygo:environment:production"],
    "released_stacks": ["paygo-main"],
}
KINDS = ("deployer", "releaser")
ARN = f"arn:aws:iam::{ACCOUNT}"
ROLE = f"{ARN}:role/{STACK}-ledger-book-payments"
OURS = [f"{ARN}:role/paygo-{name}-{REGION}" for name in ("api-gateway", "deployer", "releaser", "janitor")]
BOUND = {"iam:PermissionsBoundary": BOUNDARY}
STATE = f"arn:aws:s3:::paygo-state-{ACCOUNT}-{REGION}"
HERE = f"{REGION}:{ACCOUNT}"
JANITOR = f"arn:aws:lambda:{HERE}:function:paygo-janitor-{REGION}"
JANITORS_LOGS = f"arn:aws:logs:{HERE}:log-group:/aws/lambda/paygo-janitor-{REGION}"
BUCKETS = f"arn:aws:dynamodb:{HERE}:table/paygo-account-buckets"
ARTEFACTS = f"paygo-artefacts-{ACCOUNT}-{REGION}"
LONGEST_POLICY = 6144  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


@pytest.fixture(scope="session")
def piped(planner: Planner) -> Plan:
    """An account with all that a pipeline takes."""
    return planner.account(oidc=OIDC, alarm_address="ops@example.org", budget=250, artefact_bucket=ARTEFACTS)


def of_role(plan: Plan, kind: str) -> list[Statement]:
    """All that one of the deploy roles may do."""
    parts = [
        one.address.partition("/")[2].rstrip('"]')
        for one in plan.of("aws_iam_role_policy_attachment")
        if f'deploy["{kind}/' in one.address
    ]
    assert len(parts) == 3
    return [
        statement
        for part in parts
        for statement in plan.named("aws_iam_policy", f'deploy["{part}"]').document("policy")["Statement"]
    ]


def boundary(plan: Plan) -> list[Statement]:
    statements: list[Statement] = plan.named("aws_iam_policy", "stack_boundary").document("policy")["Statement"]
    return statements


# What would let whoever deploys a branch become more than a deployer.
ESCALATIONS = (
    Call("iam:CreateRole", ROLE),
    Call("iam:CreateRole", ROLE, {"iam:PermissionsBoundary": f"{ARN}:policy/AdministratorAccess"}),
    Call("iam:CreateRole", f"{ARN}:role/somebody", BOUND),
    Call("iam:PutRolePolicy", ROLE),
    Call("iam:AttachRolePolicy", ROLE, BOUND),
    Call("iam:PutRolePermissionsBoundary", ROLE, {"iam:PermissionsBoundary": f"{ARN}:policy/AdministratorAccess"}),
    Call("iam:DeleteRolePermissionsBoundary", ROLE, BOUND),
    Call("iam:CreatePolicyVersion", BOUNDARY),
    Call("iam:SetDefaultPolicyVersion", BOUNDARY),
    Call("iam:DeletePolicy", BOUNDARY),
    Call("iam:CreatePolicy", f"{ARN}:policy/paygo-mine"),
    Call("iam:CreateUser", f"{ARN}:user/paygo-mine"),
    Call("iam:CreateAccessKey", f"{ARN}:user/paygo-mine"),
    Call("iam:UpdateOpenIDConnectProviderThumbprint", f"{ARN}:oidc-provider/{ISSUER}"),
    Call("iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
    Call("iam:PassRole", f"{ARN}:role/somebody", {"iam:PassedToService": "lambda.amazonaws.com"}),
    Call("sts:AssumeRole", ROLE),
    *(Call("iam:PassRole", ours, {"iam:PassedToService": "lambda.amazonaws.com"}) for ours in OURS),
    *(Call("iam:PutRolePolicy", ours, BOUND) for ours in OURS),
    *(Call("iam:UpdateAssumeRolePolicy", ours) for ours in OURS),
    *(Call("iam:DeleteRole", ours) for ours in OURS),
    *(Call("iam:TagRole", ours) for ours in OURS),
    Call("s3:PutObject", f"{STATE}/approvals/paygo-main/0123/now.json"),
    Call("s3:PutObject", f"{STATE}/emergencies/{STACK}/0123/now.json"),
    Call("s3:DeleteObject", f"{STATE}/emergencies/paygo-main/0123/now.json"),
    Call("lambda:UpdateFunctionCode", JANITOR),
    Call("lambda:UpdateFunctionConfiguration", JANITOR),
    Call("lambda:UpdateAlias", JANITOR),
    Call("lambda:AddPermission", f"{JANITOR}:live"),
    Call("lambda:InvokeFunction", f"{JANITOR}:live"),
    *(
        Call(f"events:{verb}", f"arn:aws:events:{HERE}:rule/paygo-janitor-{REGION}")
        for verb in ("PutTargets", "DisableRule")
    ),
    Call("logs:DeleteLogGroup", JANITORS_LOGS),
    Call("logs:PutLogEvents", f"{JANITORS_LOGS}:log-stream:x"),
    *(
        Call(f"dynamodb:{verb}", BUCKETS)
        for verb in ("DeleteTable", "UpdateTable", "PutItem", "DeleteItem", "PutResourcePolicy")
    ),
    Call("s3:PutObject", f"{STATE}/account/terraform.tfstate"),
    Call("s3:PutBucketPolicy", STATE),
    Call("s3:DeleteBucket", STATE),
    Call("s3:GetObject", "arn:aws:s3:::somebody-elses/key"),
    Call(
        "secretsmanager:PutSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paygo/production/x-Ab1Cd2"
    ),
)

# What a deploy does.
WORK = (
    Call("iam:CreateRole", ROLE, {**BOUND, "aws:RequestTag/Stack": STACK, "aws:RequestTag/Stage": "development"}),
    Call("iam:TagRole", ROLE, {"aws:RequestTag/Commit": "0000000"}),
    Call("iam:PutRolePolicy", ROLE, BOUND),
    Call("iam:DeleteRolePolicy", ROLE, BOUND),
    Call("iam:DeleteRole", ROLE),
    Call("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
    Call("iam:PassRole", f"{ARN}:role/{STACK}-provisioning", {"iam:PassedToService": "iot.amazonaws.com"}),
    Call("lambda:CreateFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-ledger-book-payments"),
    Call("dynamodb:CreateTable", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{STACK}-ledger"),
    Call("apigateway:POST", f"arn:aws:apigateway:{REGION}::/restapis"),
    Call("secretsmanager:CreateSecret", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{STACK}/partners/crm"),
    Call("logs:CreateLogGroup", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{STACK}-ledger-book-payments"),
    Call("s3:PutObject", f"{STATE}/stacks/{STACK}/terraform.tfstate"),
    Call("s3:GetObject", f"{STATE}/account/applied.json"),
    Call("s3:GetObject", f"{STATE}/approvals/{STACK}/0123/now.json"),
    # A janitor run by hand shares AWS's rates with the account's.
    *(Call(f"dynamodb:{verb}", BUCKETS) for verb in ("BatchGetItem", "DescribeTable", "GetItem", "UpdateItem")),
    Call("lambda:GetFunction", JANITOR),
    # A branch may be called so.
    Call("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}:function:paygo-janitor-ledger-book-payments"),
    Call("s3:PutObject", f"arn:aws:s3:::{ARTEFACTS}/artefacts/ledger.zip"),
    Call("sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:paygo-inbox"),
    # What a deploy and a destroy look for after a kill.
    *(
        Call(action)
        for action in (
            "cloudwatch:DescribeAlarms",
            "cognito-identity:ListIdentityPools",
            "cognito-idp:ListUserPools",
            "dynamodb:ListTables",
            "events:ListRules",
            "iam:ListRoles",
            "iot:ListThings",
            "lambda:ListFunctions",
            "logs:DescribeLogGroups",
            "s3:ListAllMyBuckets",
            "sns:ListTopics",
            "sqs:ListQueues",
        )
    ),
)

# What belongs to staging and production, of which a deployer of branches keeps off.
RELEASED = (
    Call("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:paygo-main-ledger-book-payments"),
    Call("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/paygo-main-ledger"),
    Call("iot:DeleteTopicRule", f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/paygo_main_reading"),
    Call("iam:PutRolePolicy", f"{ARN}:role/paygo-main-ledger-book-payments", BOUND),
    Call("s3:PutObject", f"{STATE}/stacks/paygo-main/terraform.tfstate"),
    Call("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paygo-main/x-Ab1Cd2"),
    Call("apigateway:DELETE", f"arn:aws:apigateway:{REGION}::/restapis/abc", {"aws:ResourceTag/Stage": "production"}),
    Call("iam:CreateRole", ROLE, {**BOUND, "aws:RequestTag/Stage": "production"}),
    Call("iam:CreateRole", ROLE, {**BOUND, "aws:RequestTag/Stack": "paygo-main"}),
    *(
        Call(action, ROLE, {**BOUND, "aws:RequestTag/Stack": stack})
        for action in ("iam:CreateRole", "iam:TagRole")
        for stack in ("paygo", "paygo/production", "paygo-main/partners", "paygo-main-ledger", "acme", "*")
    ),
    Call("iam:TagRole", ROLE, {"aws:RequestTag/Stage": "production/outbound"}),
    *(
        Call(action, f"arn:aws:s3:::{ARTEFACTS}/artefacts/released/ledger.zip")
        for action in ("s3:PutObject", "s3:DeleteObject", "s3:ReplicateObject")
    ),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ESCALATIONS, ids=lambda call: call.action)
def test_a_deploy_role_cannot_become_more(kind: str, call: Call, piped: Plan) -> None:
    assert not allows(of_role(piped, kind), call)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", WORK, ids=lambda call: call.action)
def test_a_deploy_role_can_do_its_work(kind: str, call: Call, piped: Plan) -> None:
    assert allows(of_role(piped, kind), call)


@pytest.mark.parametrize("call", RELEASED, ids=lambda call: call.action)
def test_who_deploys_branches_keeps_off_what_is_released(call: Call, piped: Plan) -> None:
    assert not allows(of_role(piped, "deployer"), call)
    assert allows(of_role(piped, "releaser"), call)


def test_only_the_releaser_reads_what_stages_are_given(piped: Plan) -> None:
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paygo/production/outbound/crm-Ab1Cd2"
    read = Call("secretsmanager:GetSecretValue", secret)

    assert allows(of_role(piped, "releaser"), read)
    assert not allows(of_role(piped, "deployer"), read)


@pytest.mark.parametrize("folder", ["approvals", "emergencies"])
@pytest.mark.parametrize("action", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"])
def test_the_janitor_leaves_what_people_have_said(action: str, folder: str, account: Plan) -> None:
    statements = account.named("aws_iam_role_policy", "janitor").document("policy")["Statement"]
    said = Call(action, f"{STATE}/{folder}/paygo-main/0123/now.json")

    assert not allows(statements, said)
    if action.startswith("s3:Delete"):
        assert allows(without(statements, "NeverWhatPeopleSaid"), said)


def without(statements: list[Statement], sid: str) -> list[Statement]:
    assert any(one.get("Sid") == sid for one in statements)
    return [one for one in statements if one.get("Sid") != sid]


@pytest.mark.parametrize(
    ("sid", "call"),
    [
        ("LeaveTheAccountsRoles", Call("iam:DeleteRole", OURS[1])),
        ("LeaveTheAccountsRoles", Call("iam:PassRole", OURS[3], {"iam:PassedToService": "lambda.amazonaws.com"})),
        ("LeaveApprovals", Call("s3:PutObject", f"{STATE}/approvals/{STACK}/0123/now.json")),
        ("LeaveApprovals", Call("s3:PutObject", f"{STATE}/emergencies/{STACK}/0123/now.json")),
        ("LeaveTheAccount", Call("s3:PutBucketPolicy", STATE)),
        ("LeaveTheJanitor", Call("lambda:UpdateFunctionCode", JANITOR)),
        ("LeaveReleasedStacks", RELEASED[0]),
        ("LeaveOtherStages", RELEASED[6]),
        ("MakeNothingOfAnotherStage", RELEASED[7]),
        ("CallNothingAReleasedStacks", RELEASED[8]),
        (
            "LeaveReleasedPackages",
            Call("s3:PutObject", f"arn:aws:s3:::{ARTEFACTS}/artefacts/released/ledger.zip"),
        ),
        ("CallRolesAStacks", Call("iam:CreateRole", ROLE, {**BOUND, "aws:RequestTag/Stack": "acme"})),
        ("CallRolesAStacks", Call("iam:TagRole", ROLE, {"aws:RequestTag/Stack": "*"})),
    ],
)
def test_each_denial_is_what_keeps_a_deployer_from_something(sid: str, call: Call, piped: Plan) -> None:
    assert allows(without(of_role(piped, "deployer"), sid), call)


def test_a_role_without_the_boundary_is_refused_by_the_condition_alone(piped: Plan) -> None:
    loosened = copy.deepcopy(without(of_role(piped, "deployer"), "KeepTheBoundary"))
    bare = Call("iam:CreateRole", ROLE)
    assert not allows(loosened, bare)

    for statement in loosened:
        if statement.get("Sid") == "MakeRolesWithinTheBoundary":
            del statement["Condition"]  # type: ignore[attr-defined]

    assert allows(loosened, bare)
    kept = [one for one in of_role(piped, "deployer") if one.get("Sid") == "KeepTheBoundary"]
    assert not allows([*loosened, *kept], bare)


@pytest.mark.parametrize(("kind", "subjects"), [("deployer", OIDC["deployers"]), ("releaser", OIDC["releasers"])])
def test_a_deploy_role_is_for_the_jobs_that_were_named(kind: str, subjects: list[str], piped: Plan) -> None:
    role = piped.named("aws_iam_role", f'deploy["{kind}"]')
    [statement] = role.document("assume_role_policy")["Statement"]

    assert statement == {
        "Effect": "Allow",
        "Principal": {"Federated": f"{ARN}:oidc-provider/{ISSUER}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{ISSUER}:sub": subjects},
        },
    }


@pytest.mark.parametrize(
    ("facts", "sentences"),
    [
        (
            {"issuer": "http://ci.example.org", "deployers": ["repo:example/*"], "released_stacks": ["main"]},
            [
                "issued by an https:// address",
                "names whose repository it is",
                "A released stack is called by its name",
            ],
        ),
        (
            {"deployers": ["*", *OIDC["releasers"]], "issuer": None},
            [
                "names whose repository it is",
                "its subject stands in one list",
                "name who issues it and its audience",
            ],
        ),
    ],
)
def test_a_ci_that_anybody_could_be_is_refused(facts: dict[str, Any], sentences: list[str], planner: Planner) -> None:
    with pytest.raises(PlanRefused) as refused:
        planner.account(oidc={**OIDC, **facts})

    said = " ".join(str(refused.value).replace("│", " ").split())
    assert [one for one in sentences if one not in said] == []


def test_a_ci_of_another_kind_is_known_by_its_own_issuer(planner: Planner) -> None:
    plan = planner.account(
        oidc={"issuer": "https://ci.example.org/oidc", "audience": "aws", "deployers": ["org:example:repo:paygo:*"]}
    )

    [role] = [one for one in plan.of("aws_iam_role") if "deploy[" in one.address]
    [statement] = role.document("assume_role_policy")["Statement"]
    assert statement["Condition"]["StringEquals"] == {"ci.example.org/oidc:aud": "aws"}
    assert plan.named("aws_iam_openid_connect_provider", "").values["url"] == "https://ci.example.org/oidc"


def test_a_ci_without_tokens_is_known_by_its_own_user(planner: Planner) -> None:
    user = f"{ARN}:user/ci"

    plan = planner.account(oidc={"deployers": [user], "releasers": [f"{ARN}:user/release"]})

    [statement] = plan.named("aws_iam_role", 'deploy["deployer"]').document("assume_role_policy")["Statement"]
    assert statement == {"Effect": "Allow", "Principal": {"AWS": [user]}, "Action": "sts:AssumeRole"}
    assert not plan.of("aws_iam_openid_connect_provider")


def test_an_account_has_no_role_for_a_ci_no_budget_and_no_subscriber_unless_they_are_asked_for(account: Plan) -> None:
    for kind in ("aws_iam_openid_connect_provider", "aws_budgets_budget", "aws_sns_topic_subscription"):
        assert not account.of(kind)
    assert [one.address for one in account.of("aws_iam_role")] == ["aws_iam_role.api_gateway", "aws_iam_role.janitor"]
    assert boundary(account)


def test_the_inbox_hears_of_the_budget_before_it_is_spent(piped: Plan) -> None:
    [budget] = piped.of("aws_budgets_budget")
    notified = {(one["notification_type"], one["threshold"]) for one in budget.values["notification"]}

    assert (budget.values["limit_amount"], budget.values["limit_unit"], budget.values["time_unit"]) == (
        "250",
        "USD",
        "MONTHLY",
    )
    assert notified == {("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}
    [subscription] = piped.of("aws_sns_topic_subscription")
    assert (subscription.values["protocol"], subscription.values["endpoint"]) == ("email", "ops@example.org")
    statements = piped.named("aws_sns_topic_policy", "inbox").document("policy")["Statement"]
    assert {"Service": "budgets.amazonaws.com"} in [one["Principal"] for one in statements]


def test_an_artefact_is_reached_over_tls_only(account: Plan) -> None:
    [statement] = account.named("aws_s3_bucket_policy", "artefacts").document("policy")["Statement"]

    assert (statement["Effect"], statement["Action"], statement["Condition"]) == (
        "Deny",
        "s3:*",
        {"Bool": {"aws:SecureTransport": "false"}},
    )
    assert statement["Resource"] == ["arn:aws:s3:::artefacts", "arn:aws:s3:::artefacts/*"]


def test_policies_fit_with_some_keys_and_released_stacks(planner: Planner) -> None:
    released = ["paygo-staging", "paygo-production", "paygo-rehearsal"]
    account = planner.account(
        oidc={**OIDC, "released_stacks": released}, token_keys=["1", "2"], artefact_bucket=ARTEFACTS
    )
    for policy in account.of("aws_iam_policy"):
        compact = json.dumps(policy.document("policy"), separators=(",", ":"))
        assert len(compact) <= LONGEST_POLICY, f"{policy.address} has {len(compact)} characters"


def outside(plan: Plan, account: Plan, *, stage: str) -> Iterator[str]:
    """What a stack's roles are to do and the boundary keeps them from."""
    tags = {"aws:PrincipalTag/Stack": STACK, "aws:PrincipalTag/Stage": stage}
    statements = boundary(account)
    for policy in plan.of("aws_iam_role_policy"):
        for statement in policy.document("policy")["Statement"]:
            actions, resources = statement["Action"], statement["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                for resource in [resources] if isinstance(resources, str) else resources:
                    if not allows(statements, Call(action, resource, tags)):
                        yield f"{policy.address}: {action} on {resource}"


def test_the_boundary_lets_a_stack_do_its_work(
    development: Plan, staging: Plan, production: Plan, planner: Planner
) -> None:
    account = planner.account(token_keys=["1", "2"])
    plans = {"development": development, "staging": staging, "production": production}
    # In a network of the account's the proxy has permissions of its own.
    network = {"subnet_ids": ["subnet-0a1b2c3d"], "security_group_ids": ["sg-0a1b2c3d"]}
    networked = planner.stack(
        stage="production", partner_urls=ADDRESSES, secrets=given("production"), partner_network=network
    )

    assert {stage: list(outside(plan, account, stage=stage)) for stage, plan in plans.items()} == {
        stage: [] for stage in plans
    }, "add to terraform/account/boundary.tf what stacks now do"
    assert list(outside(networked, account, stage="production")) == []


@pytest.mark.parametrize(
    "call",
    [
        Call("iam:CreateRole", ROLE, BOUND),
        Call("iam:PassRole", ROLE),
        Call("sts:AssumeRole", OURS[1]),
        Call("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-ledger-book-payments"),
        Call("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{STACK}-ledger"),
        Call("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/paygo-main-ledger"),
        Call("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:paygo-main-ledger-book-payments"),
        Call(
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paygo/production/outbound/crm-Ab1Cd2",
        ),
        Call("s3:GetObject", f"{STATE}/stacks/paygo-main/terraform.tfstate"),
    ],
    ids=lambda call: call.action,
)
def test_no_role_of_a_branch_goes_past_its_boundary_whatever_is_written_into_it(call: Call, account: Plan) -> None:
    tags = {"aws:PrincipalTag/Stack": STACK, "aws:PrincipalTag/Stage": "development"}

    assert not allows(boundary(account), Call(call.action, call.resource, {**tags, **call.context}))


LEDGER = f"arn:aws:dynamodb:{HERE}:table/paygo-main-ledger"
GIVEN = f"arn:aws:secretsmanager:{HERE}:secret:paygo/production/outbound/crm-Ab1Cd2"


@pytest.mark.parametrize(
    ("stack", "stage", "action", "resource"),
    [
        ("paygo", "development", "dynamodb:GetItem", LEDGER),
        ("paygo-eu", "development", "sqs:SendMessage", f"arn:aws:sqs:{HERE}:paygo-eu-west-ledger"),
        ("paygo/production", "development", "secretsmanager:GetSecretValue", GIVEN),
        (
            "paygo-main/partners",
            "development",
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:{HERE}:secret:paygo-main/partners/crm-Ab1Cd2",
        ),
        ("acme", "development", "dynamodb:GetItem", f"arn:aws:dynamodb:{HERE}:table/acme-ledger"),
        ("acme", "development", "s3:GetObject", "arn:aws:s3:::acme-payrolls/key"),
        ("*", "development", "lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:somebody-elses"),
        # As a session may be tagged.
        ("paygo-main", "development", "dynamodb:GetItem", LEDGER),
        (
            "paygo-main-ledger",
            "development",
            "lambda:InvokeFunction",
            f"arn:aws:lambda:{HERE}:function:paygo-main-ledger-book",
        ),
        (STACK, "production", "secretsmanager:GetSecretValue", GIVEN),
        (STACK, "production/outbound", "secretsmanager:GetSecretValue", GIVEN),
    ],
)
def test_a_tag_takes_a_branchs_role_nowhere(
    stack: str, stage: str, action: str, resource: str, planner: Planner
) -> None:
    account = planner.account(oidc={**OIDC, "released_stacks": ["paygo-main", "paygo-eu-west"]})
    tags = {"aws:PrincipalTag/Stack": stack, "aws:PrincipalTag/Stage": stage, "aws:PrincipalArn": ROLE}

    assert allows([one for one in boundary(account) if one["Effect"] == "Allow"], Call(action, resource, tags))
    assert not allows(boundary(account), Call(action, resource, tags))


@pytest.mark.parametrize(
    "caller", [f"{ARN}:role/paygo-main-ledger-book", f"arn:aws:sts::{ACCOUNT}:assumed-role/paygo-main-ledger-book/x"]
)
def test_a_released_stack_reaches_its_own_and_what_its_stage_is_given(caller: str, piped: Plan) -> None:
    tags = {
        "aws:PrincipalTag/Stack": "paygo-main",
        "aws:PrincipalTag/Stage": "production",
        "aws:PrincipalArn": caller,
    }

    assert allows(boundary(piped), Call("dynamodb:GetItem", LEDGER, tags))
    assert allows(boundary(piped), Call("secretsmanager:GetSecretValue", GIVEN, tags))


def test_a_stack_that_is_called_like_the_accounts_buckets_reads_none_of_them(account: Plan) -> None:
    tags = {"aws:PrincipalTag/Stack": "paygo-state", "aws:PrincipalTag/Stage": "development"}
    read: Callable[[str], Call] = lambda resource: Call("s3:GetObject", resource, tags)  # noqa: E731

    assert allows(boundary(account), read(f"arn:aws:s3:::paygo-state-payloads-{ACCOUNT}-{REGION}/key"))
    assert not allows(boundary(account), read(f"{STATE}/stacks/paygo-main/terraform.tfstate"))


def test_a_role_says_by_its_tags_which_stack_and_stage_it_is_of(production: Plan) -> None:
    def tags(role: Resource) -> tuple[str, str]:
        return role.values["tags_all"]["Stack"], role.values["tags_all"]["Stage"]

    assert {tags(role) for role in production.of("aws_iam_role")} == {(STACK, "production")}


def test_a_role_of_a_stack_is_named_as_the_deploy_roles_may_make_it(development: Plan) -> None:
    assert all(re.fullmatch(rf"{STACK}-.+", role.values["name"]) for role in development.of("aws_iam_role"))
