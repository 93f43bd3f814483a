# An identity for each session: first unauthenticated, then developer-authenticated through the identity service.

resource "aws_cognito_identity_pool" "this" {
  # checkov:skip=CKV_AWS_366: a session begins unauthenticated by design; its role opens registration, sign-in and the session itself
  identity_pool_name               = var.stack.name
  allow_unauthenticated_identities = true
  developer_provider_name          = var.stack.name

  # With the classic flow, whoever knows the pool could assume the anonymous role under a name of their choosing.
  allow_classic_flow = false
}

resource "aws_iam_role" "this" {
  for_each = var.invocable

  name                 = "${var.stack.name}-${each.key}"
  permissions_boundary = var.stack.boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "cognito-identity.amazonaws.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals             = { "cognito-identity.amazonaws.com:aud" = aws_cognito_identity_pool.this.id }
        "ForAnyValue:StringLike" = { "cognito-identity.amazonaws.com:amr" = each.key }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = var.invocable

  name = "routes"
  role = aws_iam_role.this[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "execute-api:Invoke"
      Resource = each.value
    }]
  })
}

resource "aws_cognito_identity_pool_roles_attachment" "this" {
  identity_pool_id = aws_cognito_identity_pool.this.id
  roles            = { for kind, role in aws_iam_role.this : kind => role.arn }
}
