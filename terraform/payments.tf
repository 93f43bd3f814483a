# What providers notify, matched to the devices it pays for.

module "payments" {
  source = "./modules/service"
  stack  = local.stack
  name   = "payments"
  code   = local.code["payments"]
  environment = merge(local.environment, {
    TABLE     = module.payments_table.name
    TOPIC_ARN = module.payments_topic.arn
  })

  functions = {
    mobile-money = {
      environment = local.for_partner["mobile-money"].environment
      statements  = concat(module.payments_table.statements.own, local.for_partner["mobile-money"].statements)
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
      statements = concat(
        module.payments_table.statements.stream,
        module.payments_table.statements.mark,
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
}

module "payments_topic" {
  source  = "./modules/topic"
  stack   = local.stack
  service = "payments"
}
