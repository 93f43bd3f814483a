# Dead letters, reports of errors, telling the people who mend them, and who did what.

module "operations" {
  source = "./modules/service"
  stack  = local.stack
  name   = "operations"
  code   = local.code["operations"]
  environment = merge(local.environment, {
    TABLE              = module.operations_table.name
    ATTEMPTS_TABLE     = module.attempts_table.name
    ALARMS_TOPIC_ARN   = local.stack.alarms
    QUEUES             = jsonencode(local.failures)
    QUEUE_URLS_BASE    = "${local.stack.queue_urls}/${var.stack}-"
    FUNCTIONS_ARN_BASE = "${local.arns.functions}:${var.stack}-"
  })
  messaging = local.messaging

  functions = {
    archive-dead-letters = {
      statements = concat(
        module.operations_table.statements.own,
        module.attempts_table.statements.query,
        local.empty_dead_queues,
        local.measure,
      )
      timeout = 30 # a sixth of the dead-letter queues' visibility time-out
    }
    dead-letters = {
      environment = merge(local.once.environment, local.audit)
      statements = concat(
        module.operations_table.statements.own,
        module.attempts_table.statements.query,
        module.audit_table.statements.add,
        local.once.statements,
        local.redrive,
        local.measure,
      )
      timeout = 29
    }
    count-dead-letters = {
      every      = { rate = "rate(1 minute)" }
      statements = concat(module.operations_table.statements.query, local.measure)
      timeout    = 30
    }
    keep-audit = {
      consumes = {
        topic_arn = module.identity_topic.arn
        types     = ["identity.audit-recorded.v1"]
      }
      environment = local.audit
      statements  = module.audit_table.statements.add
    }
    keep-refusals = {
      called_by   = { "logs.amazonaws.com" = local.every_log }
      environment = local.audit
      statements  = module.audit_table.statements.add
    }
    audit-events = {
      environment = local.audit
      statements  = module.audit_table.statements.query
    }
    report-errors = {
      called_by  = { "logs.amazonaws.com" = local.every_log }
      statements = concat(module.operations_table.statements.own, local.raise_alarms)
    }
    notify-operators = {
      called_by = { "sns.amazonaws.com" = local.stack.alarms }
      environment = {
        ALARM_ADDRESS      = var.alarm_address
        MAIL_SENDER        = var.mail_sender
        WEBHOOK_SECRET_ARN = local.webhook_secret_arn
      }
      statements = concat(module.operations_table.statements.query, local.mail_operators, local.read_webhook)
      timeout    = 30
    }
  }
}

module "operations_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "operations"
}

# Who did what, when and from where: it is added to and read, and no function may change or remove anything in it.
module "audit_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "audit"
}

# Every dead-letter queue is emptied into the archive.
resource "aws_lambda_event_source_mapping" "dead_letters" {
  for_each = merge(local.dead_queues, module.operations.dead_queue_arns)

  event_source_arn        = each.value
  function_name           = module.operations.functions["operations/archive-dead-letters"].alias_arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
}

# Every function's errors are reported, but not those of the functions that report them: that would never end.
resource "aws_cloudwatch_log_subscription_filter" "errors" {
  for_each = {
    for name, function in local.functions : name => function.log_group
    if !contains(["operations/report-errors", "operations/notify-operators"], name)
  }

  name            = "errors"
  log_group_name  = each.value
  destination_arn = module.operations.functions["operations/report-errors"].alias_arn
  filter_pattern  = local.errors
}

# What a function refuses is a line of its log. These may refuse: the functions behind the API, and what stands before them.
resource "aws_cloudwatch_log_subscription_filter" "refusals" {
  for_each = { for name, function in local.functions : name => function.log_group if contains(local.refusing, name) }

  name            = "refusals"
  log_group_name  = each.value
  destination_arn = module.operations.functions["operations/keep-refusals"].alias_arn
  filter_pattern  = "{ $.audit.act = \"*\" }"
}

resource "aws_sns_topic" "alarms" {
  # checkov:skip=CKV_AWS_26: CloudWatch cannot publish where SNS's own key encrypts, and a key of our own is not shared by an account's stacks yet; an alarm names queues, not people
  name = "${var.stack}-alarms"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = local.stack.alarms
      Condition = {
        ArnLike      = { "aws:SourceArn" = "arn:${local.stack.partition}:cloudwatch:${var.region}:${local.stack.account_id}:alarm:${var.stack}-*" }
        StringEquals = { "aws:SourceAccount" = local.stack.account_id }
      }
    }]
  })
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "lambda"
  endpoint  = module.operations.functions["operations/notify-operators"].alias_arn
}

# Where alarms are posted besides being mailed: none until an operator writes the address, which is itself a secret. Outside
# development it is the account's.
resource "aws_secretsmanager_secret" "webhook" {
  # checkov:skip=CKV_AWS_149: a key of our own is not shared by an account's stacks yet; Secrets Manager's own key encrypts
  # checkov:skip=CKV2_AWS_57: the address is another party's and changes when they change it
  for_each = local.own_webhook

  name                    = each.value
  description             = "The address of the webhook that alarms and error reports are posted to."
  recovery_window_in_days = 0
}

moved {
  from = aws_secretsmanager_secret.webhook
  to   = aws_secretsmanager_secret.webhook["own"]
}

resource "aws_secretsmanager_secret_version" "webhook" {
  for_each = local.own_webhook

  secret_id                = aws_secretsmanager_secret.webhook[each.key].id
  secret_string_wo         = jsonencode({ url = null })
  secret_string_wo_version = 1
}

locals {
  arns = {
    functions = "arn:${local.stack.partition}:lambda:${var.region}:${local.stack.account_id}:function"
    logs      = "arn:${local.stack.partition}:logs:${var.region}:${local.stack.account_id}:log-group"
    queues    = "arn:${local.stack.partition}:sqs:${var.region}:${local.stack.account_id}"
  }

  audit    = { AUDIT_TABLE = module.audit_table.name }
  refusing = concat(values(module.api.operations)[*].function, ["identity/authorizer"])

  # Of every function's log group in one statement: one for each would outgrow the 20 KB of a function's policy.
  every_log = "${local.arns.logs}:/aws/lambda/${var.stack}-*:*"

  given_webhook      = lookup(var.secrets, "operations/webhook", null)
  own_webhook        = local.given_webhook == null ? { own = "${var.stack}/operations/webhook" } : {}
  webhook_secret_arn = coalesce(local.given_webhook, one(values(aws_secretsmanager_secret.webhook)[*].arn))

  # The functions with a dead-letter queue and what it holds. Those of this service are named here: it is told of them all.
  failures = merge(
    { for name in ["count-dead-letters", "keep-refusals", "notify-operators", "report-errors"] : "operations/${name}" => "function" },
    { "operations/keep-audit" = "queue" },
    module.identity.failures,
    module.devices.failures,
    module.payments.failures,
    module.ledger.failures,
    module.notifications.failures,
    module.partners.failures,
    [for _ in local.mocks : module.mocks["mocks"].failures]...
  )
  dead_queues = merge(
    { "device-rules" = module.iot.dead_queue_arn },
    module.identity.dead_queue_arns,
    module.devices.dead_queue_arns,
    module.payments.dead_queue_arns,
    module.ledger.dead_queue_arns,
    module.notifications.dead_queue_arns,
    module.partners.dead_queue_arns,
    [for _ in local.mocks : module.mocks["mocks"].dead_queue_arns]...
  )

  failing = { for name, kind in local.failures : name => "${var.stack}-${replace(name, "/", "-")}" }

  # Lines of Powertools' logger at these levels, and what the runtime itself writes when a function ends badly.
  errors = "?\"\\\"level\\\":\\\"ERROR\\\"\" ?\"\\\"level\\\":\\\"CRITICAL\\\"\" ?\"[ERROR]\" ?\"Task timed out\" ?\"Runtime exited\""

  empty_dead_queues = [{
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [for name in concat(values(local.failing), ["${var.stack}-device-rules"]) : "${local.arns.queues}:${name}-dead"]
  }]

  # A message goes to its queue again, a call to its function; of a stream the sweeper is called.
  redrive = [
    {
      actions   = ["sqs:SendMessage"]
      resources = [for name, kind in local.failures : "${local.arns.queues}:${local.failing[name]}" if kind == "queue"]
    },
    {
      actions   = ["lambda:InvokeFunction"]
      resources = [for name, kind in local.failures : "${local.arns.functions}:${local.failing[name]}:live" if kind != "queue"]
    },
  ]

  measure = [{
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # metrics are no resources; the namespace is what can be named
    condition = { StringEquals = { "cloudwatch:namespace" = ["Paygo"] } }
  }]

  raise_alarms = [{
    actions   = ["sns:Publish"]
    resources = [local.stack.alarms]
  }]

  mail_operators = [{
    actions = ["ses:SendEmail"]
    resources = [
      for address in distinct([var.mail_sender, var.alarm_address]) :
      "arn:${local.stack.partition}:ses:${var.region}:${local.stack.account_id}:identity/${address}"
    ]
  }]

  read_webhook = [{
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [coalesce(local.given_webhook, "arn:${local.stack.partition}:secretsmanager:${var.region}:${local.stack.account_id}:secret:${var.stack}/operations/webhook-??????")]
  }]
}
