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
  description = "The operations by operationId: the function that answers it, how it is secured, whose session opens it, and the ARN by which a role may be allowed to invoke it."
  value = {
    for id, operation in local.operations : id => {
      function = operation.function
      security = flatten([for requirement in operation.security : keys(requirement)])
      callers  = operation.callers
      arn      = "${local.execution_arn}/${local.stage}/${operation.route}"
    }
  }
}

output "scope_routes" {
  description = "What bearer tokens open: for each kind of caller the scopes that it may have, and of each the routes as execute-api's ARNs name them."
  value = {
    for kind in ["anonymous", "household"] : kind => {
      for scope in distinct([for operation in values(local.by_token) : operation.scope if contains(operation.callers, kind)]) :
      scope => [for operation in values(local.by_token) : operation.route if operation.scope == scope && contains(operation.callers, kind)]
    }
  }
}
