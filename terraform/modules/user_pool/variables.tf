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

