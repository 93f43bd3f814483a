# The one HTTPS API, as contracts/openapi.yaml has it; which function answers what is written there.

module "api" {
  source      = "./modules/rest_api"
  stack       = local.stack
  contract    = "${path.module}/../contracts/openapi.yaml"
  without     = local.stack.development ? [] : ["/mocks/"]
  unthrottled = ["/mocks/"]
  base_url    = one([for embedded in var.embedded[*] : "${embedded.endpoint_url}/_aws/execute-api"])
  web_acl_arn = var.web_acl_arn
  functions   = local.functions
  authorizer  = "identity/authorizer"
  api_keys    = { for name, partner in module.partner : name => { id = partner.api_key_id, limits = local.partners[name].limits } }
}

locals {
  # The mocks by their key: who names a module as a whole waits for all that is in it.
  functions = merge(
    module.identity.functions,
    module.devices.functions,
    module.payments.functions,
    module.ledger.functions,
    module.notifications.functions,
    module.partners.functions,
    module.operations.functions,
    [for _ in local.mocks : module.mocks["mocks"].functions]...
  )
}
