"""The one list of what may be wider than a name, and why AWS leaves no choice.

Whatever allows something is held against it: roles' and devices' policies, and the policies of resources with the
sources that they let in. A wildcard that no entry covers is a complaint, and so is an entry that no plan needs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.policy.plan import ACCOUNT, API_ID, HERE, STACK, Plan
from tests.policy.rules.reading import Complaints, allowed, listed


@dataclass(frozen=True)
class Wildcard:
    """One way to be wide: these actions, on ARNs or from sources like this, under this condition if there is one."""

    actions: frozenset[str]
    pattern: str
    """A regular expression of the whole ARN."""
    reason: str
    condition: Mapping[str, Any] = field(default_factory=dict)

    def covers(self, wide: "Wide") -> bool:
        return (
            wide.action in self.actions
            and re.fullmatch(self.pattern, wide.arn) is not None
            and all(wide.condition.get(key) == value for key, value in self.condition.items())
        )


@dataclass(frozen=True)
class Wide:
    """A wildcard that a document has."""

    address: str
    action: str
    arn: str
    condition: Mapping[str, Any]


def _entry(actions: str, pattern: str, reason: str, condition: Mapping[str, Any] | None = None) -> Wildcard:
    return Wildcard(frozenset(actions.split()), pattern, reason, condition or {})


ALLOWED = (
    _entry(
        "cloudwatch:PutMetricData",
        r"\*",
        "Metrics are no resources; the namespace is what can be named.",
        {"StringEquals": {"cloudwatch:namespace": ["Paygo"]}},
    ),
    _entry("cognito-identity:DeleteIdentities", r"\*", "The action knows no resources."),
    _entry(
        "ec2:AssignPrivateIpAddresses ec2:CreateNetworkInterface ec2:DeleteNetworkInterface "
        "ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:UnassignPrivateIpAddresses",
        r"\*",
        "Lambda makes network interfaces in the name of a function in a network, and there are none to name before.",
    ),
    _entry("iot:RegisterThing", r"\*", "The action knows no resources."),
    _entry(
        "iot:AttachPolicy iot:AttachPrincipalPolicy iot:AttachThingPrincipal iot:DescribeCertificate "
        "iot:UpdateCertificate",
        rf"arn:aws:iot:{HERE}:cert/\*",
        "A certificate is named by its fingerprint, when a device asks for it.",
    ),
    _entry(
        "iot:AttachThingPrincipal iot:CreateThing iot:DescribeThing iot:GetThingShadow iot:UpdateThing "
        "iot:UpdateThingShadow",
        rf"arn:aws:iot:{HERE}:thing/{STACK}-\*",
        "Devices come at run time, each under its stack's name.",
    ),
    _entry(
        "iot:Publish",
        rf"arn:aws:iot:{HERE}:topic/paygo/{STACK}/{STACK}-\*/[a-z/]+",
        "Devices come at run time: the answer to any of them, on one topic.",
    ),
    _entry(
        "iot:Receive iot:Subscribe",
        rf"arn:aws:iot:{HERE}:topic(filter)?/[^*]*\$\{{iot:Connection\.Thing\.ThingName\}}/[^*]+/\*",
        "A question is answered below its own topic, and a device's policy has 2,048 characters.",
    ),
    _entry(
        "iot:Connect",
        rf"arn:aws:iot:{HERE}:client/{STACK}-claim-\*",
        "Many devices of a batch claim at the same time, each as a client of its own.",
    ),
    _entry(
        "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams",
        rf"arn:aws:dynamodb:{HERE}:table/{STACK}-[a-z]+/stream/\*",
        "A stream is named by the moment it was made.",
    ),
    _entry(
        "logs:CreateLogStream logs:PutLogEvents",
        rf"arn:aws:logs:{HERE}:log-group:/aws/lambda/({STACK}-[a-z-]+|paygo-janitor-[a-z0-9-]+):\*",
        "A log stream is named by the environment that writes it.",
    ),
    _entry(
        "secretsmanager:GetSecretValue",
        rf"arn:aws:secretsmanager:{HERE}:secret:{STACK}/[a-z/-]+-\?{{6}}",
        "A secret's ARN ends in six characters of Secrets Manager's own.",
    ),
    _entry(
        "s3:GetObject s3:PutObject",
        rf"arn:aws:s3:::{STACK}-[a-z]+-{ACCOUNT}-[a-z0-9-]+/\*",
        "Objects come at run time.",
    ),
    _entry(
        "execute-api:Invoke lambda:InvokeFunction",
        rf"arn:aws:execute-api:{HERE}:{API_ID}/v/[A-Z]+(/[a-z0-9.-]+|/\*)+",
        "A parameter of a route is a `*`: the route is named, what stands in it is not.",
    ),
    _entry(
        "lambda:InvokeFunction",
        rf"arn:aws:execute-api:{HERE}:{API_ID}/authorizers/\*",
        "The import makes the API's one authorizer under an id of its own.",
    ),
    _entry(
        "lambda:InvokeFunction",
        rf"arn:aws:logs:{HERE}:log-group:/aws/lambda/{STACK}-\*:\*",
        "A statement for each of a stack's log groups would outgrow the 20 KB of a function's policy.",
    ),
    _entry(
        "sns:Publish",
        rf"arn:aws:cloudwatch:{HERE}:alarm:{STACK}-\*",
        "Every alarm of the stack, and of no other, tells the stack's operators.",
    ),
    _entry(
        "cloudwatch:* dynamodb:* events:* iot:* lambda:* logs:* s3:* secretsmanager:* sns:* sqs:*",
        r"arn:aws:[a-z0-9]+:[^?]*paygo[-_]\*",
        "A deploy makes and removes what a stack is made of, under the project's name; the account's own is denied.",
    ),
    _entry(
        "apigateway:* cognito-identity:* cognito-idp:* iot:* lambda:* logs:* wafv2:*",
        r"arn:aws:(apigateway:.+::/(apikeys|restapis|tags/|usageplans)\*|cognito-identity:.+:identitypool/\*"
        r"|cognito-idp:.+:userpool/\*|iot:.+:cert/\*|lambda:.+:event-source-mapping:\*"
        r"|logs:.+:log-group:API-Gateway-Execution-Logs_\*|wafv2:.+:regional/webacl/paygo/\*)",
        "AWS names these by identifiers of its own; of another stage they are denied by their tags.",
    ),
    _entry(
        "cloudwatch:DescribeAlarms cognito-identity:CreateIdentityPool cognito-identity:ListIdentityPools "
        "cognito-idp:CreateUserPool cognito-idp:ListUserPools dynamodb:ListTables ec2:DescribeNetworkInterfaces "
        "ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs events:ListRules "
        "iot:CreateKeysAndCertificate iot:Describe* iot:List* kms:DescribeKey kms:GetPublicKey "
        "lambda:CreateEventSourceMapping lambda:ListEventSourceMappings lambda:ListFunctions lambda:ListLayers "
        "logs:DescribeLogGroups s3:ListAllMyBuckets secretsmanager:GetRandomPassword secretsmanager:ListSecrets "
        "servicequotas:GetServiceQuota servicequotas:ListServiceQuotas ses:GetAccount ses:GetEmailIdentity "
        "sns:ListSubscriptions sns:ListTopics sqs:ListQueues tag:GetResources",
        r"\*",
        "A deploy lists what is there and makes what has no name before; none of these knows a narrower resource.",
    ),
    _entry(
        "iam:GetPolicy iam:GetPolicyVersion iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies "
        "iam:ListInstanceProfilesForRole iam:ListRolePolicies iam:ListRoles iam:ListRoleTags",
        r"\*",
        "Terraform reads roles and the boundary, and ListRoles knows no resources.",
    ),
    _entry(
        "iam:CreateRole iam:DeleteRole iam:DeleteRolePolicy iam:PassRole iam:PutRolePermissionsBoundary "
        "iam:PutRolePolicy iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy iam:UpdateRole "
        "iam:UpdateRoleDescription",
        rf"arn:aws:iam::{ACCOUNT}:role/paygo-\*",
        "Stacks come with branches; the account's own roles are denied, and what is made stays within the boundary.",
    ),
    _entry(
        "iam:CreateServiceLinkedRole",
        r"arn:aws:iam::\*:role/aws-service-role/ops\.apigateway\.amazonaws\.com/\*",
        "AWS makes it, in its own path, for the one service that the condition names.",
    ),
    _entry(
        "secretsmanager:DescribeSecret secretsmanager:GetSecretValue",
        rf"arn:aws:secretsmanager:{HERE}:secret:paygo/\*",
        "The releaser reads what stages are given, which an operator adds to.",
    ),
    _entry(
        "dynamodb:ListTagsOfResource events:ListTagsForResource events:ListTargetsByRule iot:ListAttachedPolicies "
        "iot:ListPolicies iot:ListPrincipalThings iot:ListProvisioningTemplates iot:ListTargetsForPolicy "
        "iot:ListThings iot:ListTopicRules sns:ListTagsForResource",
        r"\*",
        "The janitor lists what is there, and whose it is, before it knows any name.",
    ),
    _entry(
        "apigateway:DELETE apigateway:GET apigateway:PATCH cognito-identity:DeleteIdentityPool "
        "cognito-identity:DescribeIdentityPool cognito-idp:DeleteUserPool cognito-idp:DeleteUserPoolDomain "
        "cognito-idp:DescribeUserPool iot:DeleteCertificate iot:DetachPolicy iot:DetachThingPrincipal "
        "lambda:DeleteEventSourceMapping logs:DeleteLogGroup logs:ListTagsForResource logs:ListTagsLogGroup",
        r"arn:aws:(apigateway:.+::/(apikeys|restapis|usageplans)\*|cognito-identity:.+:identitypool/\*"
        r"|cognito-idp:.+:userpool/\*|iot:.+:cert/\*|lambda:.+:event-source-mapping:\*"
        r"|logs:.+:log-group:API-Gateway-Execution-Logs_\*)",
        "By identifiers of AWS's own; the janitor tells by tag, or by what they belong to, whose they are.",
    ),
    _entry(
        "cloudwatch:DeleteAlarms dynamodb:DeleteTable dynamodb:DescribeTable events:DeleteRule events:DescribeRule "
        "events:RemoveTargets iam:DetachRolePolicy iam:ListAttachedRolePolicies iam:ListRolePolicies "
        "iam:ListRoleTags iot:DeleteCertificate iot:DeletePolicy iot:DeletePolicyVersion "
        "iot:DeleteProvisioningTemplate iot:DeleteThing iot:DeleteTopicRule iot:DescribeCertificate "
        "iot:DetachPolicy iot:DetachThingPrincipal iot:ListPolicyVersions iot:ListTagsForResource "
        "iot:ListThingPrincipals iot:UpdateCertificate lambda:DeleteAlias lambda:DeleteFunction "
        "lambda:DeleteLayerVersion lambda:GetFunction lambda:ListAliases lambda:ListLayerVersions "
        "lambda:ListTags lambda:ListVersionsByFunction logs:DeleteLogGroup logs:ListTagsForResource "
        "logs:ListTagsLogGroup secretsmanager:DeleteSecret sns:DeleteTopic sns:ListSubscriptionsByTopic "
        "sns:Unsubscribe sqs:DeleteQueue sqs:GetQueueUrl sqs:ListQueueTags",
        r"arn:aws:[a-z]+:[^?]*[:/]paygo[-_]\*",
        "The janitor removes what is named like a stack; the account's own is denied.",
    ),
    _entry(
        "s3:DeleteBucket s3:DeleteObject s3:DeleteObjectVersion s3:GetBucketTagging s3:ListBucket "
        "s3:ListBucketVersions",
        rf"arn:aws:s3:::paygo-\*-{ACCOUNT}-[a-z0-9-]+(/\*)?",
        "The janitor empties stacks' buckets and prunes the account's, whose deletion is denied.",
    ),
    _entry(
        "s3:GetObject s3:PutObject",
        rf"arn:aws:s3:::paygo-state-{ACCOUNT}-[a-z0-9-]+/(stacks|account)/\*",
        "The janitor reads every stack's state and locks it.",
    ),
)


def wildcards_have_a_reason(plan: Plan) -> Complaints:
    for wide in _wide(plan):
        if not any(entry.covers(wide) for entry in ALLOWED):
            yield f"{wide.address}: {wide.action} on {wide.arn} is a wildcard"


def unneeded(plans: Iterable[Plan]) -> Complaints:
    """Name the entries that none of the plans needs: they would cover the next mistake."""
    found = [wide for plan in plans for wide in _wide(plan)]
    for entry in ALLOWED:
        for action in sorted(entry.actions):
            if not any(entry.covers(wide) for wide in found if wide.action == action):
                yield f"{action} on {entry.pattern}"


def _wide(plan: Plan) -> Iterator[Wide]:
    for resource, statement in allowed(plan):
        condition = statement.get("Condition", {})
        sources = [arn for operands in condition.values() for arn in listed(operands.get("aws:SourceArn"))]
        for action in listed(statement.get("Action")):
            resources = [arn for arn in listed(statement.get("Resource")) if _is_of_one_service(action, arn)]
            for arn in [*resources, *sources]:
                if _is_wide(action) or _is_wide(arn):
                    yield Wide(resource.address, action, arn, condition)


def _is_of_one_service(action: str, arn: str) -> bool:
    """Tell whether the action can be asked of the resource at all: a statement may list those of several services."""
    service = action.partition(":")[0]
    return not arn.startswith("arn:") or _is_wide(service) or service == arn.split(":")[2]


def _is_wide(text: str) -> bool:
    return "*" in text or "?" in text
