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
      environment = merge(local.for_sessions.environment, {
        SESSIONS_PER_ADDRESS = tostring(coalesce(var.sessions_per_address, local.stack.development ? 10000 : 100))
      })
      statements = concat(local.for_sessions.statements, module.sessions_table.statements.own)
    }
    sign-ins = {
      tokens = true
      environment = merge(local.for_sessions.environment, local.calling["bank"].environment, {
        USER_POOL_ID        = module.user_pool.id
        USER_POOL_CLIENT_ID = module.user_pool.client_id
      })
      statements = concat(
        local.for_sessions.statements,
        module.sessions_table.statements.change,
        local.calling["bank"].statements,
      )
      # A bank may be slow; API Gateway waits no longer.
      timeout = 29
    }
    sweep-sessions = {
      every       = { rate = "rate(5 minutes)" }
      environment = merge(local.once.environment, local.makes_identities)
      statements = concat(
        module.identity_table.statements.own,
        module.sessions_table.statements.own,
        module.sessions_table.statements.index["ending"],
        local.delete_identities,
      )
      timeout = 240
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
      # It reads whether credentials were used, and leaves it to the functions behind it to note that.
      statements = concat(
        module.sessions_table.statements.read,
        module.idempotency_table.statements.read,
        local.for_tokens.verify.statements,
      )
      timeout = 10
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
      statements  = concat(module.identity_table.statements.own, local.once.statements, local.send_mail)
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

  # Sessions by when they end, in shards; counts of addresses are not in it.
  indexes = { ending = ["ending", "ends_at"] }
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

  makes_identities = {
    IDENTITY_POOL_ID   = module.identity_pool.id
    DEVELOPER_PROVIDER = module.identity_pool.developer_provider
  }

  # Who changes sessions: each change is written together with the event that tells of it and the household's membership,
  # and fetching again is forbidden by the mark of the first use.
  for_sessions = {
    environment = merge(local.once.environment, local.for_tokens.make.environment, local.makes_identities)
    statements = concat(
      module.identity_table.statements.own,
      local.once.statements,
      module.idempotency_table.statements.check,
      local.for_tokens.make.statements,
      local.escalate,
    )
  }

  escalate = [{
    actions   = ["cognito-identity:GetOpenIdTokenForDeveloperIdentity"]
    resources = [module.identity_pool.arn]
  }]

  # `*`, for this action knows no resources: an identity belongs to the pool, but is none that IAM can name.
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncognitoidentity.html
  delete_identities = [{
    actions   = ["cognito-identity:DeleteIdentities"]
    resources = ["*"]
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
