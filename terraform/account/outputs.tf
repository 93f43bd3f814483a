output "artefact_bucket" {
  description = "The bucket that holds the built code."
  value       = aws_s3_bucket.artefacts.bucket
}

output "mail_sender" {
  description = "The address that e-mails come from."
  value       = aws_sesv2_email_identity.sender.email_identity
}

output "inbox" {
  description = "The topic on which the account calls for somebody."
  value       = aws_sns_topic.inbox.arn
}

output "deploy_roles" {
  description = "The roles that a CI's jobs assume, by what they do."
  value       = { for kind, role in aws_iam_role.deploy : kind => role.arn }
}

output "for_stacks" {
  description = "What every stack is told of its account, by the names of its variables."
  value = {
    permissions_boundary = aws_iam_policy.stack_boundary.arn
    token_keys           = [for name in var.token_keys : aws_kms_key.token[name].arn]
    web_acl_arn          = one([for acl in aws_wafv2_web_acl.this : acl.arn])
    partner_network = var.partner_network == null ? null : {
      subnet_ids         = [for zone, _ in local.zones : aws_subnet.private[zone].id]
      security_group_ids = [aws_security_group.partner["this"].id]
    }
  }
}
