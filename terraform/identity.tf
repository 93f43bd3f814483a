# Sessions, registration, users and credentials.

module "identity" {
  source = "./modules/service"
  stack  = local.stack
  name   = "identity"
  code   = local.code["identity"]
  environment = merge(local.environment, {
    TABLE          = module.identity_table.name
    TOPIC_ARN      = module.identity_topic.arn
    SESSIONS_TABLE = module.sessions_table.name
  })

  functions = {
    sessions = {
      environment = {
        IDENTITY_POOL_ID   = module.identity_pool.id
        DEVELOPER_PROVIDER = module.identity_pool.developer_provider
      }
      statements = concat(module.sessions_table.statements.own, local.escalate)
    }
    registrations = {
      environment = merge(local.once.environment, { USER_POOL_ID = module.user_pool.id })
      statements = concat(
        module.identity_table.statements.own,
        module.sessions_table.statements.change,
        local.once.statements,
        local.keep_users,
      )
    }
    bureau-results = {
      environment = merge(local.for_partner["identity-bureau"].environment, { USER_POOL_ID = module.user_pool.id })
      statements = concat(
        module.identity_table.statements.own,
        module.sessions_table.statements.change,
        local.for_partner["identity-bureau"].statements,
        local.remove_users,
      )
    }
    request-check = {
      consumes = {
        topic_arn = module.identity_topic.arn
        types     = ["identity.registration-submitted.v1"]
      }
      environment = {
        BUREAU_URL        = coalesce(var.bureau_url, "${module.api.url}/mocks/identity-bureau")
        BUREAU_SECRET_ARN = aws_secretsmanager_secret.bureau.arn
      }
      statements = concat(module.identity_table.statements.own, local.read_bureau_secret)
    }
    publish-outbox = {
      publishes = { stream_arn = module.identity_table.stream_arn }
      statements = concat(
        module.identity_table.statements.stream,
        module.identity_table.statements.mark,
        module.identity_topic.statements.publish,
      )
    }
  }
}

module "identity_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "identity"
  stream = "NEW_IMAGE"
}

module "sessions_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "sessions"
  key    = ["pk"]
}

module "identity_topic" {
  source  = "./modules/topic"
  stack   = local.stack
  service = "identity"
}

module "user_pool" {
  source = "./modules/user_pool"
  stack  = local.stack
}

module "identity_pool" {
  source = "./modules/identity_pool"
  stack  = local.stack

  # What a session that is nobody yet may do ends with its escalation; every other signed route begins with it.
  invocable = {
    unauthenticated = [for id in concat(["readSession"], local.becoming_somebody) : module.api.operations[id].arn]
    authenticated = [
      for id, operation in module.api.operations : operation.arn
      if contains(operation.security, "session") && !contains(local.becoming_somebody, id)
    ]
  }
}

locals {
  becoming_somebody = ["register", "readRegistration", "escalateSession"]

  escalate = [{
    actions   = ["cognito-identity:GetOpenIdTokenForDeveloperIdentity"]
    resources = [module.identity_pool.arn]
  }]

  keep_users = [{
    actions   = ["cognito-idp:AdminCreateUser", "cognito-idp:AdminSetUserPassword"]
    resources = [module.user_pool.arn]
  }]

  remove_users = [{
    actions   = ["cognito-idp:AdminDeleteUser"]
    resources = [module.user_pool.arn]
  }]

  read_bureau_secret = [{
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:${local.stack.partition}:secretsmanager:${var.region}:${local.stack.account_id}:secret:${local.bureau_secret}-??????"]
  }]
}

# What the platform itself shows the identity bureau. For the mock it is a key of the mock's routes; in production an
# operator writes what the bureau has given.
locals {
  bureau_secret = "${var.stack}/bureau"
  bureau_key    = { for name, key in aws_api_gateway_api_key.bureau : name => key.id }
}

resource "aws_secretsmanager_secret" "bureau" {
  # checkov:skip=CKV_AWS_149: a key of our own is not shared by an account's stacks yet; Secrets Manager's own key encrypts
  # checkov:skip=CKV2_AWS_57: the bureau decides when its key changes
  name                    = local.bureau_secret
  description             = "What the platform shows the identity bureau."
  recovery_window_in_days = local.stack.development ? 0 : 30
}

resource "aws_api_gateway_api_key" "bureau" {
  for_each = var.stage == "production" ? toset([]) : toset(["bureau"])

  name        = "${var.stack}-bureau"
  description = "Sent by the platform to the mock of the identity bureau."
}

resource "aws_secretsmanager_secret_version" "bureau" {
  for_each = aws_api_gateway_api_key.bureau

  secret_id     = aws_secretsmanager_secret.bureau.id
  secret_string = jsonencode({ api_key = each.value.value })
}
