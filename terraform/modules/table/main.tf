# An on-demand table. Items that carry `expires_at` (Unix seconds) disappear after it.

locals {
  name = "${var.stack.name}-${var.name}"
  # Built, not read, so that policies are known before the table exists.
  arn = "arn:${var.stack.partition}:dynamodb:${var.stack.region}:${var.stack.account_id}:table/${local.name}"
}

resource "aws_dynamodb_table" "this" {
  # checkov:skip=CKV_AWS_119: a key of our own is not shared by the stacks of an account yet; DynamoDB's own key encrypts
  # checkov:skip=CKV_AWS_28: point-in-time recovery is on outside development, where a table is rebuilt at will
  name                        = local.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = var.key[0]
  range_key                   = try(var.key[1], null)
  stream_enabled              = var.stream != null
  stream_view_type            = var.stream
  deletion_protection_enabled = !var.stack.development

  dynamic "attribute" {
    for_each = toset(concat(var.key, flatten(values(var.indexes))))
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.indexes
    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value[0]
      range_key       = try(global_secondary_index.value[1], null)
      projection_type = "ALL"
    }
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = !var.stack.development
  }
}
