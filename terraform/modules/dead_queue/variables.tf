variable "stack" {
  description = "The stack's facts: its name, whether it is for development, where it stands, and the topic of its alarms."
  type = object({
    name        = string
    development = bool
    region      = string
    account_id  = string
    partition   = string
    alarms      = string
    delay_scale = optional(number, 1)
  })
}

variable "name" {
  description = "What the queue takes the failures of, after the stack's name; the queue's name ends in `-dead`."
  type        = string
}

variable "alarm_description" {
  description = "What the person whom the alarm wakes should know and do."
  type        = string
}

variable "source_queue_arn" {
  description = "The queue that hands its failures over; null when they come from elsewhere."
  type        = string
  default     = null
}

variable "topic_arn" {
  description = "The topic whose messages for that queue come here when they cannot be delivered; null when there is none."
  type        = string
  default     = null
}
