# What households are asked for and what providers notify, matched to the devices it pays for.

module "payments" {
  source = "./modules/service"
  stack  = local.stack
  name   = "payments"
  code   = local.code["payments"]

  messaging = local.messaging
  environment = merge(local.environment, {
    TABLE     = module.payments_table.name
    TOPIC_ARN = module.payments_topic.arn
  })

  functions = {
    notifications = {
      environment = merge(local.once.environment, { PARTNERS = local.calling["providers"].environment.PARTNERS })
      statements = concat(
        module.payments_table.statements.own,
        local.once.statements,
        flatten([for name in local.providers : module.partner[name].statements.read]),
      )
    }
    payment-requests = {
      environment = merge(
        local.for_households.environment,
        { PARTNERS = local.calling["providers"].environment.PARTNERS },
      )
      statements = concat(module.payments_table.statements.own, local.for_households.statements)
    }
    request-payments = {
      consumes = {
        topic_arn = module.payments_topic.arn
        types     = ["payments.payment-requested.v1"]

        concurrency = 10
      }
      environment = local.calling["providers"].environment
      statements  = concat(module.payments_table.statements.own, local.calling["providers"].statements)
      timeout     = 30
    }
    track-devices = {
      consumes = {
        topic_arn = module.devices_topic.arn
        types     = ["devices.device-activated.v1"]
      }
      statements = module.payments_table.statements.own
    }
    publish-outbox = {
      publishes = { stream_arn = module.payments_table.stream_arn }
      every     = local.sweep
      timeout   = 60
      statements = concat(
        module.payments_table.statements.outbox,
        module.payments_topic.statements.publish,
      )
    }
  }
}

module "payments_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "payments"
  stream = "NEW_IMAGE"

  indexes = local.outbox_index
}

module "payments_topic" {
  source  = "./modules/topic"
  stack   = local.stack
  service = "payments"
}
