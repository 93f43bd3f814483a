# A service's functions: each with its role, its log group, its `live` alias and what calls it.

locals {
  here = "${var.stack.region}:${var.stack.account_id}"
  arns = {
    logs   = "arn:${var.stack.partition}:logs:${local.here}:log-group"
    queues = "arn:${var.stack.partition}:sqs:${local.here}"
  }
  names      = { for name, _ in var.functions : name => "${var.stack.name}-${var.name}-${name}" }
  log_groups = { for name, full in local.names : name => "/aws/lambda/${full}" }

  consumers  = { for name, f in var.functions : name => f if f.consumes != null }
  publishers = { for name, f in var.functions : name => f if f.publishes != null }
  scheduled  = { for name, f in var.functions : name => f if f.every != null }

  # Nobody waits for their answer, so what fails must be kept; who consumes or publishes has a queue for that already.
  unattended = { for name, f in var.functions : name => f if f.every != null || length(f.called_by) > 0 }
  lonely     = { for name, f in local.unattended : name => f if f.consumes == null && f.publishes == null }
  dead_queues = merge(
    { for name, queue in module.consumer : name => queue.dead_queue_arn },
    { for name, queue in module.outbox : name => queue.dead_queue_arn },
    { for name, queue in module.dead : name => queue.arn },
  )

  rules = { for name, _ in local.scheduled : name => "arn:${var.stack.partition}:events:${local.here}:rule/${local.names[name]}" }

  # What a function's wiring tells it beyond the environment its entry lists.
  told = {
    for name, f in var.functions : name => merge(
      { POWERTOOLS_SERVICE_NAME = var.name },
      { for variable, queue in f.sends_to : variable => "${var.stack.queue_urls}/${local.names[queue]}" },
      f.publishes == null ? {} : var.messaging.publisher.environment,
      f.consumes == null ? {} : merge(var.messaging.consumer.environment, {
        QUEUE_URL      = "${var.stack.queue_urls}/${local.names[name]}"
        DEAD_QUEUE_URL = "${var.stack.queue_urls}/${local.names[name]}-dead"
      }),
    )
  }

  # What a function's wiring needs beyond the statements its entry lists.
  wiring = {
    for name, f in var.functions : name => concat(
      [{
        # No logs:CreateLogGroup: a late invocation must not bring back the log group of a stack that is gone.
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = ["${local.arns.logs}:${local.log_groups[name]}:*"]
        condition = null
      }],
      f.consumes == null ? [] : var.messaging.consumer.statements,
      f.consumes == null ? [] : [{
        # Sending, since what is not ready yet goes back as a copy.
        actions = [
          "sqs:ChangeMessageVisibility",
          "sqs:DeleteMessage",
          "sqs:GetQueueAttributes",
          "sqs:ReceiveMessage",
          "sqs:SendMessage",
        ]
        resources = ["${local.arns.queues}:${local.names[name]}"]
        condition = null
      }],
      f.publishes == null ? [] : var.messaging.publisher.statements,
      f.consumes == null && f.publishes == null && !contains(keys(local.unattended), name) ? [] : [{
        actions   = ["sqs:SendMessage"]
        resources = ["${local.arns.queues}:${local.names[name]}-dead"]
        condition = null
      }],
      [for queue in distinct(values(f.sends_to)) : {
        actions   = ["sqs:SendMessage"]
        resources = ["${local.arns.queues}:${local.names[queue]}"]
        condition = null
      }],
      f.network == null ? [] : [{
        # Lambda makes the network interfaces in the function's name, and AWS knows no narrower resource before there are any.
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
        actions = [
          "ec2:AssignPrivateIpAddresses",
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:UnassignPrivateIpAddresses",
        ]
        resources = ["*"]
        condition = null
      }],
    )
  }

  # Whose role a function has: its own, or one that the service's functions share, since an account has room for so many.
  role_of = { for name, _ in var.functions : name => var.stack.roles == "service" ? coalesce(var.shared_role, var.name) : name }
  sharing = { for name, role in local.role_of : role => name... }
  # What asks for the same under the same conditions is said once, with all the resources: that is shorter, and allows no more.
  statements = {
    for role, sharers in local.sharing : role => {
      for statement in flatten([for name in sharers : concat(local.wiring[name], var.functions[name].statements)]) :
      jsonencode([sort(statement.actions), statement.condition]) => statement...
    }
  }
  policies = {
    for role, statements in local.statements : role => jsonencode({
      Version = "2012-10-17"
      Statement = [
        for alike in values(statements) : merge(
          { Effect = "Allow", Action = alike[0].actions, Resource = distinct(flatten(alike[*].resources)) },
          alike[0].condition == null ? {} : { Condition = alike[0].condition },
        )
      ]
    })
  }

  calls = merge([
    for name, f in var.functions : {
      for principal, source_arn in merge(
        f.asked_by,
        f.called_by,
        f.every == null ? {} : { "events.amazonaws.com" = local.rules[name] },
        ) : "${name} by ${principal}" => {
        function  = name
        principal = principal
        source    = source_arn
      }
    }
  ]...)
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158: CloudWatch's own key encrypts; a key of our own is not shared by an account's stacks yet
  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.stack.development ? 14 : 90
}

resource "aws_iam_role" "this" {
  for_each = local.sharing

  name                 = var.stack.roles == "service" ? "${var.stack.name}-${each.key}" : local.names[each.key]
  permissions_boundary = var.stack.boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.sharing

  name   = "statements"
  role   = aws_iam_role.this[each.key].id
  policy = local.policies[each.key]

  lifecycle {
    precondition {
      condition     = length(local.policies[each.key]) <= 10240
      error_message = "IAM takes 10,240 characters of a role's policies: let the functions of ${var.name} have a role each, or list less."
    }
  }
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_115: concurrency is the account's to share; reserving some starves the other stacks
  # checkov:skip=CKV_AWS_116: what is called asynchronously has a failure destination
  # checkov:skip=CKV_AWS_173: the environment names resources and holds no secret; Lambda's own key encrypts it
  # checkov:skip=CKV_AWS_272: the artefact bucket takes code from the deployer only, under its content hash
  for_each = var.functions

  function_name = local.names[each.key]
  role          = aws_iam_role.this[local.role_of[each.key]].arn
  runtime       = "python3.13"
  handler       = "${var.name}.handlers.${replace(each.key, "-", "_")}.handler"
  architectures = [var.code.architecture]
  s3_bucket     = var.code.bucket
  s3_key        = var.code.key
  layers        = concat([var.code.layers.shared], each.value.tokens ? [var.code.layers.tokens] : [])
  timeout       = each.value.timeout
  memory_size   = each.value.memory
  publish       = true

  environment {
    variables = merge(var.environment, local.told[each.key], each.value.environment)
  }

  dynamic "vpc_config" {
    for_each = each.value.network[*]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # The caller decides whether a request is traced.
  tracing_config {
    mode = "PassThrough"
  }

  # The first invocation must find its permissions and its log group.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

# What is not ready goes back to the function's own queue as a copy, however often. Lambda takes that for a loop, and would
# send the sixteenth copy to the dead-letter queue.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
resource "aws_lambda_function_recursion_config" "this" {
  for_each = local.consumers

  function_name  = aws_lambda_function.this[each.key].function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_alias" "live" {
  for_each = var.functions

  name             = "live"
  description      = "What callers reach."
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version

  # Where it points is the release's to say, from the first one on: deploy moves it after an apply, a rollback moves it back.
  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}

resource "aws_lambda_permission" "this" {
  for_each = local.calls

  function_name = aws_lambda_alias.live[each.value.function].function_name
  qualifier     = aws_lambda_alias.live[each.value.function].name
  action        = "lambda:InvokeFunction"
  principal     = each.value.principal
  source_arn    = each.value.source
  # The other callers' ARNs name the account as well, and EventBridge does not say whose rule it is: asked for the account
  # too, it would call nobody and tell nobody.
  source_account = each.value.principal == "iot.amazonaws.com" ? var.stack.account_id : null
}

module "consumer" {
  source   = "../consumer"
  for_each = local.consumers

  stack            = var.stack
  name             = "${var.name}-${each.key}"
  function_arn     = aws_lambda_alias.live[each.key].arn
  function_timeout = each.value.timeout
  subscription = each.value.consumes.topic_arn == null ? null : {
    topic_arn = each.value.consumes.topic_arn
    types     = each.value.consumes.types
  }
  batch_size  = each.value.consumes.batch_size
  concurrency = each.value.consumes.concurrency
}

module "outbox" {
  source   = "../outbox"
  for_each = local.publishers

  stack        = var.stack
  name         = "${var.name}-${each.key}"
  function_arn = aws_lambda_alias.live[each.key].arn
  stream_arn   = each.value.publishes.stream_arn
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.scheduled

  name                = local.names[each.key]
  description         = "Calls ${local.names[each.key]}."
  schedule_expression = each.value.every.rate
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.scheduled

  rule  = aws_cloudwatch_event_rule.this[each.key].name
  arn   = aws_lambda_alias.live[each.key].arn
  input = jsonencode(each.value.every.input)
}

module "dead" {
  source   = "../dead_queue"
  for_each = local.lonely

  stack             = var.stack
  name              = "${var.name}-${each.key}"
  alarm_description = "A call was tried three times: look at it, mend the cause, then redrive or discard it."
}

resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.unattended

  function_name = aws_lambda_alias.live[each.key].function_name
  qualifier     = aws_lambda_alias.live[each.key].name

  maximum_event_age_in_seconds = 6 * 60 * 60
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = local.dead_queues[each.key]
    }
  }
}
