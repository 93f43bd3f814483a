# Where failures wait for `operations` to archive them, for two weeks at most, and the alarm that rings as long as one is open.

locals {
  name = "${var.stack.name}-${var.name}-dead"
  # Built, not read, so that plans and policies show it before the queue exists.
  arn = "arn:${var.stack.partition}:sqs:${var.stack.region}:${var.stack.account_id}:${local.name}"
}

resource "aws_sqs_queue" "this" {
  name                      = local.name
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true

  # Six times the time-out of the function that archives what comes here, 30 s, which it may take whatever the scale.
  visibility_timeout_seconds = max(30, ceil(6 * 30 * var.stack.delay_scale))

  redrive_allow_policy = var.source_queue_arn == null ? null : jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [var.source_queue_arn]
  })

  # What the topic cannot hand to the queue it is for comes here instead of being lost.
  policy = var.topic_arn == null ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = local.arn
      Condition = { ArnEquals = { "aws:SourceArn" = var.topic_arn } }
    }]
  })
}

# A letter leaves the queue within seconds, into the archive, and is open there until somebody redrives or discards it. Where
# nothing archives, the queue itself still rings.
resource "aws_cloudwatch_metric_alarm" "this" {
  alarm_name          = local.name
  alarm_description   = var.alarm_description
  alarm_actions       = [var.stack.alarms]
  ok_actions          = [var.stack.alarms]
  evaluation_periods  = 2 # the count of open letters comes once a minute: one that is late must not look like recovery
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "dead"
    expression  = "SUM([waiting, open])" # of a list, so that either counts while the other has no data
    label       = "dead letters"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = local.name }
      period      = 60
      stat        = "Maximum"
    }
  }

  metric_query {
    id = "open"

    metric {
      namespace   = "Paygo"
      metric_name = "OpenDeadLetters"
      dimensions  = { Queue = local.name }
      period      = 60
      stat        = "Maximum"
    }
  }
}
