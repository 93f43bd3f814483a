# E-mails to households.

module "notifications" {
  source = "./modules/service"
  stack  = local.stack
  name   = "notifications"
  code   = local.code["notifications"]

  messaging = local.messaging
  environment = merge(local.environment, {
    TABLE       = module.notifications_table.name
    MAIL_SENDER = var.mail_sender
  })

  functions = {
    keep-contacts = {
      consumes = {
        topic_arn = module.identity_topic.arn
        types     = ["identity.household-registered.v1"]
      }
      statements = module.notifications_table.statements.own
    }
    mail-payments = {
      consumes = {
        topic_arn = module.ledger_topic.arn
        types     = ["ledger.credit-changed.v1"]
      }
      environment = local.once.environment
      statements = concat(
        module.notifications_table.statements.own,
        local.once.statements,
        local.send_mail,
      )
    }
  }
}

module "notifications_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "notifications"
}

locals {
  send_mail = [{
    actions   = ["ses:SendEmail"]
    resources = ["arn:${local.stack.partition}:ses:${var.region}:${local.stack.account_id}:identity/${var.mail_sender}"]
  }]
}
