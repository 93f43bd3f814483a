# Stand-ins of third parties, absent from production as their routes are.

module "partners" {
  source   = "./modules/service"
  for_each = var.stage == "production" ? toset([]) : toset(["mocks"])

  stack       = local.stack
  name        = "partners"
  code        = local.code["partners"]
  environment = local.environment

  functions = {
    bureau = {
      sends_to = { ANSWERS_QUEUE_URL = "bureau-answers" }
    }
    bureau-answers = {
      consumes    = {}
      environment = { BUREAU_SECRET_ARN = module.partner["identity-bureau"].secret_arn }
      statements  = module.partner["identity-bureau"].statements.read
    }
  }
}
