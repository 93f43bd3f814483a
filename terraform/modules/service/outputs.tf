output "functions" {
  description = "The functions by `<service>/<name>`: what to call, the name that permissions go by, and where it logs."
  value = {
    for name, alias in aws_lambda_alias.live : "${var.name}/${name}" => {
      alias_arn = alias.arn
      name      = alias.function_name
      qualifier = alias.name
      log_group = aws_cloudwatch_log_group.this[name].name
    }
  }

  # Who is handed a function to call must find its permission.
  depends_on = [aws_lambda_permission.this]
}

output "versions" {
  description = "The version of each function that was published last, by the function's full name."
  value       = { for name, function in aws_lambda_function.this : local.names[name] => function.version }
}

output "failures" {
  description = "The functions with a dead-letter queue by `<service>/<name>`, and what the queue holds: messages of a `queue`, calls of a `function`, or notes on records of a `stream`."
  value = merge(
    { for name, _ in local.unattended : "${var.name}/${name}" => "function" },
    { for name, _ in local.publishers : "${var.name}/${name}" => "stream" },
    { for name, _ in local.consumers : "${var.name}/${name}" => "queue" },
  )
}

output "dead_queue_arns" {
  description = "Those queues, by the same names; whoever reads them waits for them to exist."
  value       = { for name, arn in local.dead_queues : "${var.name}/${name}" => arn }
}
