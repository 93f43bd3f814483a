output "artefact_bucket" {
  description = "The bucket that holds the built code."
  value       = aws_s3_bucket.artefacts.bucket
}

output "mail_sender" {
  description = "The address that e-mails come from."
  value       = aws_sesv2_email_identity.sender.email_identity
}
