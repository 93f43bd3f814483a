# Who deploys without a person: a pipeline, known by the token that its CI signs for each of its jobs, or by a user of its own. One role brings up and takes
# away stacks for development; the other those of staging and production. None until a CI is named.

locals {
  oidc   = try(var.oidc.issuer, null) == null ? {} : { ci = var.oidc }
  issuer = trimprefix(try(coalesce(var.oidc.issuer), ""), "https://")

  deploy_roles = var.oidc == null ? {} : {
    for kind, subjects in { deployer = var.oidc.deployers, releaser = var.oidc.releasers } : kind => subjects if length(subjects) > 0
  }

  # By their names, for a policy cannot name the role that holds it.
  boundary_arn  = "${local.arn}:iam::${local.account_id}:policy/paygo-stack-boundary-${var.region}"
  account_roles = [for name in ["api-gateway", "deployer", "releaser", "janitor"] : "${local.arn}:iam::${local.account_id}:role/paygo-${name}-${var.region}"]
  stack_roles   = "${local.arn}:iam::${local.account_id}:role/paygo-*"

  # The stacks that only the releaser touches, in the ways that ARNs name them; IoT's rules know no hyphens.
  released = flatten([
    for stack in try(var.oidc.released_stacks, []) : [
      "*:${stack}", "*:${stack}-*", "*:${stack}/*", "*/${stack}", "*/${stack}-*", "*/${stack}/*", "*/${replace(stack, "-", "_")}_*",
    ]
  ])

  # As what no role of a branch may be tagged: a name that with `-` or `/` after it is the beginning of what others have. IAM itself
  # refuses a tag with a wildcard. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
  nobodys = distinct(concat(["paygo", "*/*"], flatten([
    for stack in try(var.oidc.released_stacks, []) : [
      for length in range(1, length(split("-", stack))) : join("-", slice(split("-", stack), 0, length))
    ]
  ])))

  deploying = {
    # What stacks are made of, by their names where AWS lets us choose them.
    resources = [
      {
        Sid    = "Named"
        Effect = "Allow"
        Action = [
          "cloudwatch:*", "dynamodb:*", "events:*", "iot:*", "lambda:*", "logs:*", "s3:*", "secretsmanager:*", "sns:*", "sqs:*",
        ]
        Resource = [
          "${local.arn}:cloudwatch:${local.here}:alarm:paygo-*",
          "${local.arn}:dynamodb:${local.here}:table/paygo-*",
          "${local.arn}:events:${local.here}:rule/paygo-*",
          "${local.arn}:iot:${local.here}:policy/paygo-*",
          "${local.arn}:iot:${local.here}:provisioningtemplate/paygo-*",
          "${local.arn}:iot:${local.here}:rule/paygo_*",
          "${local.arn}:iot:${local.here}:thing/paygo-*",
          "${local.arn}:iot:${local.here}:thinggroup/paygo-*",
          "${local.arn}:lambda:${local.here}:function:paygo-*",
          "${local.arn}:lambda:${local.here}:layer:paygo-*",
          "${local.arn}:logs:${local.here}:log-group:*paygo-*",
          "${local.arn}:s3:::paygo-*",
          "${local.arn}:secretsmanager:${local.here}:secret:paygo-*",
          "${local.arn}:sns:${local.here}:paygo-*",
          "${local.arn}:sqs:${local.here}:paygo-*",
        ]
      },
      {
        Sid    = "NamedByAws"
        Effect = "Allow"
        Action = ["apigateway:*", "cognito-identity:*", "cognito-idp:*", "iot:*", "lambda:*", "logs:*", "wafv2:*"]
        Resource = [
          "${local.arn}:apigateway:${var.region}::/apikeys*",
          "${local.arn}:apigateway:${var.region}::/restapis*",
          "${local.arn}:apigateway:${var.region}::/tags/*",
          "${local.arn}:apigateway:${var.region}::/usageplans*",
          "${local.arn}:cognito-identity:${local.here}:identitypool/*",
          "${local.arn}:cognito-idp:${local.here}:userpool/*",
          "${local.arn}:iot:${local.here}:cert/*",
          "${local.arn}:lambda:${local.here}:event-source-mapping:*",
          "${local.arn}:logs:${local.here}:log-group:API-Gateway-Execution-Logs_*",
          "${local.arn}:wafv2:${local.here}:regional/webacl/paygo/*",
        ]
      },
      {
        Sid    = "WithoutResources"
        Effect = "Allow"
        Action = [
          "cloudwatch:DescribeAlarms", "cognito-identity:CreateIdentityPool", "cognito-identity:ListIdentityPools",
          "cognito-idp:CreateUserPool", "cognito-idp:ListUserPools", "dynamodb:ListTables", "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs", "events:ListRules",
          "iot:CreateKeysAndCertificate", "iot:Describe*", "iot:List*", "kms:DescribeKey", "kms:GetPublicKey", "lambda:CreateEventSourceMapping",
          "lambda:ListEventSourceMappings", "lambda:ListFunctions", "lambda:ListLayers", "logs:DescribeLogGroups",
          "s3:ListAllMyBuckets", "secretsmanager:GetRandomPassword", "secretsmanager:ListSecrets", "servicequotas:GetServiceQuota",
          "servicequotas:ListServiceQuotas", "ses:GetAccount", "ses:GetEmailIdentity", "sns:ListSubscriptions", "sns:ListTopics",
          "sqs:ListQueues", "tag:GetResources",
        ]
        Resource = "*"
      },
      # People approve; and what is the account's is made by `make account`, and read by deploys.
      {
        Sid      = "LeaveApprovals"
        Effect   = "Deny"
        Action   = ["s3:Delete*", "s3:Put*"]
        Resource = [for folder in ["approvals", "emergencies"] : "${local.state_bucket_arn}/${folder}/*"]
      },
      {
        Sid      = "LeaveTheAccount"
        Effect   = "Deny"
        Action   = ["s3:Delete*", "s3:Put*"]
        Resource = ["${local.state_bucket_arn}/account/*", local.state_bucket_arn, local.artefact_bucket_arn]
      },
      {
        Sid       = "LeaveTheInbox"
        Effect    = "Deny"
        NotAction = ["sns:GetTopicAttributes", "sns:Publish"]
        Resource  = local.inbox_arn
      },
      # It removes whatever is named like a stack, and its role has no boundary: whoever changes its code is it. Who runs a janitor by
      # hand counts in its table.
      {
        Sid    = "LeaveTheJanitor"
        Effect = "Deny"
        NotAction = [
          "dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:Get*", "dynamodb:UpdateItem", "events:List*",
          "lambda:Get*", "lambda:List*", "logs:Get*", "logs:List*",
        ]
        Resource = concat(values(local.janitors), [for key in ["function", "log_group"] : "${local.janitors[key]}:*"])
      },
    ]

    # Roles, each within the boundary, for the services that stacks are made of.
    roles = [
      {
        Sid      = "ReadRoles"
        Effect   = "Allow"
        Action   = ["iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:ListRoles", "iam:ListRoleTags"]
        Resource = "*"
      },
      {
        Sid       = "MakeRolesWithinTheBoundary"
        Effect    = "Allow"
        Action    = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
        Resource  = local.stack_roles
        Condition = { StringEquals = { "iam:PermissionsBoundary" = local.boundary_arn } }
      },
      {
        Sid      = "ChangeRoles"
        Effect   = "Allow"
        Action   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
        Resource = local.stack_roles
      },
      {
        Sid      = "PassRoles"
        Effect   = "Allow"
        Action   = "iam:PassRole"
        Resource = local.stack_roles
        Condition = {
          StringEquals = {
            "iam:PassedToService" = [for service in ["apigateway", "cognito-identity", "events", "iot", "lambda"] : "${service}.amazonaws.com"]
          }
        }
      },
      {
        Sid       = "LetApiGatewayHaveItsOwn"
        Effect    = "Allow"
        Action    = "iam:CreateServiceLinkedRole"
        Resource  = "${local.arn}:iam::*:role/aws-service-role/ops.apigateway.amazonaws.com/*"
        Condition = { StringEquals = { "iam:AWSServiceName" = "ops.apigateway.amazonaws.com" } }
      },
      # Whatever else this role is ever given.
      {
        Sid       = "KeepTheBoundary"
        Effect    = "Deny"
        Action    = ["iam:CreateRole", "iam:PutRolePermissionsBoundary"]
        Resource  = "*"
        Condition = { StringNotEquals = { "iam:PermissionsBoundary" = local.boundary_arn } }
      },
      {
        Sid      = "LeaveTheBoundary"
        Effect   = "Deny"
        Action   = ["iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeleteRolePermissionsBoundary"]
        Resource = "*"
      },
      {
        Sid       = "LeaveTheAccountsRoles"
        Effect    = "Deny"
        NotAction = ["iam:Get*", "iam:List*"]
        Resource  = local.account_roles
      },
    ]

    # What each of the two may not, or may besides.
    deployer = concat(
      [
        for key in ["aws:RequestTag/Stage", "aws:ResourceTag/Stage"] : {
          Sid       = key == "aws:RequestTag/Stage" ? "MakeNothingOfAnotherStage" : "LeaveOtherStages"
          Effect    = "Deny"
          Action    = "*"
          Resource  = "*"
          Condition = { StringLike = { (key) = ["staging", "production", "*/*"] } }
        }
      ],
      # What was put there is what production runs, whatever commit was approved.
      [
        {
          Sid       = "LeaveReleasedPackages"
          Effect    = "Deny"
          NotAction = ["s3:Get*", "s3:List*"]
          Resource  = "${local.artefact_bucket_arn}/artefacts/released/*"
        },
      ],
      # The boundary goes by what a role is tagged with.
      [
        {
          Sid       = "CallNothingAReleasedStacks"
          Effect    = "Deny"
          Action    = "*"
          Resource  = "*"
          Condition = { StringLike = { "aws:RequestTag/Stack" = concat(local.nobodys, flatten([for stack in try(var.oidc.released_stacks, []) : [stack, "${stack}-*"]])) } }
        },
        {
          Sid       = "CallRolesAStacks"
          Effect    = "Deny"
          Action    = ["iam:CreateRole", "iam:TagRole"]
          Resource  = "*"
          Condition = { Null = { "aws:RequestTag/Stack" = "false" }, StringNotLike = { "aws:RequestTag/Stack" = "paygo-?*" } }
        },
      ],
      [
        for resources in [local.released] :
        { Sid = "LeaveReleasedStacks", Effect = "Deny", Action = "*", Resource = resources } if length(resources) > 0
      ],
    )
    releaser = [
      {
        Sid      = "ReadWhatStagesAreGiven"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        Resource = "${local.arn}:secretsmanager:${local.here}:secret:paygo/*"
      },
    ]
  }
}

resource "aws_iam_openid_connect_provider" "ci" {
  for_each = local.oidc

  url            = each.value.issuer
  client_id_list = [each.value.audience]
}

resource "aws_iam_role" "deploy" {
  for_each = local.deploy_roles

  name                 = "paygo-${each.key}-${var.region}"
  description          = each.key == "deployer" ? "Brings up and takes away stacks for development." : "Brings up stacks of staging and production."
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for subjects in [[for one in each.value : one if !startswith(one, "arn:")]] : {
          Effect    = "Allow"
          Principal = { Federated = "${local.arn}:iam::${local.account_id}:oidc-provider/${local.issuer}" }
          Action    = "sts:AssumeRoleWithWebIdentity"
          Condition = {
            StringEquals = { "${local.issuer}:aud" = var.oidc.audience }
            StringLike   = { "${local.issuer}:sub" = subjects }
          }
        } if length(subjects) > 0
      ],
      [
        for users in [[for one in each.value : one if startswith(one, "arn:")]] : {
          Effect    = "Allow"
          Principal = { AWS = users }
          Action    = "sts:AssumeRole"
        } if length(users) > 0
      ],
    )
  })

  depends_on = [aws_iam_openid_connect_provider.ci]
}

resource "aws_iam_policy" "deploy" {
  # checkov:skip=CKV_AWS_355: where `*` stands, the action knows no resources or all are denied
  # checkov:skip=CKV_AWS_290: whatever is written carries the project's name, but for what AWS names
  # checkov:skip=CKV_AWS_289: roles are made within the boundary only
  # checkov:skip=CKV_AWS_288: who deploys a stack may read it
  # checkov:skip=CKV_AWS_286: the boundary keeps what is made from being more than a stack
  # checkov:skip=CKV_AWS_287: who deploys a stack makes its secrets
  # checkov:skip=CKV2_AWS_40: the statements on IAM are listed one by one
  for_each = { for part, statements in local.deploying : part => jsonencode({ Version = "2012-10-17", Statement = statements }) if var.oidc != null }

  name        = "paygo-deploying-${each.key}-${var.region}"
  description = "Paygo's deploys: ${each.key}."
  policy      = each.value
}

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = merge([
    for kind, _ in local.deploy_roles : { for part in ["resources", "roles", kind] : "${kind}/${part}" => { role = kind, part = part } }
  ]...)

  role       = aws_iam_role.deploy[each.value.role].name
  policy_arn = aws_iam_policy.deploy[each.value.part].arn
}
