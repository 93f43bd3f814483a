# One stack. A file a service; api.tf is what the world calls; modules/ are the reusable parts.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # Bucket, key and region are given when the stack is initialised: one key a stack.
  backend "s3" {}
}

provider "aws" {
  region            = var.region
  s3_use_path_style = var.embedded != null

  default_tags {
    tags = {
      Project   = "paygo"
      Stack     = var.stack
      Stage     = var.stage
      Branch    = var.branch
      Commit    = var.commit
      Owner     = var.owner
      CreatedAt = var.created_at
      ExpiresAt = var.expires_at
      ManagedBy = "terraform"
      Region    = var.region # roles have none of their own, and a branch may have a stack in two regions
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  # What every module must know of the stack.
  stack = {
    name        = var.stack
    development = var.stage == "development"
    roles       = var.roles
    region      = var.region
    account_id  = data.aws_caller_identity.current.account_id
    partition   = data.aws_partition.current.partition
    delay_scale = var.delay_scale
    boundary    = var.permissions_boundary
    alarms      = "arn:${data.aws_partition.current.partition}:sns:${var.region}:${data.aws_caller_identity.current.account_id}:${var.stack}-alarms"
    queue_urls  = "${coalesce(one(var.embedded[*].endpoint_url), "https://sqs.${var.region}.${data.aws_partition.current.dns_suffix}")}/${data.aws_caller_identity.current.account_id}"
  }

  services = ["identity", "devices", "payments", "ledger", "notifications", "partners", "operations"]

  code = {
    for service in local.services : service => {
      bucket       = var.artefact_bucket
      key          = var.artefacts[service]
      layers       = { shared = aws_lambda_layer_version.shared.arn, tokens = aws_lambda_layer_version.tokens.arn }
      architecture = var.architecture
    }
  }

  environment = {
    STACK                        = var.stack
    STAGE                        = var.stage
    LOG_LEVEL                    = "INFO"
    DELAY_SCALE                  = tostring(var.delay_scale)
    POWERTOOLS_METRICS_NAMESPACE = "Paygo"
    API_URL                      = module.api.url
  }
}
