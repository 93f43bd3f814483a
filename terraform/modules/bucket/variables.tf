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
  description = "What is in the bucket, in one word of 8 letters at most: its name has 63 characters."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{1,8}$", var.name))
    error_message = "A bucket is named by one word of 8 letters at most: stack, account and region take the rest of 63."
  }
}

variable "days" {
  description = "After how many days an object goes."
  type        = number
}
