# Sessions, registration, users and credentials.

module "identity" {
  source = "./modules/service"
  stack  = local.stack
  name   = "identity"
  code   = local.code["identity"]

  messaging = local.messaging
  environment = merge(local.environment, {
    TABLE          = module.identity_table.name
    TOPIC_ARN      = module.identity_topic.arn
    SESSIONS_TABLE = module.sessions_table.name
  })

  functions = {
    sessions = {
      environment = merge(local.once.environment, {
        IDENTITY_POOL_ID   = module.identity_pool.id
        DEVELOPER_PROVIDER = module.identity_pool.developer_provider
      })
      statements = concat(module.sessions_table.statements.own, local.once.statements, local.escalate)
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

        concurrency = 10
      }
      environment = local.calling["identity-bureau"].environment
      statements  = concat(module.identity_table.statements.own, local.calling["identity-bureau"].statements)
      timeout     = 30
    }
    publish-outbox = {
      publishes = { stream_arn = module.identity_table.stream_arn }
      every     = local.sweep
      timeout   = 60
      statements = concat(
        module.identity_table.statements.outbox,
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

  indexes = local.outbox_index
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
}
