# A third party that calls us: its API key, and the secret that holds the key it signs with.

locals {
  secret = "${var.stack.name}/partners/${var.name}"
}

resource "aws_api_gateway_api_key" "this" {
  name        = "${var.stack.name}-${var.name}"
  description = "Sent by ${var.name} with every request."
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV_AWS_149: a key of our own is not shared by an account's stacks yet; Secrets Manager's own key encrypts
  # checkov:skip=CKV2_AWS_57: a third party's key is changed together with it: the new one becomes current, the old one previous
  name                    = local.secret
  description             = "API key and signing keys of ${var.name}."
  recovery_window_in_days = var.stack.development ? 0 : 30
}

# The signing key is made once and is never in a plan or in the state.
ephemeral "aws_secretsmanager_random_password" "signing_key" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id = aws_secretsmanager_secret.this.id
  secret_string_wo = jsonencode({
    api_key = aws_api_gateway_api_key.this.value
    keys = {
      current  = ephemeral.aws_secretsmanager_random_password.signing_key.random_password
      previous = ""
    }
  })
  secret_string_wo_version = 1
}
