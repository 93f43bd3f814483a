variable "stack" {
  description = "The stack's facts: its name, whether it is for development, where it stands and what bounds its roles."
  type = object({
    name        = string
    development = bool
    region      = string
    account_id  = string
    boundary    = string
    partition   = string
  })
}

variable "invocable" {
  description = "The ARNs of the API's routes that each kind of identity may invoke."
  type = object({
    unauthenticated = list(string)
    authenticated   = list(string)
  })

  validation {
    condition     = alltrue([for arns in values(var.invocable) : length(arns) > 0])
    error_message = "An identity that may invoke nothing needs no role: name the routes of both kinds."
  }
}
