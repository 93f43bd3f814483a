"""What MiniStack lacks, one module a gap, each registered on its own dispatch.

A gap is deleted when MiniStack catches up: its module, its line here and its test.
"""

import os
from importlib import import_module

GAPS = (
    "alarm_states",
    "alarms",
    "api_keys",
    "async_invocations",
    "authorizer_permissions",
    "authorizer_policies",
    "authorizer_requests",
    "batch_failures",
    "batch_permissions",
    "changed_tags",
    "deployments",
    "developer_identities",
    "developer_tokens",
    "expired_sessions",
    "function_logs",
    "gateway_refusals",
    "identity_credentials",
    "iot_endpoint",
    "iot_rule_templates",
    "key_states",
    "leading_keys",
    "log_subscriptions",
    "mail_headers",
    "mail_permissions",
    "method_settings",
    "metric_lines",
    "metric_namespaces",
    "metric_queries",
    "mqtt_certificates",
    "mqtt_listener",
    "mqtt_live_sessions",
    "name_cases",
    "named_resources",
    "password_policy",
    "policy_variables",
    "principal_tags",
    "queue_messages",
    "queue_metrics",
    "raised_errors",
    "rest_api_import",
    "rest_api_settings",
    "root_keys",
    "secret_versions",
    "secure_transport",
    "service_quotas",
    "shared_code",
    "signed_bodies",
    "stream_failures",
    "usage_plans",
    "whole_answers",
)


def install() -> None:
    """Fill every gap but those named in ``PAYGO_GAPS_OFF``, with which a test shows that it notices."""
    off = {name.strip() for name in os.environ.get("PAYGO_GAPS_OFF", "").split(",") if name.strip()}
    unknown = off - set(GAPS)
    if unknown:
        raise SystemExit(f"PAYGO_GAPS_OFF names no gap: {', '.join(sorted(unknown))}.")
    for name in GAPS:
        if name not in off:
            import_module(f"{__name__}.{name}").install()
