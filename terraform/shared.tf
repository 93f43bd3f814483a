# What the services share: the layer with the `paygo` package, and the table of things that happen once.

resource "aws_lambda_layer_version" "shared" {
  layer_name               = "${var.stack}-shared"
  description              = "The paygo package and the locked wheels it needs."
  s3_bucket                = var.artefact_bucket
  s3_key                   = var.artefacts["layer"]
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = [var.architecture]
}

# Idempotency keys and the nonces of signed requests.
module "idempotency_table" {
  source = "./modules/table"
  stack  = local.stack
  name   = "idempotency"
  key    = ["pk"]
}

locals {
  # A function behind the API reads the caller's session and remembers idempotency keys.
  for_households = {
    environment = {
      SESSIONS_TABLE    = module.sessions_table.name
      IDEMPOTENCY_TABLE = module.idempotency_table.name
    }
    statements = concat(module.sessions_table.statements.read, module.idempotency_table.statements.once)
  }

  # A function behind a third party's route reads its secret and remembers nonces.
  for_partner = {
    for name, partner in module.partner : name => {
      environment = {
        PARTNER_SECRET_ARN = partner.secret_arn
        IDEMPOTENCY_TABLE  = module.idempotency_table.name
      }
      statements = concat(partner.statements.read, module.idempotency_table.statements.once)
    }
  }
}
