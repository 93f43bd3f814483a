variable "stack" {
  description = "The stack's facts: its name, whether it is for development, where it stands, how long its delays are and the topic of its alarms."
  type = object({
    name        = string
    development = bool
    region      = string
    account_id  = string
    partition   = string
    alarms      = string
    delay_scale = number
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

variable "batch_size" {
  description = "How many messages the function is given at once."
  type        = number
  default     = 10

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10
    error_message = "A batch is of 1 to 10 messages: for more, SQS makes each wait for the others."
  }
}

variable "concurrency" {
  description = "How many batches are worked on at once; null for as many as the account allows."
  type        = number
  default     = null
  nullable    = true

  validation {
    condition     = var.concurrency == null || try(var.concurrency >= 2 && var.concurrency <= 1000, false)
    error_message = "A consumer's concurrency is 2 at least, which Lambda asks for, and 1,000 at most."
  }
}
