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

variable "embedded" {
  description = "Where the embedded cloud is reached; null on AWS. The provider itself reads AWS_ENDPOINT_URL."
  type = object({
    endpoint_url = string
  })
  default = null
}
