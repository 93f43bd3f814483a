# Double-entry accounts, credit and statements.

module "ledger" {
  source = "./modules/service"
  stack  = local.stack
  name   = "ledger"
  code   = local.code["ledger"]

  messaging = local.messaging
  environment = merge(local.environment, {
    TABLE     = module.ledger_table.name
    TOPIC_ARN = module.ledger_topic.arn
  })

  functions = {
    accounts = {
      environment = local.for_households.environment
      statements  = concat(module.ledger_table.statements.own, local.for_households.statements)
    }
    open-accounts = {
      consumes = {
        topic_arn = module.devices_topic.arn
        types     = ["devices.device-activated.v1"]
      }
      statements = module.ledger_table.statements.own
    }
    book-payments = {
      consumes = {
        topic_arn = module.payments_topic.arn
        types     = ["payments.payment-confirmed.v1"]
      }
      statements = module.ledger_table.statements.own
    }
    publish-outbox = {
      publishes = { stream_arn = module.ledger_table.stream_arn }
      every     = local.sweep
      timeout   = 60
      statements = concat(
        module.ledger_table.statements.outbox,
        module.ledger_topic.statements.publish,
      )
    }
  }
}

module "ledger_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "ledger"
  stream = "NEW_IMAGE"

  indexes = local.outbox_index
}

module "ledger_topic" {
  source  = "./modules/topic"
  stack   = local.stack
  service = "ledger"
}
