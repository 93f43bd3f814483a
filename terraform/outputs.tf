output "access" {
  description = "What a caller, a device or a person needs to know to use the stack; secrets are named, not shown."
  value = {
    stack                 = var.stack
    branch                = var.branch
    region                = var.region
    api_url               = module.api.url
    api_id                = module.api.id
    stage                 = module.api.stage
    identity_pool_id      = module.identity_pool.id
    user_pool_id          = module.user_pool.id
    user_pool_client_id   = module.user_pool.client_id
    mqtt                  = { host = data.aws_iot_endpoint.data.endpoint_address, port = 8883 }
    provisioning_template = module.iot.template
    partners              = { for name, partner in module.partner : name => { secret_arn = partner.secret_arn } }
    outbound              = { for name, partner in module.called_partner : name => { secret_arn = partner.secret_arn, url = local.partner_facts[name].url } }
    mocks                 = one([for name in local.mocks : { bucket = module.mocks_bucket[name].name, table = module.mocks_table[name].name }])
    alarms_topic_arn      = aws_sns_topic.alarms.arn
    alarm_address         = var.alarm_address
    webhook_secret_arn    = local.webhook_secret_arn
    delay_scale           = var.delay_scale
    queues                = { for name, full in local.failing : name => { holds = local.failures[name], queue_url = "${local.stack.queue_urls}/${full}", dead_queue_url = "${local.stack.queue_urls}/${full}-dead" } }
    claim_secret_arn      = module.iot.claim_secret_arn
    mail_sender           = var.mail_sender
    endpoint_url          = one(var.embedded[*].endpoint_url)
  }
}

output "releases" {
  description = "The versions published last, by service and function: where the release after an apply points the aliases."
  value = {
    identity      = module.identity.versions
    devices       = module.devices.versions
    payments      = module.payments.versions
    ledger        = module.ledger.versions
    notifications = module.notifications.versions
    partners      = merge(module.partners.versions, values(module.mocks)[*].versions...)
    operations    = module.operations.versions
  }
}

output "created_at" {
  description = "When the stack was first deployed; the next deploy gives it again."
  value       = var.created_at
}

output "expires_at" {
  description = "After when the stack may be removed."
  value       = var.expires_at
}

output "stage" {
  description = "Of which stage the stack is; the next deploy keeps it."
  value       = var.stage
}

output "architecture" {
  description = "Which processors the functions run on; the next deploy keeps it."
  value       = var.architecture
}

output "alarm_address" {
  description = "Where alarms are mailed to; the next deploy keeps it."
  value       = var.alarm_address
}

output "delay_scale" {
  description = "By how much delays are multiplied; the next deploy keeps it."
  value       = var.delay_scale
}

output "roles" {
  description = "Whether a `function` or a `service` has a role of its own; the next deploy keeps it."
  value       = var.roles
}

output "partner_urls" {
  description = "Where third parties themselves are reached; the next deploy keeps it."
  value       = var.partner_urls
}

output "secrets" {
  description = "What the account gives the stack, by the ARNs of its secrets."
  value       = var.secrets
}
