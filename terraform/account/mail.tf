# The address that e-mails come from. SES sends to it for confirmation; in the sandbox the receivers need the same.

resource "aws_sesv2_email_identity" "sender" {
  email_identity = var.mail_sender
}
