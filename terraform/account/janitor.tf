# The janitor as a scheduled function. It looks every night; it removes where it is told to, and says what it would else.

locals {
  janitor = "paygo-janitor-${var.region}"

  arns = { for service in ["apigateway", "cloudwatch", "cognito-identity", "cognito-idp", "dynamodb", "events", "iot", "lambda", "logs", "secretsmanager", "sns", "sqs"] :
    service => "${local.arn}:${service}:${local.here}"
  }

  # What it is made of, by their names.
  janitors = {
    function  = "${local.arns["lambda"]}:function:${local.janitor}"
    log_group = "${local.arns["logs"]}:log-group:/aws/lambda/${local.janitor}"
    rule      = "${local.arns["events"]}:rule/${local.janitor}"
    table     = "${local.arns["dynamodb"]}:table/paygo-account-buckets"
  }

  # What a stack has is named like it, so that these are all stacks' and nobody else's.
  janitor_statements = {
    # Listing names no resource, so that AWS knows no narrower one for it; what is attached to what is listed by the name of either, and
    # whose something is, its tags say.
    # https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    Look = {
      actions = [
        "cloudwatch:DescribeAlarms",
        "cognito-identity:ListIdentityPools",
        "cognito-idp:ListUserPools",
        "dynamodb:ListTables",
        "dynamodb:ListTagsOfResource",
        "events:ListRules",
        "events:ListTagsForResource",
        "events:ListTargetsByRule",
        "iam:ListRoles",
        "iot:ListAttachedPolicies",
        "iot:ListPolicies",
        "iot:ListPrincipalThings",
        "iot:ListProvisioningTemplates",
        "iot:ListTargetsForPolicy",
        "iot:ListThings",
        "iot:ListTopicRules",
        "lambda:ListEventSourceMappings",
        "lambda:ListFunctions",
        "lambda:ListLayers",
        "logs:DescribeLogGroups",
        "s3:ListAllMyBuckets",
        "secretsmanager:ListSecrets",
        "sns:ListTagsForResource",
        "sns:ListTopics",
        "sqs:ListQueues",
      ]
      resources = ["*"]
    }

    # API Gateway, Cognito's pools, certificates and mappings go by identifiers that AWS makes up: what is a stack's is told by
    # its tag, which the janitor reads, and of certificates and mappings, which have none, by what they are attached to.
    RemoveByIdentifier = {
      actions = [
        "cognito-identity:DeleteIdentityPool",
        "cognito-identity:DescribeIdentityPool",
        "cognito-idp:DeleteUserPool",
        "cognito-idp:DeleteUserPoolDomain",
        "cognito-idp:DescribeUserPool",
        "iot:DeleteCertificate",
        "iot:DescribeCertificate",
        "iot:DetachPolicy",
        "iot:DetachThingPrincipal",
        "iot:UpdateCertificate",
        "lambda:DeleteEventSourceMapping",
      ]
      resources = [
        "${local.arns["cognito-identity"]}:identitypool/*",
        "${local.arns["cognito-idp"]}:userpool/*",
        "${local.arns["iot"]}:cert/*",
        "${local.arns["iot"]}:thing/paygo-*",
        "${local.arns["lambda"]}:event-source-mapping:*",
      ]
    }
    Api = {
      actions = ["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH"]
      resources = [for path in ["apikeys", "restapis", "usageplans"] : "${local.arn}:apigateway:${var.region}::/${path}*"
      ]
    }

    Functions = {
      actions = [
        "lambda:DeleteAlias",
        "lambda:DeleteFunction",
        "lambda:DeleteLayerVersion",
        "lambda:GetFunction",
        "lambda:ListAliases",
        "lambda:ListLayerVersions",
        "lambda:ListTags", # without it GetFunction leaves them out
        "lambda:ListVersionsByFunction",
      ]
      resources = ["${local.arns["lambda"]}:function:paygo-*", "${local.arns["lambda"]}:layer:paygo-*"]
    }
    Schedules = {
      actions   = ["events:DeleteRule", "events:DescribeRule", "events:RemoveTargets"]
      resources = ["${local.arns["events"]}:rule/paygo-*", "${local.arns["events"]}:rule/*/paygo-*"] # on whichever bus
    }
    Devices = {
      actions = [
        "iot:DeletePolicy",
        "iot:DeletePolicyVersion",
        "iot:DeleteProvisioningTemplate",
        "iot:DeleteThing",
        "iot:DeleteTopicRule",
        "iot:ListPolicyVersions",
        "iot:ListTagsForResource",
        "iot:ListThingPrincipals",
      ]
      resources = [
        "${local.arns["iot"]}:policy/paygo-*",
        "${local.arns["iot"]}:provisioningtemplate/paygo-*",
        "${local.arns["iot"]}:rule/paygo_*",
        "${local.arns["iot"]}:thing/paygo-*",
      ]
    }
    Logs = {
      actions = ["logs:DeleteLogGroup", "logs:ListTagsForResource", "logs:ListTagsLogGroup"]
      resources = [for group in ["/aws/apigateway/paygo-*", "/aws/lambda/paygo-*", "API-Gateway-Execution-Logs_*"] :
        "${local.arns["logs"]}:log-group:${group}"
      ]
    }
    Queues = {
      actions   = ["sqs:DeleteQueue", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
      resources = ["${local.arns["sqs"]}:paygo-*"]
    }
    Topics = {
      actions   = ["sns:DeleteTopic", "sns:ListSubscriptionsByTopic", "sns:Unsubscribe"]
      resources = ["${local.arns["sns"]}:paygo-*"]
    }
    Tables = {
      actions   = ["dynamodb:DeleteTable", "dynamodb:DescribeTable"]
      resources = ["${local.arns["dynamodb"]}:table/paygo-*"]
    }
    Secrets = {
      actions   = ["secretsmanager:DeleteSecret"]
      resources = ["${local.arns["secretsmanager"]}:secret:paygo-*"]
    }
    Alarms = {
      actions   = ["cloudwatch:DeleteAlarms"]
      resources = ["${local.arns["cloudwatch"]}:alarm:paygo-*"]
    }
    Roles = {
      actions = [
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:ListRoleTags",
      ]
      resources = ["${local.arn}:iam::${local.account_id}:role/paygo-*"]
    }
    Buckets = {
      actions = [
        "s3:DeleteBucket",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:GetBucketTagging",
        "s3:ListBucket",
        "s3:ListBucketVersions",
      ]
      resources = ["${local.arn}:s3:::paygo-*-${local.account_id}-${var.region}", "${local.arn}:s3:::paygo-*-${local.account_id}-${var.region}/*"]
    }
    States = {
      actions   = ["s3:GetObject", "s3:PutObject"]
      resources = ["${local.state_bucket_arn}/stacks/*", "${local.state_bucket_arn}/account/*"]
    }

    # Its own.
    Rates = {
      actions   = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:UpdateItem"]
      resources = [aws_dynamodb_table.buckets.arn]
    }
    GoOn = {
      actions   = ["lambda:InvokeFunction"]
      resources = ["${local.arns["lambda"]}:function:${local.janitor}:live"]
    }
    Tell = {
      actions   = ["sns:Publish"]
      resources = [local.inbox_arn]
    }
    Write = {
      actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources = ["${aws_cloudwatch_log_group.janitor.arn}:*"]
    }
    # Not the account's own resources, which are named like a branch's that is called `account`.
    NeverTheAccounts = {
      effect  = "Deny"
      actions = ["dynamodb:DeleteTable", "iam:DeleteRole", "iam:DeleteRolePolicy", "lambda:DeleteFunction", "logs:DeleteLogGroup", "s3:DeleteBucket", "sns:DeleteTopic"]
      resources = concat(local.account_roles, [
        local.janitors["table"],
        local.janitors["function"],
        local.janitors["log_group"],
        local.state_bucket_arn,
        local.artefact_bucket_arn,
        local.inbox_arn,
      ])
    }
    # What people have said stands.
    NeverWhatPeopleSaid = {
      effect    = "Deny"
      actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"]
      resources = [for folder in ["approvals", "emergencies"] : "${local.state_bucket_arn}/${folder}/*"]
    }
  }
}

# How often AWS may be called, one number a limited call, for all that remove something in this account.
resource "aws_dynamodb_table" "buckets" {
  # checkov:skip=CKV_AWS_119: it holds times; DynamoDB's own key encrypts
  # checkov:skip=CKV2_AWS_16: on-demand tables need no auto scaling
  name         = "paygo-account-buckets"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "call"

  deletion_protection_enabled = true

  attribute {
    name = "call"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_cloudwatch_log_group" "janitor" {
  # checkov:skip=CKV_AWS_158: it names resources; CloudWatch's own key encrypts
  # checkov:skip=CKV_AWS_338: what was removed is told by CloudTrail
  name              = "/aws/lambda/${local.janitor}"
  retention_in_days = 90
}

resource "aws_iam_role" "janitor" {
  name = local.janitor
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "janitor" {
  # checkov:skip=CKV_AWS_355: listing names no resource
  # checkov:skip=CKV_AWS_290: it writes to what is named like a stack
  # checkov:skip=CKV_AWS_289: it removes roles that are named like a stack's and changes none
  # checkov:skip=CKV_AWS_288: what it reads are names, tags and Terraform's states
  name = "statements"
  role = aws_iam_role.janitor.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for sid, statement in local.janitor_statements : {
      Sid      = sid
      Effect   = try(statement.effect, "Allow")
      Action   = statement.actions
      Resource = statement.resources
    }]
  })
}

resource "aws_lambda_function" "janitor" {
  # checkov:skip=CKV_AWS_115: it runs once a day; an account of ten concurrent functions has none to reserve
  # checkov:skip=CKV_AWS_116: what is called asynchronously has a failure destination
  # checkov:skip=CKV_AWS_117: what calls AWS alone needs no network of ours
  # checkov:skip=CKV_AWS_173: the environment holds no secret; Lambda's own key encrypts it
  # checkov:skip=CKV_AWS_272: the bucket takes code from the deployer only, under its content hash
  function_name = local.janitor
  description   = "Removes stacks that nobody needs."
  role          = aws_iam_role.janitor.arn
  runtime       = "python3.13"
  handler       = "janitor.handler.handler"
  architectures = ["arm64"]
  s3_bucket     = local.state_bucket
  s3_key        = var.janitor_package
  timeout       = 900
  memory_size   = 512
  publish       = true

  environment {
    variables = { APPLY = var.janitor_applies ? "yes" : "no" }
  }

  tracing_config {
    mode = "PassThrough"
  }

  # The first invocation must find its permissions and its log group.
  depends_on = [aws_cloudwatch_log_group.janitor, aws_iam_role_policy.janitor]
}

resource "aws_lambda_alias" "janitor" {
  name             = "live"
  description      = "What calls reach."
  function_name    = aws_lambda_function.janitor.function_name
  function_version = aws_lambda_function.janitor.version
}

resource "aws_lambda_function_event_invoke_config" "janitor" {
  function_name                = aws_lambda_alias.janitor.function_name
  qualifier                    = aws_lambda_alias.janitor.name
  maximum_event_age_in_seconds = 60 * 60
  maximum_retry_attempts       = 0 # the next night is the next try

  destination_config {
    on_failure {
      destination = aws_sns_topic.inbox.arn
    }
  }
}

resource "aws_cloudwatch_event_rule" "janitor" {
  name                = local.janitor
  description         = "Calls the janitor every night."
  schedule_expression = "cron(30 1 * * ? *)"
}

resource "aws_cloudwatch_event_target" "janitor" {
  rule  = aws_cloudwatch_event_rule.janitor.name
  arn   = aws_lambda_alias.janitor.arn
  input = jsonencode({})
}

resource "aws_lambda_permission" "janitor" {
  function_name = aws_lambda_alias.janitor.function_name
  qualifier     = aws_lambda_alias.janitor.name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.janitor.arn
}
