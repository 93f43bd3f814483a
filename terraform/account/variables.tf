variable "region" {
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Give a region's name, like eu-west-1."
  }
}

variable "owner" {
  description = "Who answers for the account."
  type        = string

  validation {
    condition     = length(var.owner) > 0
    error_message = "Name who answers for the account."
  }
}

variable "artefact_bucket" {
  description = "The bucket that holds the built code."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.artefact_bucket))
    error_message = "A bucket's name has 3 to 63 characters of a to z, 0 to 9 and hyphens."
  }
}

variable "mail_sender" {
  description = "The address that e-mails come from."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", var.mail_sender))
    error_message = "The sender of e-mails is an e-mail address."
  }
}

variable "token_keys" {
  description = "The names of the keys of bearer tokens: the first signs, and what any of them signed is accepted."
  type        = list(string)
  default     = ["1"]

  validation {
    condition     = length(var.token_keys) > 0 && length(distinct(var.token_keys)) == length(var.token_keys)
    error_message = "Bearer tokens are signed by a key: name one at least, and each once."
  }
}

variable "firewall" {
  description = "Whether a firewall holds back addresses that open very many sessions."
  type        = bool
  default     = false
}

variable "partner_network" {
  description = "The network that reaches a partner's by VPN, null for none: its own CIDR, the partner's CIDR, and the partner's gateway with its BGP number."
  type = object({
    cidr                = string
    partner_cidr        = string
    customer_gateway_ip = string
    asn                 = number
  })
  default = null

  validation {
    condition = var.partner_network == null || alltrue([
      for cidr in [try(var.partner_network.cidr, ""), try(var.partner_network.partner_cidr, "")] : can(cidrsubnet(cidr, 1, 0))
    ])
    error_message = "Give both CIDRs with their lengths, like 10.20.0.0/24."
  }
  validation {
    condition     = var.partner_network == null || can(cidrnetmask("${try(var.partner_network.customer_gateway_ip, "")}/32"))
    error_message = "The partner's gateway is an IPv4 address."
  }
}

variable "alarm_address" {
  description = "The address that what the account says is mailed to; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_address == null || can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", var.alarm_address))
    error_message = "What the account says is mailed to an e-mail address."
  }
}

variable "budget" {
  description = "What the account may cost a month, in US dollars, before its inbox hears of it; null for no budget."
  type        = number
  default     = null

  validation {
    condition     = var.budget == null || try(var.budget > 0, false)
    error_message = "A budget is an amount of US dollars above 0."
  }
}

variable "oidc" {
  description = <<-EOT
    The CI that deploys, null for none: the `issuer` of its tokens and their `audience`; which `sub` a job of the `deployers` has, who
    bring up stacks for development, and one of the `releasers`, who bring up staging and production, each with `*` for what changes, or
    the ARN of the user or role that a CI without tokens has; and the `released_stacks`, by name, which no deployer touches.
  EOT
  type = object({
    issuer          = optional(string)
    audience        = optional(string)
    deployers       = optional(list(string), [])
    releasers       = optional(list(string), [])
    released_stacks = optional(list(string), [])
  })
  default = null

  validation {
    condition     = try(var.oidc.issuer, null) == null || can(regex("^https://[^/ ]+(/[^ ]*[^/ ])?$", var.oidc.issuer))
    error_message = "Tokens of a CI are issued by an https:// address that does not end in a slash."
  }
  validation {
    condition     = alltrue([for subject in concat(try(var.oidc.deployers, []), try(var.oidc.releasers, [])) : can(regex("^([^*?:/]+[:/][^*?:/]+[:/][^*?:/]+|arn:[^*?]+:iam::[0-9]{12}:(user|role)/[^*?]+$)", subject))])
    error_message = "A job's subject names whose repository it is and which before its first wildcard, like repo:example/paygo:ref:refs/heads/*."
  }
  validation {
    condition = (try(var.oidc.issuer, null) == null) == (try(var.oidc.audience, null) == null) && (try(var.oidc.issuer, null) != null || alltrue([
      for subject in concat(try(var.oidc.deployers, []), try(var.oidc.releasers, [])) : startswith(subject, "arn:")
    ]))
    error_message = "A job is known by a token: name who issues it and its audience, or give the ARN of the CI's own user."
  }
  validation {
    condition     = length(setintersection(try(var.oidc.deployers, []), try(var.oidc.releasers, []))) == 0
    error_message = "A job either deploys for development or releases: its subject stands in one list."
  }
  validation {
    condition     = alltrue([for stack in try(var.oidc.released_stacks, []) : can(regex("^paygo-[a-z0-9]+(-[a-z0-9]+)*$", stack))])
    error_message = "A released stack is called by its name, like paygo-main."
  }
}

variable "janitor_package" {
  description = "The S3 key of the janitor's built zip, named by content hash, in the bucket of states."
  type        = string

  validation {
    condition     = startswith(var.janitor_package, "account/janitor-")
    error_message = "The janitor's package is the object account/janitor-<hash>.zip."
  }
}

variable "janitor_applies" {
  description = "Whether the scheduled janitor removes what it finds; else it says what it would remove."
  type        = bool
  default     = false
}

variable "embedded" {
  description = "Where the embedded cloud is reached; null on AWS. The provider itself reads AWS_ENDPOINT_URL."
  type = object({
    endpoint_url = string
  })
  default = null
}
