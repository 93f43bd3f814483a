# What the services share: the layer with the `paygo` package, the table of things that happen once, and what messages need.

resource "aws_lambda_layer_version" "shared" {
  layer_name               = "${var.stack}-shared"
  description              = "The paygo package and the locked wheels it needs."
  s3_bucket                = var.artefact_bucket
  s3_key                   = var.artefacts["layer"]
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = [var.architecture]
}

# Only functions that verify tokens have it: it is as large as the other.
resource "aws_lambda_layer_version" "tokens" {
  layer_name               = "${var.stack}-tokens"
  description              = "The locked wheels that verifying JSON Web Tokens needs."
  s3_bucket                = var.artefact_bucket
  s3_key                   = var.artefacts["layer-tokens"]
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = [var.architecture]
}

# Idempotency keys, the nonces of signed requests and the first uses of credentials.
module "idempotency_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "idempotency"
  key    = ["pk"]
}

# What each failed try to handle a message said.
module "attempts_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "attempts"
}

# Events too large for a message, which then says where they are.
module "payloads_bucket" {
  source = "./modules/bucket"
  stack  = local.stack
  name   = "payloads"
  days   = 30
}

locals {
  messaging = {
    consumer = {
      environment = {
        ATTEMPTS_TABLE  = module.attempts_table.name
        PAYLOADS_BUCKET = module.payloads_bucket.name
      }
      statements = concat(module.attempts_table.statements.add, module.payloads_bucket.statements.read)
    }
    publisher = {
      environment = { PAYLOADS_BUCKET = module.payloads_bucket.name }
      statements  = module.payloads_bucket.statements.write
    }
  }

  # A table with an outbox has an index of what is unpublished, in shards; a sweeper publishes what its stream did not.
  outbox_index = { unpublished = ["unpublished", "unpublished_since"] }
  sweep        = { rate = "rate(5 minutes)", input = { action = "sweep" } }

  # What must happen once is remembered by its key.
  once = {
    environment = { IDEMPOTENCY_TABLE = module.idempotency_table.name }
    statements  = module.idempotency_table.statements.once
  }

  # A function on the households' routes reads the caller's session and notes the first use of its credentials.
  for_households = {
    environment = merge(local.once.environment, { SESSIONS_TABLE = module.sessions_table.name })
    statements  = concat(local.once.statements, module.sessions_table.statements.read)
  }

  # A function behind a third party's route reads its secret and remembers nonces.
  for_partner = {
    for name, partner in module.partner : name => {
      environment = merge(local.once.environment, { PARTNER_SECRET_ARN = partner.secret_arn })
      statements  = concat(local.once.statements, partner.statements.read)
    }
  }
}
