# API keys tell third parties apart and bound what each may call; their signatures are what proves who they are.

locals {
  # UpdateUsagePlan is limited to one call per 20 s and account: stacks of development share one plan among their keys. A plan
  # limits each key by itself, so that one has the largest limits of all.
  plans    = var.stack.development ? { partners = keys(var.api_keys) } : { for name, _ in var.api_keys : name => [name] }
  plan_for = merge([for plan, names in local.plans : { for name in names : name => plan }]...)

  limits = {
    for plan, names in local.plans : plan => {
      for limit in ["rate", "burst", "quota"] : limit => max([for name in names : var.api_keys[name].limits[limit]]...)
    }
  }
}

resource "aws_api_gateway_usage_plan" "this" {
  for_each = local.plans

  name        = "${var.stack.name}-${each.key}"
  description = "What ${join(", ", each.value)} may call."

  api_stages {
    api_id = aws_api_gateway_rest_api.this.id
    stage  = aws_api_gateway_stage.this.stage_name
  }

  throttle_settings {
    rate_limit  = local.limits[each.key].rate
    burst_limit = local.limits[each.key].burst
  }

  quota_settings {
    limit  = local.limits[each.key].quota
    period = "DAY"
  }
}

resource "aws_api_gateway_usage_plan_key" "this" {
  for_each = local.plan_for

  key_id        = var.api_keys[each.key].id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.this[each.value].id
}
