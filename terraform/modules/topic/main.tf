# One service's events. Consumers pick by the message attribute `type`.

locals {
  name = "${var.stack.name}-${var.service}"
  # Built, not read, so that plans and policies show it before the topic exists.
  arn = "arn:${var.stack.partition}:sns:${var.stack.region}:${var.stack.account_id}:${local.name}"
}

resource "aws_sns_topic" "this" {
  name              = local.name
  kms_master_key_id = "alias/aws/sns"
}
