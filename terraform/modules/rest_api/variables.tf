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

variable "contract" {
  description = "The file that holds the OpenAPI document."
  type        = string
}

variable "without" {
  description = "Where the paths start that this stack does not serve."
  type        = list(string)
}

variable "unthrottled" {
  description = "Where the paths start whose callers are not held to the API's rate."
  type        = list(string)
}

variable "functions" {
  description = "The functions that the contract may name, by `<service>/<function>`."
  type = map(object({
    name      = string
    qualifier = string
  }))
}

variable "authorizer" {
  description = "The function, by `<service>/<function>`, that knows bearer tokens."
  type        = string
}

variable "api_keys" {
  description = "The callers with an API key, its identifier, and how often each may call: a second, in a burst, and a day."
  type = map(object({
    id = string
    limits = object({
      rate  = number
      burst = number
      quota = number
    })
  }))

  validation {
    condition     = alltrue(flatten([for key in var.api_keys : [for limit in values(key.limits) : limit >= 1]]))
    error_message = "Who has an API key may call at least once: give a rate, a burst and a quota of 1 or more."
  }
}

variable "web_acl_arn" {
  description = "The firewall before the API; null for none."
  type        = string
  default     = null
}

variable "base_url" {
  description = "What the API's address is made from; null for the one AWS gives it."
  type        = string
  default     = null
}
