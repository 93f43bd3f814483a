output "api_key_id" {
  description = "The API key, for a usage plan."
  value       = aws_api_gateway_api_key.this.id
}

output "secret_arn" {
  description = "The secret with the API key and the signing keys."
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
