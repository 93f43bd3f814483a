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
  description = "The queue's name after the stack's: `<service>-<function>`."
  type        = string
}

variable "function_arn" {
  description = "The live alias of the function that works the queue off."
  type        = string
}

variable "function_timeout" {
  description = "That function's time-out in seconds; apart from its ARN, so that the queue need not wait for the function."
  type        = number
}

variable "subscription" {
  description = "The topic and the event types to take from it; null for a queue that a function of the same service fills."
  type = object({
    topic_arn = string
    types     = list(string)
  })
  nullable = true

  validation {
    condition     = var.subscription == null || length(try(var.subscription.types, [])) > 0
    error_message = "Name the event types the consumer takes: a subscription without any would take them all."
  }
}
