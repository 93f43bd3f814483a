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
      environment = merge(local.once.environment, local.for_tokens.make.environment, {
        IDENTITY_POOL_ID   = module.identity_pool.id
        DEVELOPER_PROVIDER = module.identity_pool.developer_provider
      })
      statements = concat(
        module.sessions_table.statements.own,
        local.once.statements,
        local.for_tokens.make.statements,
        local.escalate,
      )
    }
    discovery = {
      tokens = true
      environment = merge(local.for_tokens.verify.environment, {
        USER_POOL_ID        = module.user_pool.id
        USER_POOL_CLIENT_ID = module.user_pool.client_id
      })
      statements = local.for_tokens.verify.statements
    }
    authorizer = {
      tokens = true
      environment = merge(local.for_households.environment, local.for_tokens.verify.environment, {
        SCOPE_ROUTES = jsonencode(module.api.scope_routes)
      })
      statements = concat(local.for_households.statements, local.for_tokens.verify.statements)
      timeout    = 10
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
      environment = local.for_partner["identity-bureau"].environment
      statements = concat(
        module.identity_table.statements.own,
        module.sessions_table.statements.change,
        local.for_partner["identity-bureau"].statements,
      )
    }
    send-codes = {
      consumes = {
        topic_arn = module.identity_topic.arn
        types     = ["identity.code-requested.v1"]
      }
      environment = merge(local.once.environment, { MAIL_SENDER = var.mail_sender })
      statements  = concat(module.identity_table.statements.read, local.once.statements, local.send_mail)
    }
    request-check = {
      consumes = {
        topic_arn = module.identity_topic.arn
        types     = ["identity.registration-submitted.v1"]

        concurrency = 10
      }
      environment = local.calling["checkers"].environment
      statements = concat(
        module.identity_table.statements.own,
        module.sessions_table.statements.change,
        local.calling["checkers"].statements,
      )
      timeout = 30
    }
    follow-checks = {
      consumes = {
        topic_arn = module.identity_topic.arn
        types     = ["identity.registration-moved.v1"]

        concurrency = 10
      }
      environment = local.calling["identity-bureau"].environment
      statements = concat(
        module.identity_table.statements.own,
        module.sessions_table.statements.change,
        local.calling["identity-bureau"].statements,
      )
      timeout = 30
    }
    expire-registrations = {
      consumes = {
        topic_arn = module.identity_topic.arn
        types     = ["identity.registration-moved.v1"]
      }
      statements = concat(module.identity_table.statements.own, module.sessions_table.statements.change)
    }
    settle-accounts = {
      consumes = {
        topic_arn = module.identity_topic.arn
        types     = ["identity.registration-moved.v1"]
      }
      environment = { USER_POOL_ID = module.user_pool.id }
      statements  = concat(module.identity_table.statements.read, local.settle_users)
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

  # The contract says whose session opens which route.
  invocable = {
    unauthenticated = [for operation in values(module.api.operations) : operation.arn if contains(operation.callers, "anonymous")]
    authenticated   = [for operation in values(module.api.operations) : operation.arn if contains(operation.callers, "household")]
  }
}

locals {
  # Who makes tokens signs with the first key; who verifies them knows all of them.
  token_keys = { TOKEN_KEYS = jsonencode(var.token_keys) }
  for_tokens = {
    make = {
      environment = merge(local.token_keys, {
        SCOPES = jsonencode({ for kind, scopes in module.api.scope_routes : kind => keys(scopes) })
      })
      statements = [{ actions = ["kms:Sign"], resources = [var.token_keys[0]] }]
    }
    verify = {
      environment = local.token_keys
      statements  = [{ actions = ["kms:GetPublicKey"], resources = var.token_keys }]
    }
  }

  escalate = [{
    actions   = ["cognito-identity:GetOpenIdTokenForDeveloperIdentity"]
    resources = [module.identity_pool.arn]
  }]

  keep_users = [{
    actions   = ["cognito-idp:AdminCreateUser", "cognito-idp:AdminSetUserPassword"]
    resources = [module.user_pool.arn]
  }]

  settle_users = [{
    actions   = ["cognito-idp:AdminDeleteUser", "cognito-idp:AdminUpdateUserAttributes"]
    resources = [module.user_pool.arn]
  }]
}
