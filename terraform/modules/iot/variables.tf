variable "stack" {
  description = "The stack's facts: its name, whether it is for development, where it stands, what bounds its roles, and the topic of its alarms."
  type = object({
    name        = string
    development = bool
    region      = string
    account_id  = string
    boundary    = string
    partition   = string
    alarms      = string
  })
}

variable "topics" {
  description = "The device topics by name, with `{stack}` and `{thing}` in them; names that end in `_accepted` or `_rejected` are answers to the device."
  type        = map(string)
}

variable "hook_arn" {
  description = "The function that decides whether a device may claim its certificate."
  type        = string
}

variable "rules" {
  description = "Which topic, by its name in `topics`, each rule hands on; a rule's name is of `[a-z_]`."
  type        = map(string)

  validation {
    condition     = alltrue([for name, _ in var.rules : can(regex("^[a-z]+(_[a-z]+)*$", name))])
    error_message = "IoT rule names have no hyphens: use words of a to z joined by underscores."
  }
}

variable "rule_functions" {
  description = "The function behind each rule; apart from `rules`, since the functions' permissions name the rules."
  type        = map(string)
}
