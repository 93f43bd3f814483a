variable "stack" {
  description = "The stack's facts: its name, whether it is for development, where it stands, and the topic of its alarms."
  type = object({
    name        = string
    development = bool
    region      = string
    account_id  = string
    partition   = string
    alarms      = string
  })
}

variable "name" {
  description = "The failure queue's name after the stack's, without its ending: `<service>-<function>`."
  type        = string
}

variable "function_arn" {
  description = "The live alias of the function that publishes."
  type        = string
}

variable "stream_arn" {
  description = "The stream of the table that holds the outbox."
  type        = string
}
