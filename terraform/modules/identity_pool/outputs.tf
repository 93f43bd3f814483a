output "id" {
  description = "The identity pool."
  value       = aws_cognito_identity_pool.this.id
}

output "developer_provider" {
  description = "The provider under which the identity service names sessions."
  value       = aws_cognito_identity_pool.this.developer_provider_name
}

output "arn" {
  description = "The identity pool, for statements."
  value       = "arn:${var.stack.partition}:cognito-identity:${var.stack.region}:${var.stack.account_id}:identitypool/${aws_cognito_identity_pool.this.id}"
}
