# A third party that we call: the secret with what we show it.

locals {
  secret = "${var.stack.name}/outbound/${var.name}"
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV_AWS_149: a key of our own is not shared by an account's stacks yet; Secrets Manager's own key encrypts
  # checkov:skip=CKV2_AWS_57: the third party decides when its credential changes
  name                    = local.secret
  description             = "What the platform shows ${var.name}."
  recovery_window_in_days = var.stack.development ? 0 : 30
}

# Only the mock takes one of our making; the partner's own is written by an operator. It is never in a plan or in the state.
ephemeral "aws_secretsmanager_random_password" "credential" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = var.url == null ? toset(["played"]) : toset([])

  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo         = jsonencode({ credential = ephemeral.aws_secretsmanager_random_password.credential.random_password })
  secret_string_wo_version = 1
}
