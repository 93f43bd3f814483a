# The people whom the platform manages itself: made by the identity service only, under the household's id, and signing in by SRP.

resource "aws_cognito_user_pool" "this" {
  name                = var.stack.name
  alias_attributes    = ["email"]
  deletion_protection = var.stack.development ? "INACTIVE" : "ACTIVE"

  # An address is the same however it is spelt; AWS's default for pools made by its API is the other way.
  username_configuration {
    case_sensitive = false
  }

  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  # Length is what counts (NIST SP 800-63B); the contract asks for the same.
  password_policy {
    minimum_length                   = 12
    require_lowercase                = false
    require_numbers                  = false
    require_symbols                  = false
    require_uppercase                = false
    temporary_password_validity_days = 1
  }

  # Until there is a way back of our own, Cognito must not have one beside it: it tells the session nothing.
  account_recovery_setting {
    recovery_mechanism {
      name     = "admin_only"
      priority = 1
    }
  }
}

# A public client: an app on a phone cannot keep a secret.
resource "aws_cognito_user_pool_client" "app" {
  name                          = "${var.stack.name}-app"
  user_pool_id                  = aws_cognito_user_pool.this.id
  generate_secret               = false
  explicit_auth_flows           = ["ALLOW_USER_SRP_AUTH"]
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true

  # The pool's tokens are shown once, at once, for a session of ours, which has a refresh token of its own: theirs opens nothing,
  # and lives as briefly as Cognito lets it.
  id_token_validity      = 5
  access_token_validity  = 5
  refresh_token_validity = 60
  token_validity_units {
    id_token      = "minutes"
    access_token  = "minutes"
    refresh_token = "minutes"
  }

  # Whoever holds an access token could else give the account another address at Cognito itself, and have a way back in that
  # nobody here knows of. Without a list an app may write all attributes; the one in it is read by nobody.
  # https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html
  write_attributes = ["locale"]
}
