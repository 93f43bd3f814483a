# The stack's one REST API, imported from the contract in one call.

locals {
  stage = "v"

  # Read by file, not by value, so that what a plan shows of the API is what the contract says.
  contract = yamldecode(file(var.contract))
  paths = {
    for path, item in local.contract.paths : path => item
    if !anytrue([for prefix in var.without : startswith(path, prefix)])
  }
  methods = ["get", "put", "post", "delete", "options", "head", "patch"]

  operations = merge([
    for path, item in local.paths : {
      for method, operation in item : operation.operationId => {
        path     = path
        method   = method
        function = operation["x-paygo-function"]
        security = operation.security
        callers  = try(operation["x-paygo-callers"], [])
        scope    = try(operation["x-paygo-scope"], null)
        parameters = [
          for parameter in concat(try(item.parameters, []), try(operation.parameters, [])) :
          try(local.contract.components.parameters[trimprefix(parameter["$ref"], "#/components/parameters/")], parameter)
        ]
        # As the paths of execute-api's ARNs stand: one `*` for each parameter.
        route = "${upper(method)}${replace(path, "/\\{[^}]*\\}/", "*")}"
      } if contains(local.methods, method)
    }
  ]...)

  # One method has one kind of authorization: what a session's signature opens is there once more for its token.
  by_token = {
    for id, operation in local.operations : "${id}ByToken" => merge(operation, {
      path     = "/bearer${operation.path}"
      security = [{ bearer = [] }]
      route    = replace(operation.route, "/^([A-Z]+)/", "$1/bearer")
    }) if contains(flatten([for requirement in operation.security : keys(requirement)]), "session")
  }
  routes = merge(local.operations, local.by_token)

  # By name and not by reference: a function is told the API's address, so the API cannot wait for the function.
  invocations = {
    for function in distinct(concat(values(local.operations)[*].function, [var.authorizer])) : function => format(
      "arn:%s:apigateway:%s:lambda:path/2015-03-31/functions/%s/invocations",
      var.stack.partition,
      var.stack.region,
      format("arn:%s:lambda:%s:%s:function:%s-%s:live",
        var.stack.partition, var.stack.region, var.stack.account_id, var.stack.name, replace(function, "/", "-"),
      ),
    )
  }

  # What it answers is used for a minute for all that a token calls; the functions look at the session every time.
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authorizer.html
  bearer = {
    type                           = "apiKey"
    name                           = "Authorization"
    in                             = "header"
    "x-amazon-apigateway-authtype" = "custom"
    "x-amazon-apigateway-authorizer" = {
      # Not of the type `token`: such a one is told nothing but the token, and a refusal has to say where it came from.
      type                         = "request"
      identitySource               = "method.request.header.Authorization"
      authorizerUri                = local.invocations[var.authorizer]
      authorizerResultTtlInSeconds = 60
    }
  }

  # Body schemas stay out: API Gateway's models are JSON Schema draft 4. The functions check bodies.
  body = jsonencode({
    openapi = "3.0.1"
    info    = { title = var.stack.name, version = local.contract.info.version }
    paths = {
      for path in distinct(values(local.routes)[*].path) : path => {
        for id, operation in local.routes : operation.method => {
          operationId = id
          security    = operation.security
          parameters = [
            for parameter in operation.parameters : {
              name = trimsuffix(parameter.name, "+"), in = parameter.in, required = parameter.required, schema = { type = "string" }
            }
          ]
          responses = { "200" = { description = "As the contract says." } }
          x-amazon-apigateway-integration = {
            type                = "aws_proxy"
            httpMethod          = "POST"
            uri                 = local.invocations[operation.function]
            passthroughBehavior = "when_no_match"
            timeoutInMillis     = 29000
          }
        } if operation.path == path
      }
    }
    components = { securitySchemes = merge(local.contract.components.securitySchemes, { bearer = local.bearer }) }
    x-amazon-apigateway-gateway-responses = {
      for type, problem in local.problems : type => merge(
        {
          responseParameters = merge(
            { "gatewayresponse.header.Content-Type" = "'application/problem+json'" },
            # Who is not known is told how to make itself known: https://www.rfc-editor.org/rfc/rfc6750#section-3
            type == "UNAUTHORIZED" ? { "gatewayresponse.header.WWW-Authenticate" = "'Bearer'" } : {},
          )
          responseTemplates = {
            "application/json" = jsonencode(merge({ for name, value in problem : name => value if value != null }, {
              type     = "urn:paygo:problem:${problem.type}"
              instance = "urn:paygo:request:$context.requestId"
            }))
          }
        },
        problem.status == null ? {} : { statusCode = tostring(problem.status) },
      )
    }
  })

  url = coalesce(
    try("${var.base_url}/${aws_api_gateway_rest_api.this.id}/${local.stage}", null),
    "https://${aws_api_gateway_rest_api.this.id}.execute-api.${var.stack.region}.${data.aws_partition.current.dns_suffix}/${local.stage}",
  )
  execution_arn = format("arn:%s:execute-api:%s:%s:%s",
    var.stack.partition, var.stack.region, var.stack.account_id, aws_api_gateway_rest_api.this.id,
  )
}

data "aws_partition" "current" {}

resource "aws_api_gateway_rest_api" "this" {
  name = var.stack.name
  body = local.body

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  # A deployment is a snapshot: a changed body makes a new one, an unchanged body none.
  triggers = { body = sha256(local.body) }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_158: CloudWatch's own key encrypts; a key of our own is not shared by an account's stacks yet
  # checkov:skip=CKV_AWS_338: logs hold what an incident needs; what must last a year is in the tables
  name              = "/aws/apigateway/${var.stack.name}"
  retention_in_days = var.stack.development ? 14 : 90
}

resource "aws_api_gateway_stage" "this" {
  # checkov:skip=CKV_AWS_73: tracing is the caller's decision and no function sends traces yet
  # checkov:skip=CKV_AWS_120: answers differ by caller, a cache would mix them
  # checkov:skip=CKV2_AWS_4: the settings of all methods are in aws_api_gateway_method_settings.all
  # checkov:skip=CKV2_AWS_29: the firewall belongs to the account, which may have one: aws_wafv2_web_acl_association.this
  # checkov:skip=CKV2_AWS_77: nothing here runs on Java, so the firewall needs no rule for Log4j
  # checkov:skip=CKV2_AWS_51: callers are known by signature or API key, not by a client certificate
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = local.stage

  # Who called is told by the token's session and by key, and by the function's own log; a person's address is not logged, nor is
  # an identity, for whose id Cognito gives anonymous credentials to anybody.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      requestId   = "$context.requestId"
      requestTime = "$context.requestTime"
      method      = "$context.httpMethod"
      route       = "$context.resourcePath"
      status      = "$context.status"
      error       = "$context.error.responseType"
      session     = "$context.authorizer.session_id"
      apiKey      = "$context.identity.apiKeyId"
      latency     = "$context.responseLatency"
      integration = "$context.integrationLatency"
      length      = "$context.responseLength"
    })
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  for_each = var.web_acl_arn == null ? toset([]) : toset(["stage"])

  resource_arn = aws_api_gateway_stage.this.arn
  web_acl_arn  = var.web_acl_arn
}

# API Gateway would make it by itself, for ever and without the stack's tags.
resource "aws_cloudwatch_log_group" "execution" {
  # checkov:skip=CKV_AWS_158: CloudWatch's own key encrypts; a key of our own is not shared by an account's stacks yet
  # checkov:skip=CKV_AWS_338: logs hold what an incident needs; what must last a year is in the tables
  name              = "API-Gateway-Execution-Logs_${aws_api_gateway_rest_api.this.id}/${local.stage}"
  retention_in_days = var.stack.development ? 14 : 90
}

resource "aws_api_gateway_method_settings" "all" {
  # checkov:skip=CKV_AWS_225: answers differ by caller, a cache would mix them
  # checkov:skip=CKV_AWS_308: there is no cache to encrypt
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = "ERROR"
    data_trace_enabled     = false
    throttling_rate_limit  = 200
    throttling_burst_limit = 400
  }

  depends_on = [aws_cloudwatch_log_group.execution]
}

# Stand-ins of third parties take what comes: their callers keep to the third parties' rates, or are tests.
resource "aws_api_gateway_method_settings" "unthrottled" {
  # checkov:skip=CKV_AWS_225: answers differ by caller, a cache would mix them
  # checkov:skip=CKV_AWS_308: there is no cache to encrypt
  for_each = {
    # API Gateway takes a path's slashes as `~1`, the first as well, and Terraform hands them on as they are.
    for id, operation in local.operations : id => "${replace(operation.path, "/", "~1")}/${upper(operation.method)}"
    if anytrue([for prefix in var.unthrottled : startswith(operation.path, prefix)])
  }

  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = each.value

  settings {
    metrics_enabled        = true
    logging_level          = "ERROR"
    data_trace_enabled     = false
    throttling_rate_limit  = -1
    throttling_burst_limit = -1
  }

  depends_on = [aws_api_gateway_method_settings.all]
}

resource "aws_lambda_permission" "this" {
  for_each = local.routes

  function_name = var.functions[each.value.function].name
  qualifier     = var.functions[each.value.function].qualifier
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.execution_arn}/${local.stage}/${each.value.route}"
}

# The API has one authorizer, which the import makes under an id of its own.
resource "aws_lambda_permission" "authorizer" {
  function_name = var.functions[var.authorizer].name
  qualifier     = var.functions[var.authorizer].qualifier
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.execution_arn}/authorizers/*"
}
