output "secret_arn" {
  description = "The secret with the credential that we show."
  value       = aws_secretsmanager_secret.this.arn
}

output "statements" {
  description = "What a role needs to read the secret."
  value = {
    read = [{
      actions = ["secretsmanager:GetSecretValue"]
      # Secrets Manager ends a secret's ARN in six characters of its own.
      resources = ["arn:${var.stack.partition}:secretsmanager:${var.stack.region}:${var.stack.account_id}:secret:${local.secret}-??????"]
    }]
  }
}
