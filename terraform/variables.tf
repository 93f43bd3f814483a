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
  description = "The S3 keys of the built zips: `layer`, `layer-tokens` and each service, named by content hash."
  type        = map(string)

  validation {
    condition = alltrue([
      for name in concat(["layer", "layer-tokens"], local.services) : contains(keys(var.artefacts), name)
    ])
    error_message = "An artefact is missing: give the keys of the layers' zips and of every service's."
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

variable "alarm_address" {
  description = "The address that alarms and error reports are mailed to."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", var.alarm_address))
    error_message = "Alarms are mailed to an e-mail address."
  }
}

variable "delay_scale" {
  description = "By how much the stack's delays are multiplied; less than 1 lets a test live through an hour's outage in minutes."
  type        = number
  default     = 1

  validation {
    condition     = var.delay_scale > 0 && var.delay_scale <= 1
    error_message = "Delays can be kept (1) or shortened: give a number above 0 and up to 1."
  }
  validation {
    condition     = var.delay_scale == 1 || var.stage == "development"
    error_message = "Only a stack for development shortens its delays: real partners need time to recover."
  }
}

variable "roles" {
  description = "What has a role of its own, a `function` or a `service`: an account has room for more stacks of the second sort."
  type        = string
  default     = "function"

  validation {
    condition     = contains(["function", "service"], var.roles)
    error_message = "Either every function has a role of its own, or every service."
  }
  validation {
    condition     = var.roles == "function" || var.stage == "development"
    error_message = "Only a stack for development lets a service's functions share a role: elsewhere each may do what it needs and no more."
  }
}

variable "sessions_per_address" {
  description = "How many sessions an address may open in ten minutes; null for 100, or 10000 in development, where tests come from one address."
  type        = number
  default     = null

  validation {
    condition     = var.sessions_per_address == null || try(var.sessions_per_address >= 1 && floor(var.sessions_per_address) == var.sessions_per_address, false)
    error_message = "An address may open a whole number of sessions, and at least one."
  }
}

variable "partner_urls" {
  description = "Where third parties themselves are reached, by name; a stack for development has none, for its mock plays them all."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for url in values(var.partner_urls) : can(regex("^https://[^/ ]+(/[^ ]*[^/ ])?$", url))])
    error_message = "A partner is reached by https://, and its address does not end in a slash."
  }
  validation {
    condition     = alltrue([for name in keys(var.partner_urls) : try(local.partners[name].called, false)])
    error_message = "Of a partner that is not called no address is needed: terraform/partners.tf lists those that are."
  }
  validation {
    condition     = length(var.partner_urls) == 0 || var.stage != "development"
    error_message = "A stack for development never calls a third party: leave the addresses out, or deploy it as staging."
  }
  validation {
    condition = var.stage == "development" || alltrue([
      for name, partner in local.partners : contains(keys(var.partner_urls), name) if try(partner.called, false)
    ])
    error_message = "Outside development there is no mock: give the https:// address of every partner that is called."
  }
  validation {
    condition     = !anytrue([for url in values(var.partner_urls) : can(regex("[.]execute-api[.][^/]+/([^/]+/)?mocks(/|$)", url))])
    error_message = "That is the address of a stack's mock: give the partner's own."
  }
}

variable "secrets" {
  description = "What the account gives a stack outside development, by the ARNs of its secrets: `outbound/<name>`, what a partner is shown, and `operations/webhook`."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]+:secret:paygo/${var.stage}/[^*?]+$", arn))])
    error_message = "A stack is given the secrets of its own stage, by their whole ARNs."
  }
  validation {
    condition     = length(setsubtract(toset([for name in keys(var.partner_urls) : "outbound/${name}"]), keys(var.secrets))) == 0
    error_message = "A partner itself takes only the credential that it gave us: put it into the account's secret for this stage."
  }
}

variable "permissions_boundary" {
  description = "The account's policy that bounds what a stack's roles may ever do, by its ARN; null where it has none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[^:]+:iam::[0-9]+:policy/", var.permissions_boundary))
    error_message = "A permissions boundary is a policy of IAM, by its ARN."
  }
}

variable "token_keys" {
  description = "The account's KMS keys of bearer tokens, by their ARNs: the first signs, and what any of them signed is accepted."
  type        = list(string)

  validation {
    condition     = length(var.token_keys) > 0 && alltrue([for arn in var.token_keys : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]+:key/[-0-9a-zA-Z]+$", arn))])
    error_message = "Bearer tokens are signed by a key of KMS, named by its ARN: there has to be one."
  }
}

variable "web_acl_arn" {
  description = "The account's firewall, which stands before the API; null where it has none."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex(":wafv2:[^:]+:[0-9]+:regional/webacl/", var.web_acl_arn))
    error_message = "The firewall of an API is a regional web ACL of WAF, by its ARN."
  }
}

variable "partner_network" {
  description = "The account's network that reaches a partner's own, for the proxy function; null where it has none."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}
