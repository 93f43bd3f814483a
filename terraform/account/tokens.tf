# The keys that sign the stacks' bearer tokens. Of each stack's tokens only its own API and name are accepted, so that stacks can
# share keys: a key costs by the month, and once deleted it is there for a week at least.

resource "aws_kms_key" "token" {
  # checkov:skip=CKV2_AWS_64: without a policy of its own a key takes what IAM says, and each role names the keys it may use
  for_each = toset(var.token_keys)

  description              = "Signs bearer tokens (${each.value})."
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "RSA_2048"
  deletion_window_in_days  = 7
}
