# A rate an address on the one route that makes something for whoever asks. The functions count too: this comes before them.

resource "aws_wafv2_web_acl" "this" {
  # checkov:skip=CKV_AWS_192: nothing here runs on Java, and bodies are parsed as JSON against models
  # checkov:skip=CKV2_AWS_31: the metric says how often it blocked; its log would hold people's addresses
  for_each = var.firewall ? toset(["this"]) : toset([])

  name        = "paygo"
  description = "Holds back addresses that open very many sessions."
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "sessions-per-address"
    priority = 1

    action {
      block {}
    }

    statement {
      rate_based_statement {
        aggregate_key_type    = "IP" # of IPv6 its /64
        limit                 = 300
        evaluation_window_sec = 300

        scope_down_statement {
          and_statement {
            statement {
              byte_match_statement {
                search_string         = "POST"
                positional_constraint = "EXACTLY"

                field_to_match {
                  method {}
                }

                text_transformation {
                  priority = 0
                  type     = "NONE"
                }
              }
            }

            # Behind the stage, and whatever stands before it.
            statement {
              byte_match_statement {
                search_string         = "/v1/sessions"
                positional_constraint = "ENDS_WITH"

                field_to_match {
                  uri_path {}
                }

                text_transformation {
                  priority = 0
                  type     = "URL_DECODE"
                }

                text_transformation {
                  priority = 1
                  type     = "NORMALIZE_PATH"
                }
              }
            }
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "paygo-sessions-per-address"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "paygo"
    sampled_requests_enabled   = false
  }
}
