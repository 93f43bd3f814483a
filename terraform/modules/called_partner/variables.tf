variable "stack" {
  description = "The stack's facts: its name, whether it is for development, and where it stands."
  type = object({
    name        = string
    development = bool
    region      = string
    account_id  = string
    partition   = string
  })
}

variable "name" {
  description = "The third party, as its folder in contracts/partners is named."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)*$", var.name))
    error_message = "A partner's name is words of a to z joined by hyphens, as in its routes."
  }
}

variable "secret_arn" {
  description = "The account's secret with the third party's own credential; null where the mock plays it and takes one of our making."
  type        = string
  nullable    = true
}
