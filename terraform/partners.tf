# Third parties: who they are, what calls them, and their stand-ins, which only a stack for development has.

locals {
  # The one list. A partner that `calls_us` has an API key, signs, and has limits: calls a second, in a burst and a day;
  # one that is `called` has a contract in contracts/partners, and with a `network` of its own it is called through the proxy;
  # a `checker` says who somebody is; a `provider` takes households' money.
  partners = {
    supplier        = { calls_us = true, limits = { rate = 2, burst = 10, quota = 2000 } }
    identity-bureau = { calls_us = true, limits = { rate = 50, burst = 100, quota = 200000 }, called = true, checker = true }
    bank            = { called = true, network = true, checker = true }
    crm             = { called = true }
    mobile-money    = { calls_us = true, limits = { rate = 50, burst = 100, quota = 1000000 }, called = true, provider = true }
    mobile-wallet   = { calls_us = true, limits = { rate = 50, burst = 100, quota = 1000000 }, called = true, provider = true }
  }

  calling_us = toset([for name, partner in local.partners : name if try(partner.calls_us, false)])
  called     = toset([for name, partner in local.partners : name if try(partner.called, false)])
  proxied    = toset([for name, partner in local.partners : name if try(partner.network, false)])
  checkers   = toset([for name, partner in local.partners : name if try(partner.checker, false)])
  providers  = toset([for name, partner in local.partners : name if try(partner.provider, false)])

  partner_contracts = { for name in local.called : name => yamldecode(file("${path.module}/../contracts/partners/${name}/openapi.yaml")) }

  # What a function is told of a partner.
  partner_facts = {
    for name in local.called : name => merge(
      {
        url              = try(var.partner_urls[name], "${module.api.url}/mocks/${name}")
        secret_arn       = module.called_partner[name].secret_arn
        calls_per_second = local.partner_contracts[name].info["x-paygo-calls-per-second"]
      },
      contains(local.proxied, name) ? { proxy = local.proxy } : {},
      contains(local.calling_us, name) ? { inbound_secret_arn = module.partner[name].secret_arn } : {},
    )
  }

  # By its name: what calls it and what it is stand in one list.
  proxy = "${local.arns.functions}:${var.stack}-partners-proxy:live"

  # A function that calls a partner, or any of the checkers or providers: it reads the credentials and shares the partner's
  # rate, and whether it answers at all, with the stack's other workers.
  calling = {
    for who, names in merge({ for name in local.called : name => [name] }, { checkers = local.checkers, providers = local.providers }) : who => {
      environment = {
        PARTNERS            = jsonencode({ for name in names : name => local.partner_facts[name] })
        PARTNER_CALLS_TABLE = module.partner_calls_table.name
      }
      statements = concat(
        module.partner_calls_table.statements.once,
        flatten([for name in names : module.called_partner[name].statements.read]),
        length(setintersection(names, local.proxied)) > 0 ? local.ask_proxy : [],
      )
    }
  }

  ask_proxy = [{
    actions   = ["lambda:InvokeFunction"]
    resources = [local.proxy]
  }]
}

# The third parties that call us, each on its own routes.
module "partner" {
  source   = "./modules/partner"
  for_each = local.calling_us

  stack = local.stack
  name  = each.key
}

# The third parties that we call.
module "called_partner" {
  source   = "./modules/called_partner"
  for_each = local.called

  stack      = local.stack
  name       = each.key
  secret_arn = lookup(var.secrets, "outbound/${each.key}", null)
}

# Each partner's circuit breaker and token bucket.
module "partner_calls_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "partner-calls"
  key    = ["pk"]
}

module "partners" {
  source      = "./modules/service"
  stack       = local.stack
  name        = "partners"
  code        = local.code["partners"]
  environment = local.environment
  messaging   = local.messaging

  functions = {
    feed-crm = {
      consumes = {
        topic_arn = module.devices_topic.arn
        types     = ["devices.device-activated.v1"]

        concurrency = 10
      }
      environment = local.calling["crm"].environment
      statements  = local.calling["crm"].statements
      timeout     = 30
    }
    # The one function that others invoke directly. It has no credential of its own, and forwards only what is listed here.
    proxy = {
      environment = {
        PROXIED = jsonencode({
          for name in local.proxied : name => {
            url = local.partner_facts[name].url
            operations = flatten([
              for path, item in local.partner_contracts[name].paths : [
                for method in setintersection(keys(item), ["get", "put", "post", "patch", "delete"]) : "${upper(method)} ${path}"
              ]
            ])
          }
        })
      }
      network = var.partner_network
    }
  }
}

locals {
  # The stand-ins know every partner's credential, ours with it and its own with us.
  played = {
    environment = { PARTNERS = jsonencode(local.partner_facts) }
    statements = concat(
      flatten([for name in local.called : module.called_partner[name].statements.read]),
      flatten([for name in setintersection(local.called, local.calling_us) : module.partner[name].statements.read]),
    )
  }

  mocks = local.stack.development ? toset(["mocks"]) : toset([])
}

module "mocks" {
  source   = "./modules/service"
  for_each = local.mocks

  stack       = local.stack
  name        = "partners"
  shared_role = "mocks"
  code        = local.code["partners"]
  environment = local.environment
  messaging   = local.messaging

  functions = {
    mock = {
      environment = merge(local.played.environment, {
        TABLE        = module.mocks_table[each.key].name
        MOCKS_BUCKET = module.mocks_bucket[each.key].name
      })
      statements = concat(
        local.played.statements,
        module.mocks_table[each.key].statements.own,
        module.mocks_bucket[each.key].statements.find,
      )
      sends_to = { CALLBACKS_QUEUE_URL = "mock-callbacks" }
      timeout  = 29
    }
    mock-callbacks = {
      consumes    = {}
      environment = local.played.environment
      statements  = local.played.statements
    }
  }
}

# What the mocks were asked, and how far they are in a sequence of answers.
module "mocks_table" {
  source   = "./modules/table"
  for_each = local.mocks

  stack = local.stack
  name  = "mocks"
}

# What tests want the mocks to answer.
module "mocks_bucket" {
  source   = "./modules/bucket"
  for_each = local.mocks

  stack = local.stack
  name  = "mocks"
  days  = 30
}
