variable "stack" {
  description = "The stack's name, made from its branch."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.stack)) && length(var.stack) <= 24
    error_message = "A stack's name is 24 characters at most, of a to z, 0 to 9 and single hyphens, and begins with a letter."
  }
}

variable "branch" {
  description = "The branch whose stack this is."
  type        = string

  validation {
    condition     = length(var.branch) > 0
    error_message = "Name the branch whose stack this is."
  }
}

variable "commit" {
  description = "The commit that is deployed."
  type        = string

  validation {
    condition     = length(var.commit) > 0
    error_message = "Name the commit that is deployed."
  }
}

variable "owner" {
  description = "Who answers for the stack."
  type        = string

  validation {
    condition     = length(var.owner) > 0
    error_message = "Name who answers for the stack."
  }
}

variable "created_at" {
  description = "When the stack was first deployed, RFC 3339; the same in every later deploy."
  type        = string

  validation {
    condition     = can(timeadd(var.created_at, "0s"))
    error_message = "Give the time of the first deploy as RFC 3339, like 2026-11-21T10:00:00Z."
  }
}

variable "expires_at" {
  description = "After when the stack may be removed, RFC 3339, or `never`."
  type        = string

  validation {
    condition     = var.expires_at == "never" || can(timeadd(var.expires_at, "0s"))
    error_message = "Give the time of expiry as RFC 3339, like 2026-11-28T10:00:00Z, or `never`."
  }
}

variable "stage" {
  description = "What the stack is for: it decides on protection, retention and the mocks."
  type        = string

  validation {
    condition     = contains(["development", "staging", "production"], var.stage)
    error_message = "A stack is for development, staging or production."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Give a region's name, like eu-west-1."
  }
}

variable "artefact_bucket" {
  description = "The account's bucket that holds the built code."
  type        = string

  validation {
    condition     = length(var.artefact_bucket) >= 3
    error_message = "Name the bucket that holds the built code."
  }
}

variable "artefacts" {
  description = "The S3 keys of the built zips: `layer` and each service, named by content hash."
  type        = map(string)

  validation {
    condition = alltrue([
      for name in ["layer", "identity", "devices", "payments", "ledger", "notifications", "partners"] : contains(keys(var.artefacts), name)
    ])
    error_message = "An artefact is missing: give the key of the layer's zip and of every service's."
  }
}

variable "architecture" {
  description = "The processors that the zips were built for."
  type        = string

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Functions run on arm64 or x86_64."
  }
}

variable "embedded" {
  description = "Where the embedded cloud is reached; null on AWS. The provider itself reads AWS_ENDPOINT_URL."
  type = object({
    endpoint_url = string
  })
  default = null

  validation {
    condition     = var.embedded == null || can(regex("^https?://[^/]+$", var.embedded.endpoint_url))
    error_message = "Give the embedded cloud's address without a path, like http://127.0.0.1:4566."
  }
}

variable "mail_sender" {
  description = "The address that e-mails come from; SES knows it in this account."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", var.mail_sender))
    error_message = "The sender of e-mails is an e-mail address."
  }
}

variable "bureau_url" {
  description = "Where the identity bureau is reached; null for its mock in the stack, which production has not."
  type        = string
  default     = null

  validation {
    condition     = var.stage != "production" || can(regex("^https://", var.bureau_url))
    error_message = "Production has no mock of the identity bureau: give the bureau's https:// address."
  }
}
