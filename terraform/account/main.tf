# What an account has once, not once a stack. The bucket of Terraform's state is not here: this state lies in it too, so
# it is made before the first `terraform init`.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # Bucket, key and region are given when the account is initialised.
  backend "s3" {}
}

provider "aws" {
  region            = var.region
  s3_use_path_style = var.embedded != null

  default_tags {
    tags = {
      Project   = "paygo"
      Owner     = var.owner
      ManagedBy = "terraform"
    }
  }
}

