variable "stack" {
  description = "The stack's facts: its name, whether it is for development, what has a role of its own, where it stands, what bounds its roles, what its queues' URLs start with, how long its delays are and the topic of its alarms."
  type = object({
    name        = string
    development = bool
    roles       = string
    region      = string
    account_id  = string
    boundary    = string
    partition   = string
    queue_urls  = string
    alarms      = string
    delay_scale = number
  })
}

variable "name" {
  description = "The service: its folder in lambdas/ and its Python package."
  type        = string
}

variable "shared_role" {
  description = "What a role is called that the functions share; the service's name, unless another module has that."
  type        = string
  default     = null
}

variable "code" {
  description = "Where the code is: the artefact bucket, the service's zip in it, the layers beside it and the processors they were built for."
  type = object({
    bucket       = string
    key          = string
    layers       = object({ shared = string, tokens = string })
    architecture = string
  })
}

variable "environment" {
  description = "What every function of the service is told."
  type        = map(string)
}

variable "messaging" {
  description = "What consuming and publishing take beside queues and topics: what each is told and may do."
  type = map(object({
    environment = map(string)
    statements = list(object({
      actions   = list(string)
      resources = list(string)
      condition = optional(map(map(list(string))))
    }))
  }))

  validation {
    condition     = toset(keys(var.messaging)) == toset(["consumer", "publisher"])
    error_message = "Say it for `consumer` and for `publisher`."
  }
}

variable "functions" {
  description = <<-EOT
    The functions by name; the handler is `<service>.handlers.<name>.handler`, with `_` for `-`. An entry says
    - `environment` and `statements`: what it is told and what it may do, beyond its own logs;
    - `tokens`: whether it verifies tokens, which takes a layer of its own;
    - `consumes`: the topic and the event types that its queue takes, or `{}` for a queue that `sends_to` fills; and, where the
      defaults do not do, the `batch_size` and how many batches are worked on at once, its `concurrency`;
    - `publishes`: the stream whose outbox items it publishes;
    - `sends_to`: environment variables that hold the queue of another function of this service;
    - `every`: at what rate it is called by the clock, and with what;
    - `called_by`: the AWS services that call it by ARN and do not wait, each with the one resource that may;
    - `asked_by`: those that wait for its answer;
    - `network`: the subnets and security groups that it runs in, null for what needs no network of ours.
    What fails where nobody waits for an answer goes to the queue `<stack>-<service>-<name>-dead`.
  EOT
  type = map(object({
    environment = optional(map(string), {})
    statements = optional(list(object({
      actions   = list(string)
      resources = list(string)
      condition = optional(map(map(list(string))))
    })), [])
    timeout = optional(number, 15)
    memory  = optional(number, 512)
    tokens  = optional(bool, false)
    consumes = optional(object({
      topic_arn = optional(string)
      types     = optional(list(string), [])

      batch_size  = optional(number, 10)
      concurrency = optional(number)
    }))
    publishes = optional(object({
      stream_arn = string
    }))
    sends_to = optional(map(string), {})
    every = optional(object({
      rate  = string
      input = optional(map(string), {})
    }))
    called_by = optional(map(string), {})
    asked_by  = optional(map(string), {})
    network = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
  }))

  validation {
    condition     = alltrue([for name, _ in var.functions : length(name) <= 23 && can(regex("^[a-z]+(-[a-z]+)*$", name))])
    error_message = "A function's name is words of a to z joined by hyphens, 23 characters at most: with stack and service it must fit in 64."
  }
  validation {
    condition     = alltrue(flatten([for f in var.functions : [for queue in f.sends_to : try(var.functions[queue].consumes != null, false)]]))
    error_message = "A function can only send to the queue of a function of this service that consumes one."
  }
}
