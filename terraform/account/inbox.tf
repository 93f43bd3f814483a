# Where the account itself calls for somebody: its budget, its janitor, and who deploys to production without an approval.

resource "aws_sns_topic" "inbox" {
  # checkov:skip=CKV_AWS_26: AWS Budgets cannot publish to a topic under SNS's own key, and amounts and names are no secrets
  name = "paygo-inbox"
}

resource "aws_sns_topic_policy" "inbox" {
  arn = aws_sns_topic.inbox.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Budgets"
        Effect    = "Allow"
        Principal = { Service = "budgets.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.inbox_arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        Sid       = "OverTlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.inbox_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

# SNS sends a link to the address; nothing is mailed before somebody followed it.
resource "aws_sns_topic_subscription" "inbox" {
  for_each = var.alarm_address == null ? toset([]) : toset([var.alarm_address])

  topic_arn = aws_sns_topic.inbox.arn
  protocol  = "email"
  endpoint  = each.value
}

# Of the whole account: costs by tag are counted only once somebody has activated the tag for billing.
resource "aws_budgets_budget" "this" {
  for_each = var.budget == null ? {} : { monthly = var.budget }

  name         = "paygo-${var.region}"
  budget_type  = "COST"
  limit_amount = tostring(each.value)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = [{ at = 50, of = "ACTUAL" }, { at = 80, of = "ACTUAL" }, { at = 100, of = "ACTUAL" }, { at = 100, of = "FORECASTED" }]
    content {
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value.at
      threshold_type            = "PERCENTAGE"
      notification_type         = notification.value.of
      subscriber_sns_topic_arns = [aws_sns_topic.inbox.arn]
    }
  }

  # Budgets tries the topic when it is told of it.
  depends_on = [aws_sns_topic_policy.inbox]
}
