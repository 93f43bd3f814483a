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
  description = "The table's name after the stack's: the service, or what the table holds."
  type        = string
}

variable "key" {
  description = "The key's attributes, all strings: the partition key and, if there is one, the sort key."
  type        = list(string)
  default     = ["pk", "sk"]

  validation {
    condition     = contains([1, 2], length(var.key))
    error_message = "A key has a partition attribute and at most a sort attribute."
  }
}

variable "indexes" {
  description = "The table's other keys by the index's name, all strings; an item without them is not in the index."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for key in values(var.indexes) : contains([1, 2], length(key))])
    error_message = "An index's key has a partition attribute and at most a sort attribute."
  }
}

variable "stream" {
  description = "What the table's stream carries; a table with an outbox streams NEW_IMAGE."
  type        = string
  default     = null
  nullable    = true
}
