# Manifests, provisioning, registration by serial number and what devices are told.

module "devices" {
  source = "./modules/service"
  stack  = local.stack
  name   = "devices"
  code   = local.code["devices"]

  messaging = local.messaging
  environment = merge(local.environment, {
    TABLE     = module.devices_table.name
    TOPIC_ARN = module.devices_topic.arn
  })

  functions = {
    manifests = {
      environment = local.for_partner["supplier"].environment
      statements  = concat(module.devices_table.statements.own, local.for_partner["supplier"].statements)
      timeout     = 29
      memory      = 1024
    }
    devices = {
      environment = local.for_households.environment
      statements = concat(
        module.devices_table.statements.own,
        local.for_households.statements,
        local.activate_certificates,
        local.shadows,
      )
    }
    verify-provisioning = {
      asked_by   = { "iot.amazonaws.com" = module.iot.template_arn }
      statements = module.devices_table.statements.own
      timeout    = 5 # AWS IoT waits five seconds
      memory     = 1024
    }
    answer-credit = {
      called_by  = { "iot.amazonaws.com" = module.iot.rule_arns["answer_credit"] }
      statements = concat(module.devices_table.statements.own, local.answer_devices)
    }
    apply-credit = {
      consumes = {
        topic_arn = module.ledger_topic.arn
        types     = ["ledger.credit-changed.v1"]
      }
      statements = concat(module.devices_table.statements.own, local.shadows)
    }
    publish-outbox = {
      publishes = { stream_arn = module.devices_table.stream_arn }
      every     = local.sweep
      timeout   = 60
      statements = concat(
        module.devices_table.statements.outbox,
        module.devices_topic.statements.publish,
      )
    }
  }
}

module "devices_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "devices"
  stream = "NEW_IMAGE"

  indexes = local.outbox_index
}

module "devices_topic" {
  source  = "./modules/topic"
  stack   = local.stack
  service = "devices"
}

module "iot" {
  source         = "./modules/iot"
  stack          = local.stack
  topics         = local.mqtt.topics
  hook_arn       = module.devices.functions["devices/verify-provisioning"].alias_arn
  rules          = { answer_credit = "credit_get" }
  rule_functions = { answer_credit = module.devices.functions["devices/answer-credit"].alias_arn }
}

data "aws_iot_endpoint" "data" {
  endpoint_type = "iot:Data-ATS"
}

locals {
  mqtt = jsondecode(file("${path.module}/../contracts/mqtt.json"))
  iot  = "arn:${local.stack.partition}:iot:${var.region}:${local.stack.account_id}"

  activate_certificates = [{
    actions   = ["iot:UpdateCertificate"]
    resources = ["${local.iot}:cert/*"] # a certificate's name is made by AWS when the device asks for it
  }]

  shadows = [{
    actions   = ["iot:GetThingShadow", "iot:UpdateThingShadow"]
    resources = ["${local.iot}:thing/${var.stack}-*"]
  }]

  answer_devices = [{
    actions = ["iot:Publish"]
    resources = [
      for name, topic in local.mqtt.topics :
      "${local.iot}:topic/${replace(replace(topic, "{stack}", var.stack), "{thing}", "${var.stack}-*")}"
      if startswith(name, "credit_get_")
    ]
  }]
}
