# What devices may do, how they get a certificate of their own, and which functions answer them.

locals {
  arns = "arn:${var.stack.partition}:iot:${var.stack.region}:${var.stack.account_id}"

  template      = var.stack.name
  device_policy = "${var.stack.name}-device"

  # A policy's topics name the connected thing by variable, a rule's filter any thing.
  this_thing = "$${iot:Connection.Thing.ThingName}"
  topics     = { for name, topic in var.topics : name => replace(topic, "{stack}", var.stack.name) }
  is_answer  = { for name, _ in var.topics : name => can(regex("_(accepted|rejected)$", name)) }
  own_topics = [for name, topic in local.topics : replace(topic, "{thing}", local.this_thing) if !local.is_answer[name]]

  # A question is answered below its own topic, so one wildcard hears every answer: AWS IoT takes 2,048 characters a policy.
  sends = concat(local.own_topics, [for question in ["get", "update"] : "$aws/things/${local.this_thing}/shadow/${question}"])
  hears = [for question in local.sends : "${question}/*"]

  rules = { for name, _ in var.rules : name => "${replace(var.stack.name, "-", "_")}_${name}" }
}

resource "aws_iot_policy" "device" {
  name = local.device_policy
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "iot:Connect"
        Resource  = "${local.arns}:client/${local.this_thing}"
        Condition = { Bool = { "iot:Connection.Thing.IsAttached" = "true" } }
      },
      {
        Effect   = "Allow"
        Action   = "iot:Publish"
        Resource = [for topic in local.sends : "${local.arns}:topic/${topic}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Receive"
        Resource = [for topic in local.hears : "${local.arns}:topic/${topic}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Subscribe"
        Resource = [for topic in local.hears : "${local.arns}:topicfilter/${topic}"]
      },
    ]
  })
}

resource "aws_iot_topic_rule" "this" {
  for_each = var.rules

  name    = local.rules[each.key]
  enabled = true
  # Only what the rule names: with `*`, a device's own `thing` or `client_id` would stand beside ours.
  sql         = "SELECT device_id, topic(3) AS thing, clientid() AS client_id, traceid() AS correlation_id FROM '${replace(local.topics[each.value], "{thing}", "+")}'"
  sql_version = "2016-03-23"

  lambda {
    function_arn = var.rule_functions[each.key]
  }

  error_action {
    sqs {
      queue_url  = module.dead.url
      role_arn   = aws_iam_role.rules.arn
      use_base64 = false
    }
  }
}

module "dead" {
  source            = "../dead_queue"
  stack             = var.stack
  name              = "device-rules"
  alarm_description = "A device's message could not be handed to its function: mend the cause; the device asks again by itself."
}

resource "aws_iam_role" "rules" {
  name                 = "${var.stack.name}-device-rules"
  permissions_boundary = var.stack.boundary
  assume_role_policy   = local.trust
}

resource "aws_iam_role_policy" "rules" {
  name = "failures"
  role = aws_iam_role.rules.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = module.dead.arn
    }]
  })
}

locals {
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "iot.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.stack.account_id } }
    }]
  })
}
