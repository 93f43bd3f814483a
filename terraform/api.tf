# The one HTTPS API, as contracts/openapi.yaml has it; which function answers what is written there.

module "api" {
  source    = "./modules/rest_api"
  stack     = local.stack
  contract  = "${path.module}/../contracts/openapi.yaml"
  without   = var.stage == "production" ? ["/mocks/"] : []
  base_url  = one([for embedded in var.embedded[*] : "${embedded.endpoint_url}/_aws/execute-api"])
  functions = local.functions
  api_keys  = merge({ for name, partner in module.partner : name => partner.api_key_id }, local.bureau_key)
}

# The third parties that call us, each on its own routes.
module "partner" {
  source   = "./modules/partner"
  for_each = toset(["supplier", "identity-bureau", "mobile-money"])

  stack = local.stack
  name  = each.key
}

locals {
  functions = merge(
    module.identity.functions,
    module.devices.functions,
    module.payments.functions,
    module.ledger.functions,
    module.notifications.functions,
    [for mocks in module.partners : mocks.functions]...
  )
}
