output "id" {
  description = "The user pool."
  value       = aws_cognito_user_pool.this.id
}

output "client_id" {
  description = "The apps' client."
  value       = aws_cognito_user_pool_client.app.id
}

output "arn" {
  description = "The user pool, for statements."
  value       = "arn:${var.stack.partition}:cognito-idp:${var.stack.region}:${var.stack.account_id}:userpool/${aws_cognito_user_pool.this.id}"
}
