# What a stack's roles may do at most, whatever a branch's Terraform writes into them: call the services that stacks are made of,
# under their own stack's name. IAM and STS are not among them, so that no branch can make itself more than it is.

locals {
  account_id = data.aws_caller_identity.current.account_id
  arn        = "arn:${data.aws_partition.current.partition}"
  here       = "${var.region}:${local.account_id}"

  # A role has its stack's tags, and with them says which stack it may touch.
  own_stack = "$${aws:PrincipalTag/Stack}"
  own_stage = "$${aws:PrincipalTag/Stage}"

  # By their names, so that a plan tells what the policies say.
  state_bucket        = "paygo-state-${local.account_id}-${var.region}"
  state_bucket_arn    = "${local.arn}:s3:::${local.state_bucket}"
  artefact_bucket_arn = "${local.arn}:s3:::${var.artefact_bucket}"
  inbox_arn           = "${local.arn}:sns:${local.here}:paygo-inbox"

  # As AWS names a role that calls, and as the embedded cloud names its session.
  released_roles = {
    for stack in try(var.oidc.released_stacks, []) :
    stack => [for kind in ["role", "assumed-role"] : "${local.arn}:*:${kind}/${stack}-*"]
  }

  within_stack = [
    {
      actions = [
        "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:DescribeStream", "dynamodb:GetItem",
        "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams", "dynamodb:PutItem",
        "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem",
      ]
      resources = ["${local.arn}:dynamodb:${local.here}:table/${local.own_stack}-*"]
    },
    {
      actions = [
        "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
      ]
      resources = ["${local.arn}:sqs:${local.here}:${local.own_stack}-*"]
    },
    {
      actions   = ["sns:Publish"]
      resources = ["${local.arn}:sns:${local.here}:${local.own_stack}-*"]
    },
    {
      actions   = ["lambda:InvokeFunction"]
      resources = ["${local.arn}:lambda:${local.here}:function:${local.own_stack}-*"]
    },
    {
      actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources = ["${local.arn}:logs:${local.here}:log-group:/aws/lambda/${local.own_stack}-*"]
    },
    {
      actions   = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]
      resources = ["${local.arn}:s3:::${local.own_stack}-*"]
    },
    {
      actions = ["secretsmanager:GetSecretValue"]
      resources = [
        "${local.arn}:secretsmanager:${local.here}:secret:${local.own_stack}/*",
        "${local.arn}:secretsmanager:${local.here}:secret:paygo/${local.own_stage}/*",
      ]
    },
    {
      actions = [
        "iot:AttachPolicy", "iot:AttachPrincipalPolicy", "iot:AttachThingPrincipal", "iot:CreateThing",
        "iot:DescribeCertificate", "iot:DescribeThing", "iot:GetPolicy", "iot:GetThingShadow", "iot:Publish",
        "iot:UpdateCertificate", "iot:UpdateThing", "iot:UpdateThingShadow",
      ]
      resources = [
        "${local.arn}:iot:${local.here}:cert/*", # by the certificate's fingerprint
        "${local.arn}:iot:${local.here}:policy/${local.own_stack}-*",
        "${local.arn}:iot:${local.here}:thing/${local.own_stack}-*",
        "${local.arn}:iot:${local.here}:topic/paygo/${local.own_stack}/*",
      ]
    },
  ]

  # What AWS names, by identifiers that say nothing of a stack.
  within_account = [
    {
      actions = [
        "cognito-idp:AdminCreateUser", "cognito-idp:AdminDeleteUser", "cognito-idp:AdminSetUserPassword",
        "cognito-idp:AdminUpdateUserAttributes",
      ]
      resources = ["${local.arn}:cognito-idp:${local.here}:userpool/*"]
    },
    {
      actions   = ["cognito-identity:GetOpenIdTokenForDeveloperIdentity"]
      resources = ["${local.arn}:cognito-identity:${local.here}:identitypool/*"]
    },
    {
      actions   = ["execute-api:Invoke"]
      resources = ["${local.arn}:execute-api:${local.here}:*"]
    },
    {
      actions   = ["kms:GetPublicKey", "kms:Sign"]
      resources = [for name in var.token_keys : aws_kms_key.token[name].arn]
    },
    {
      actions   = ["ses:SendEmail"]
      resources = ["${local.arn}:ses:${local.here}:identity/*"]
    },
    # Actions that know no resources: a function in a network, the things that IoT registers, metrics.
    {
      actions = [
        "cloudwatch:PutMetricData", "cognito-identity:DeleteIdentities", "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses", "iot:RegisterThing",
      ]
      resources = ["*"]
    },
  ]
}

data "aws_caller_identity" "current" {}

resource "aws_iam_policy" "stack_boundary" {
  # checkov:skip=CKV_AWS_355: a boundary allows nothing by itself; what a role may do its own statements say
  # checkov:skip=CKV_AWS_290: what writes is bounded here by name, and said with its conditions in a role's own statements
  # checkov:skip=CKV_AWS_288: what reads is bounded here by name, and said in a role's own statements
  name        = "paygo-stack-boundary-${var.region}"
  description = "What the roles of a Paygo stack may do at most."
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for statement in concat(local.within_stack, local.within_account) :
        { Effect = "Allow", Action = statement.actions, Resource = statement.resources }
      ],
      [
        # A stack may be called `paygo-state`: what is the account's is not its own all the same.
        {
          Effect   = "Deny"
          Action   = "s3:*"
          Resource = flatten([for arn in [local.state_bucket_arn, local.artefact_bucket_arn] : [arn, "${arn}/*"]])
        },
        # Tags are a branch's to write, on its roles and, where they let it, on a session. So they are not believed in everything:
        # what is not named like some stack's is nobody's,
        {
          Effect = "Deny"
          # IoT registers things by an action that knows no resources.
          Action = distinct([for action in flatten(local.within_stack[*].actions) : startswith(action, "iot:") ? action : "${split(":", action)[0]}:*"])
          NotResource = flatten([
            for statement in local.within_stack : [
              for resource in statement.resources :
              replace(replace(replace(resource, local.own_stack, "paygo-*"), local.own_stage, "*"), local.here, "*") # a policy has room for little
            ]
          ])
        },
      ],
      # no name is another's beginning,
      [
        for tag, never in { Stack = local.nobodys, Stage = ["*/*"] } :
        { Effect = "Deny", Action = "*", Resource = "*", Condition = { StringLike = { "aws:PrincipalTag/${tag}" = never } } }
      ],
      # and who says to be of a released stack, or wants what its stage is given, is called like it, which no branch's role is.
      [
        for stack, roles in local.released_roles : {
          Effect   = "Deny"
          Action   = "*"
          Resource = "*"
          Condition = {
            StringLike    = { "aws:PrincipalTag/Stack" = [stack, "${stack}-*"] }
            StringNotLike = { "aws:PrincipalArn" = roles }
          }
        }
      ],
      [
        for roles in [flatten(values(local.released_roles))] : {
          Effect    = "Deny"
          Action    = "secretsmanager:*"
          Resource  = "${local.arn}:secretsmanager:${local.here}:secret:paygo/*"
          Condition = { StringNotLike = { "aws:PrincipalArn" = roles } }
        } if length(roles) > 0
      ],
    )
  })
}
