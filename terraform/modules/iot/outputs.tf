output "template" {
  description = "The provisioning template that devices name."
  value       = aws_iot_provisioning_template.this.name
}

output "claim_secret_arn" {
  description = "The secret with the claim certificate and its key."
  value       = aws_secretsmanager_secret.claim.arn
}

output "device_policy" {
  description = "The policy of every device's certificate."
  value       = local.device_policy
}

output "template_arn" {
  description = "The caller of the provisioning hook, by name and so known before it exists."
  value       = "${local.arns}:provisioningtemplate/${local.template}"
}

output "rule_arns" {
  description = "The callers of the functions that answer devices, by name and so known before they exist."
  value       = { for name, full in local.rules : name => "${local.arns}:rule/${full}" }
}

output "dead_queue_arn" {
  description = "The queue of device messages that could not be handed on."
  value       = module.dead.arn
}
