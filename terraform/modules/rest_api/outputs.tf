output "id" {
  description = "The API."
  value       = aws_api_gateway_rest_api.this.id
}

output "stage" {
  description = "The API's one stage."
  value       = local.stage
}

output "url" {
  description = "The address that the contract's paths are appended to; known before any function is."
  value       = local.url
}

output "operations" {
  description = "The operations by operationId: the function that answers it, how it is secured, and the ARN by which a role may be allowed to invoke it."
  value = {
    for id, operation in local.operations : id => {
      function = operation.function
      security = flatten([for requirement in operation.security : keys(requirement)])
      arn      = "${local.execution_arn}/${local.stage}/${operation.route}"
    }
  }
}
