# A third party that we call: the secret with what we show it.

locals {
  name = "${var.stack.name}/outbound/${var.name}"
  made = var.secret_arn == null ? { played = local.name } : {}

  # Secrets Manager ends a secret's ARN in six characters of its own.
  secret = coalesce(var.secret_arn, "arn:${var.stack.partition}:secretsmanager:${var.stack.region}:${var.stack.account_id}:secret:${local.name}-??????")
}

# Only the mock takes one of our making; the partner's own is the account's.
resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV_AWS_149: a key of our own is not shared by an account's stacks yet; Secrets Manager's own key encrypts
  # checkov:skip=CKV2_AWS_57: the mock takes what it is shown
  for_each = local.made

  name                    = each.value
  description             = "What the platform shows ${var.name}."
  recovery_window_in_days = 0
}

moved {
  from = aws_secretsmanager_secret.this
  to   = aws_secretsmanager_secret.this["played"]
}

# It is never in a plan or in the state.
ephemeral "aws_secretsmanager_random_password" "credential" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = local.made

  secret_id                = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo         = jsonencode({ credential = ephemeral.aws_secretsmanager_random_password.credential.random_password })
  secret_string_wo_version = 1
}
