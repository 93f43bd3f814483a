# Where failures wait for a person: a queue that keeps them for two weeks, and the alarm that says so.

locals {
  name = "${var.stack.name}-${var.name}-dead"
  # Built, not read, so that plans and policies show it before the queue exists.
  arn = "arn:${var.stack.partition}:sqs:${var.stack.region}:${var.stack.account_id}:${local.name}"
}

resource "aws_sqs_queue" "this" {
  name                      = local.name
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true

  redrive_allow_policy = var.source_queue_arn == null ? null : jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [var.source_queue_arn]
  })
}

resource "aws_cloudwatch_metric_alarm" "this" {
  alarm_name          = local.name
  alarm_description   = var.alarm_description
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
}
