output "secret_arn" {
  description = "The secret with the credential that we show."
  value       = coalesce(var.secret_arn, one(values(aws_secretsmanager_secret.this)[*].arn))
}

output "statements" {
  description = "What a role needs to read the secret."
  value = {
    read = [{
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [local.secret]
    }]
  }
}
