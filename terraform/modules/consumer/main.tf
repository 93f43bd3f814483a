# A queue, the dead-letter queue behind it, and the mapping that gives the function its messages.

locals {
  name        = "${var.stack.name}-${var.name}"
  arn         = "arn:${var.stack.partition}:sqs:${var.stack.region}:${var.stack.account_id}:${local.name}"
  max_receive = 10
}

module "dead" {
  source            = "../dead_queue"
  stack             = var.stack
  name              = var.name
  alarm_description = "A message was tried ${local.max_receive} times: look at it, mend the cause, then redrive or discard it."
  source_queue_arn  = local.arn
  topic_arn         = try(var.subscription.topic_arn, null)
}

resource "aws_sqs_queue" "this" {
  name                      = local.name
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true

  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html asks for six times the function's time-out. Less
  # than one would hand a message to a second worker while the first still has it, and Lambda refuses that.
  visibility_timeout_seconds = max(var.function_timeout, ceil(6 * var.function_timeout * var.stack.delay_scale))

  redrive_policy = jsonencode({
    deadLetterTargetArn = module.dead.arn
    maxReceiveCount     = local.max_receive
  })

  # In line, since a policy of its own would wait for the queue's attributes once more.
  policy = var.subscription == null ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = local.arn
      Condition = { ArnEquals = { "aws:SourceArn" = var.subscription.topic_arn } }
    }]
  })
}

resource "aws_sns_topic_subscription" "this" {
  for_each = var.subscription == null ? toset([]) : toset(["topic"])

  topic_arn            = var.subscription.topic_arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.this.arn
  filter_policy        = jsonencode({ type = var.subscription.types })
  raw_message_delivery = true
  redrive_policy       = jsonencode({ deadLetterTargetArn = module.dead.arn })
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn        = aws_sqs_queue.this.arn
  function_name           = var.function_arn
  batch_size              = var.batch_size
  function_response_types = ["ReportBatchItemFailures"]

  dynamic "scaling_config" {
    for_each = var.concurrency[*]
    content {
      maximum_concurrency = scaling_config.value
    }
  }
}
