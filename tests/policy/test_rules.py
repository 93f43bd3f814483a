"""The configuration keeps every rule, and every rule notices when it does not."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.policy.plan import (
    ACCOUNT,
    ACL,
    ADDRESSES,
    NETWORK,
    PLACE,
    STACK,
    TOKEN_KEYS,
    Plan,
    Planner,
    Resource,
    given,
)
from tests.policy.rules import api, reading, resources, roles, wildcards, wiring

type Rule = Callable[[Plan], reading.Complaints]
type Doctor = Callable[[dict[str, Any]], object]

OF_EVERY_PLAN: tuple[Rule, ...] = (
    roles.every_policy_is_known,
    roles.roles_are_assumed_by_what_uses_them,
    roles.roles_hold_nothing_but_their_statements,
    roles.statements_name_actions_and_resources,
    roles.nobody_is_let_in_unnamed,
    roles.whoever_makes_roles_keeps_them_within_the_boundary,
    roles.role_policies_fit,
    roles.names_fit,
    roles.functions_cannot_make_log_groups,
    wildcards.wildcards_have_a_reason,
    wiring.callers_are_let_in,
    wiring.permissions_are_for_what_calls,
    wiring.callers_can_say_what_permissions_ask,
    wiring.functions_are_called_at_their_live_alias,
    wiring.unattended_failures_are_kept,
    wiring.failures_may_be_sent,
    wiring.mappings_may_read_their_source,
    wiring.queues_have_a_dead_letter_queue_or_are_one,
    wiring.queues_let_their_topics_in,
    resources.functions_have_a_role_and_a_log_group_of_their_own,
    resources.logs_are_kept_for_a_time,
    resources.buckets_are_private_and_encrypted,
    resources.buckets_are_spoken_to_over_tls,
)
OF_EVERY_STACK: tuple[Rule, ...] = (
    *OF_EVERY_PLAN,
    roles.roles_stay_within_the_boundary,
    roles.statements_stay_in_the_stack,
    roles.only_identity_writes_sessions,
    roles.services_keep_to_their_own_tables,
    roles.the_audit_is_only_added_to,
    wiring.refusals_are_audited,
    wiring.queues_are_read_by_their_one_function,
    wiring.iot_rules_may_act,
    wiring.provisioning_may_make_devices,
    wiring.dead_letter_queues_take_what_their_queues_send,
    wiring.messages_stay_with_their_worker,
    wiring.dead_letters_are_archived,
    wiring.errors_are_reported,
    wiring.schedules_call_functions,
    wiring.alarms_reach_the_operators,
    roles.operators_routes_are_for_operators,
    wiring.rules_hear_their_own_stack,
    wiring.devices_messages_can_be_followed,
    wiring.dead_letter_queues_wake_somebody,
    wiring.queues_take_messages_from_their_topic_only,
    wiring.mappings_report_failures_one_by_one,
    wiring.streams_give_up_on_a_bad_record,
    resources.topics_are_encrypted,
    wiring.subscriptions_choose_their_events,
    wiring.subscriptions_keep_what_they_cannot_deliver,
    wiring.waiting_is_no_loop,
    resources.identities_come_by_the_enhanced_flow,
    roles.identities_invoke_routes_and_nothing_else,
    resources.only_the_platform_makes_users,
    roles.only_identity_invokes_the_proxy,
    resources.only_the_proxy_is_in_a_network,
    resources.devices_speak_for_themselves_only,
    resources.iot_policies_fit,
    resources.environments_fit,
    resources.devices_start_inactive,
    api.operations_ask_who_calls,
    api.sessions_routes_are_there_for_tokens_too,
    api.tokens_are_known_by_their_authorizer,
    api.identities_invoke_what_the_contract_says,
    api.tokens_open_what_the_contract_says,
    roles.tokens_are_signed_by_identity_alone,
    api.api_errors_are_problem_documents,
    api.bodies_are_checked_by_functions,
    api.third_parties_are_limited,
)
OF_DEVELOPMENT: tuple[Rule, ...] = (resources.what_holds_data_goes_with_the_stack,)
OF_STAGES: tuple[Rule, ...] = (
    resources.what_holds_data_is_kept,
    resources.nothing_is_a_mock,
    resources.partners_are_themselves,
    resources.logs_last_a_quarter,
)
OF_AN_ACCOUNT: tuple[Rule, ...] = (
    *OF_EVERY_PLAN,
    resources.what_holds_data_is_kept,
    resources.token_keys_sign,
    wiring.api_gateway_may_write_logs,
)


def named(rule: object) -> str:
    return getattr(rule, "__name__", "")


@pytest.mark.parametrize("rule", OF_EVERY_STACK + OF_DEVELOPMENT, ids=named)
def test_a_stack_of_development_keeps(rule: Rule, development: Plan) -> None:
    assert list(rule(development)) == []


@pytest.mark.parametrize("rule", OF_EVERY_STACK + OF_STAGES, ids=named)
def test_a_stack_of_production_keeps(rule: Rule, production: Plan) -> None:
    assert list(rule(production)) == []


@pytest.mark.parametrize("rule", OF_EVERY_STACK + OF_STAGES, ids=named)
def test_a_stack_of_staging_keeps(rule: Rule, staging: Plan) -> None:
    assert list(rule(staging)) == []


@pytest.mark.parametrize("rule", OF_AN_ACCOUNT, ids=named)
def test_an_account_keeps(rule: Rule, account: Plan) -> None:
    assert list(rule(account)) == []


@pytest.mark.parametrize("rule", OF_AN_ACCOUNT, ids=named)
def test_an_account_with_all_that_one_may_have_keeps(rule: Rule, walled: Plan) -> None:
    assert list(rule(walled)) == []


@pytest.mark.parametrize("rule", OF_STAGES, ids=named)
def test_a_stack_of_development_is_what_the_other_stages_must_not_be(rule: Rule, development: Plan) -> None:
    assert list(rule(development))


def test_a_mock_of_production_has_no_function_either(production: Plan) -> None:
    functions = {function.values["function_name"] for function in production.of("aws_lambda_function")}

    assert {name for name in functions if name.startswith(f"{STACK}-partners-")} == {
        f"{STACK}-partners-feed-crm",
        f"{STACK}-partners-proxy",
    }


def test_a_stage_that_is_not_told_where_its_partners_are_is_refused_in_sentences(planner: Planner) -> None:
    mock = "https://abcdefghij.execute-api.eu-west-1.amazonaws.com/v/mocks/bank"
    addresses = {name: url for name, url in ADDRESSES.items() if name != "crm"} | {"bank": mock}

    said = planner.refusal(stage="staging", partner_urls=addresses, secrets=given("staging"))

    assert "Outside development there is no mock" in said
    assert "That is the address of a stack's mock" in said


def test_a_stage_that_is_not_given_its_own_secrets_is_refused_in_sentences(planner: Planner) -> None:
    held = {name: arn for name, arn in given("staging").items() if name != "outbound/crm"}

    said = planner.refusal(stage="production", partner_urls=ADDRESSES, secrets=held)

    assert "A partner itself takes only the credential that it gave us" in said
    assert "A stack is given the secrets of its own stage" in said


def test_a_stack_of_development_that_is_told_wrong_things_is_refused_in_sentences(planner: Planner) -> None:
    said = planner.refusal(stage="development", partner_urls=ADDRESSES, delay_scale=0, alarm_address="nobody")

    assert "A stack for development never calls a third party" in said
    assert "a number above 0" in said
    assert "Alarms are mailed to an e-mail address" in said


def test_a_stack_of_staging_that_is_told_wrong_things_is_refused_in_sentences(planner: Planner) -> None:
    addresses = {"bank": "http://bank.example.net", "supplier": "https://supplier.example.net"}

    said = planner.refusal(stage="staging", partner_urls=addresses, delay_scale=0.1)

    assert "A partner is reached by https://" in said
    assert "Of a partner that is not called no address is needed" in said
    assert "Only a stack for development shortens its delays" in said


def test_a_stack_of_an_account_with_a_partners_network_has_its_proxy_there(staging: Plan) -> None:
    placed = {
        function.values["function_name"]: function.values["vpc_config"][0]
        for function in staging.of("aws_lambda_function")
        if function.values["vpc_config"]
    }
    assert set(placed) == {f"{STACK}-partners-proxy"}
    assert placed[f"{STACK}-partners-proxy"]["subnet_ids"] == PLACE["subnet_ids"]


def limits(plan: Plan) -> dict[str, tuple[float, ...]]:
    return {
        one.values["name"].removeprefix(f"{STACK}-"): (
            one.values["throttle_settings"][0]["rate_limit"],
            one.values["throttle_settings"][0]["burst_limit"],
            one.values["quota_settings"][0]["limit"],
        )
        for one in plan.of("aws_api_gateway_usage_plan")
    }


def test_each_third_party_has_limits_of_its_own(production: Plan) -> None:
    assert limits(production) == {
        "supplier": (2, 10, 2_000),
        "identity-bureau": (50, 100, 200_000),
        "mobile-money": (50, 100, 1_000_000),
        "mobile-wallet": (50, 100, 1_000_000),
    }


def test_in_development_third_parties_share_one_plan_with_the_largest_limits(development: Plan) -> None:
    assert limits(development) == {"partners": (50, 100, 1_000_000)}


def test_an_account_has_neither_firewall_nor_network_unless_they_are_asked_for(account: Plan) -> None:
    assert not [
        one.type for one in account.resources if re.match("aws_(wafv2|vpc|vpn|subnet|route|security)", one.type)
    ]


def test_a_firewall_holds_back_addresses_that_open_very_many_sessions(walled: Plan) -> None:
    [acl] = walled.of("aws_wafv2_web_acl")
    [rule] = acl.values["rule"]
    [statement] = rule["statement"][0]["rate_based_statement"]

    assert rule["action"][0]["block"]
    assert (statement["aggregate_key_type"], statement["limit"], statement["evaluation_window_sec"]) == ("IP", 300, 300)
    matches = statement["scope_down_statement"][0]["and_statement"][0]["statement"]
    assert [one["byte_match_statement"][0]["search_string"] for one in matches] == ["POST", "/v1/sessions"]


def test_a_network_reaches_the_partner_and_nobody_else(walled: Plan) -> None:
    [group] = walled.of("aws_security_group")
    [way_out] = group.values["egress"]

    assert (way_out["cidr_blocks"], way_out["from_port"], way_out["to_port"]) == (["192.0.2.0/24"], 443, 443)
    assert not group.values.get("ingress")
    assert [one.values["cidr_block"] for one in walled.of("aws_subnet")] == ["10.20.0.0/25", "10.20.0.128/25"]
    assert not any(one.values.get("map_public_ip_on_launch") for one in walled.of("aws_subnet"))
    assert not walled.of("aws_internet_gateway")
    assert not walled.of("aws_nat_gateway")
    assert walled.of("aws_vpn_connection")


def test_a_network_that_cannot_be_is_refused_in_sentences(planner: Planner) -> None:
    network = {**NETWORK, "cidr": "10.20.0.0", "customer_gateway_ip": "bank.example.net"}

    said = planner.account_refusal(partner_network=network)

    assert "Give both CIDRs with their lengths" in said
    assert "The partner's gateway is an IPv4 address" in said


def test_a_stack_stands_behind_the_firewall_of_its_account(staging: Plan, development: Plan) -> None:
    [placed] = staging.of("aws_wafv2_web_acl_association")

    assert placed.values["web_acl_arn"] == ACL
    assert not development.of("aws_wafv2_web_acl_association")


def test_what_every_stranger_reaches_with_a_made_up_token_changes_nothing(development: Plan) -> None:
    policy = development.named("aws_iam_role_policy", 'module.identity.aws_iam_role_policy.this["authorizer"]')

    actions = {action for statement in policy.document("policy")["Statement"] for action in statement["Action"]}

    assert actions == {"dynamodb:GetItem", "kms:GetPublicKey", "logs:CreateLogStream", "logs:PutLogEvents"}


def test_a_mock_takes_what_comes(development: Plan) -> None:
    settings = development.of("aws_api_gateway_method_settings")
    unthrottled = {
        one.values["method_path"] for one in settings if one.values["settings"][0]["throttling_rate_limit"] == -1
    }

    assert unthrottled == {
        f"~1mocks~1{{partner}}~1{{route+}}/{method}" for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
    }


def test_a_plan_knows_all_that_functions_are_told_of_partners(development: Plan) -> None:
    [environment] = development.named("aws_lambda_function", 'this["mock"]').values["environment"]

    assert {partner["url"] for partner in json.loads(environment["variables"]["PARTNERS"]).values()} == {
        f"https://abcdefghij.execute-api.eu-west-1.amazonaws.com/v/mocks/{name}" for name in ADDRESSES
    }


def test_a_shortened_delay_never_hands_a_message_to_a_second_worker(planner: Planner) -> None:
    plan = planner.hurried()

    timeouts = {one.values["function_name"]: one.values["timeout"] for one in plan.of("aws_lambda_function")}
    queues = [queue.values for queue in plan.of("aws_sqs_queue") if not queue.values["name"].endswith("-dead")]
    assert [queue["visibility_timeout_seconds"] for queue in queues] == [timeouts[queue["name"]] for queue in queues]


def set_to(**values: Any) -> Doctor:
    return lambda resource: resource.update(values)


def in_document(attribute: str, change: Callable[[dict[str, Any]], object]) -> Doctor:
    def doctor(resource: dict[str, Any]) -> None:
        document = json.loads(resource[attribute])
        change(document)
        resource[attribute] = json.dumps(document)

    return doctor


def in_statement(attribute: str, **values: Any) -> Doctor:
    return in_document(attribute, lambda document: document["Statement"][0].update(values))


def in_operation(path: str, method: str, change: Callable[[dict[str, Any]], object]) -> Doctor:
    return in_document("body", lambda document: change(document["paths"][path][method]))


def in_authorizer(**values: Any) -> Doctor:
    def change(document: dict[str, Any]) -> None:
        document["components"]["securitySchemes"]["bearer"]["x-amazon-apigateway-authorizer"].update(values)

    return in_document("body", change)


def in_variable(name: str, change: Callable[[dict[str, Any]], object]) -> Doctor:
    return lambda function: in_document(name, change)(function["environment"][0]["variables"])


FUNCTION = 'module.ledger.aws_iam_role.this["accounts"]'
STATEMENTS = 'module.ledger.aws_iam_role_policy.this["accounts"]'
PERMISSION = 'aws_lambda_permission.this["readCredit"]'
ANONYMOUS = 'module.identity_pool.aws_iam_role.this["unauthenticated"]'
HOUSEHOLD = 'module.identity_pool.aws_iam_role_policy.this["authenticated"]'
API = f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:abcdefghij/v"
ALARMS = "aws_sns_topic.alarms"
QUEUE = 'module.ledger.module.consumer["book-payments"].aws_sqs_queue.this'
LEDGER_TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{STACK}-ledger"

# One resource of a plan that keeps a rule, doctored so that it does not.
BROKEN: tuple[tuple[Rule, str, str, Doctor], ...] = (
    (roles.every_policy_is_known, "aws_iam_role_policy", STATEMENTS, set_to(policy=None)),
    (roles.roles_stay_within_the_boundary, "aws_iam_role", "", set_to(permissions_boundary=None)),
    (
        roles.roles_are_assumed_by_what_uses_them,
        "aws_iam_role",
        FUNCTION,
        in_statement("assume_role_policy", Principal={"AWS": "*"}),
    ),
    (
        roles.roles_are_assumed_by_what_uses_them,
        "aws_iam_role",
        FUNCTION,
        in_statement("assume_role_policy", Principal={"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}),
    ),
    (
        roles.roles_are_assumed_by_what_uses_them,
        "aws_iam_role",
        "module.iot.aws_iam_role.rules",
        in_statement("assume_role_policy", Condition={}),
    ),
    (
        roles.roles_are_assumed_by_what_uses_them,
        "aws_iam_role",
        ANONYMOUS,
        in_document(
            "assume_role_policy",
            lambda document: document["Statement"][0]["Condition"].pop("ForAnyValue:StringLike"),
        ),
    ),
    (
        roles.roles_are_assumed_by_what_uses_them,
        "aws_iam_role",
        ANONYMOUS,
        in_document(
            "assume_role_policy",
            lambda document: document["Statement"][0]["Condition"].pop("StringEquals"),
        ),
    ),
    (
        roles.roles_hold_nothing_but_their_statements,
        "aws_iam_role",
        FUNCTION,
        set_to(managed_policy_arns=["arn:aws:iam::aws:policy/AdministratorAccess"]),
    ),
    (
        wildcards.wildcards_have_a_reason,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:*", Resource=LEDGER_TABLE),
    ),
    (
        wildcards.wildcards_have_a_reason,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:GetItem", Resource="*"),
    ),
    (
        wildcards.wildcards_have_a_reason,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:GetItem", Resource=LEDGER_TABLE.replace("ledger", "*")),
    ),
    (
        roles.statements_stay_in_the_stack,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Resource=LEDGER_TABLE.replace(STACK, f"{STACK}er")),
    ),
    (
        roles.only_identity_writes_sessions,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:PutItem", Resource=LEDGER_TABLE.replace("-ledger", "-sessions")),
    ),
    (
        roles.services_keep_to_their_own_tables,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:GetItem", Resource=LEDGER_TABLE.replace("-ledger", "-payments")),
    ),
    (
        roles.the_audit_is_only_added_to,
        "aws_iam_role_policy",
        'module.operations.aws_iam_role_policy.this["keep-audit"]',
        in_statement("policy", Action="dynamodb:DeleteItem", Resource=LEDGER_TABLE.replace("-ledger", "-audit")),
    ),
    (
        wiring.refusals_are_audited,
        "aws_cloudwatch_log_subscription_filter",
        'refusals["ledger/accounts"]',
        set_to(log_group_name=f"/aws/lambda/{STACK}-operations-keep-refusals"),
    ),
    (
        wiring.refusals_are_audited,
        "aws_cloudwatch_log_subscription_filter",
        'errors["ledger/book-payments"]',
        set_to(log_group_name=f"/aws/lambda/{STACK}-ledger-accounts"),
    ),
    (
        roles.functions_cannot_make_log_groups,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action=["logs:CreateLogGroup"]),
    ),
    (
        resources.functions_have_a_role_and_a_log_group_of_their_own,
        "aws_cloudwatch_log_group",
        'module.ledger.aws_cloudwatch_log_group.this["accounts"]',
        set_to(retention_in_days=0),
    ),
    (
        resources.functions_have_a_role_and_a_log_group_of_their_own,
        "aws_iam_role",
        FUNCTION,
        set_to(name="shared"),
    ),
    (wiring.functions_are_called_at_their_live_alias, "aws_lambda_permission", PERMISSION, set_to(qualifier=None)),
    (wiring.permissions_are_for_what_calls, "aws_lambda_permission", PERMISSION, set_to(source_arn=None)),
    (
        wildcards.wildcards_have_a_reason,
        "aws_lambda_permission",
        PERMISSION,
        set_to(source_arn=f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:abcdefghij/*"),
    ),
    (
        wildcards.wildcards_have_a_reason,
        "aws_lambda_permission",
        'this["answer-credit by iot.amazonaws.com"]',
        set_to(source_arn=f"arn:aws:iot:eu-west-1:{ACCOUNT}:rule/*"),
    ),
    (
        wildcards.wildcards_have_a_reason,
        "aws_lambda_permission",
        'this["report-errors by logs.amazonaws.com"]',
        set_to(source_arn=f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/*:*"),
    ),
    (
        wiring.callers_can_say_what_permissions_ask,
        "aws_lambda_permission",
        'this["count-dead-letters by events.amazonaws.com"]',
        set_to(source_account=ACCOUNT),
    ),
    (
        wiring.unattended_failures_are_kept,
        "aws_lambda_function_event_invoke_config",
        'this["answer-credit"]',
        set_to(qualifier="$LATEST"),
    ),
    (
        wiring.failures_may_be_sent,
        "aws_iam_role_policy",
        'module.operations.aws_iam_role_policy.this["report-errors"]',
        set_to(policy=json.dumps({"Statement": []})),
    ),
    (
        wiring.mappings_may_read_their_source,
        "aws_iam_role_policy",
        'module.ledger.aws_iam_role_policy.this["book-payments"]',
        set_to(policy=json.dumps({"Statement": []})),
    ),
    (
        wiring.queues_are_read_by_their_one_function,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement(
            "policy",
            Action=["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            Resource=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{STACK}-ledger-book-payments-dead",
        ),
    ),
    (
        wiring.messages_stay_with_their_worker,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        set_to(visibility_timeout_seconds=30),
    ),
    (
        wiring.dead_letters_are_archived,
        "aws_sqs_queue",
        "module.iot.module.dead.aws_sqs_queue.this",
        set_to(name="unwatched"),
    ),
    (
        wiring.dead_letters_are_archived,
        "aws_sqs_queue",
        "module.iot.module.dead.aws_sqs_queue.this",
        set_to(visibility_timeout_seconds=30),
    ),
    (
        wiring.errors_are_reported,
        "aws_cloudwatch_log_subscription_filter",
        'errors["ledger/accounts"]',
        set_to(log_group_name=f"/aws/lambda/{STACK}-operations-report-errors"),
    ),
    (api.third_parties_are_limited, "aws_api_gateway_usage_plan", "", set_to(quota_settings=[])),
    (wiring.schedules_call_functions, "aws_cloudwatch_event_target", "", set_to(rule="another")),
    (wiring.alarms_reach_the_operators, "aws_cloudwatch_metric_alarm", "", set_to(alarm_actions=[])),
    (
        wiring.alarms_reach_the_operators,
        "aws_sns_topic",
        "aws_sns_topic.alarms",
        set_to(kms_master_key_id="alias/aws/sns"),
    ),
    (
        wiring.alarms_reach_the_operators,
        "aws_sns_topic",
        "aws_sns_topic.alarms",
        in_statement("policy", Principal={"AWS": "*"}),
    ),
    (
        resources.buckets_are_private_and_encrypted,
        "aws_s3_bucket_public_access_block",
        "module.payloads_bucket.aws_s3_bucket_public_access_block.this",
        set_to(block_public_policy=False),
    ),
    (
        roles.operators_routes_are_for_operators,
        "aws_iam_role_policy",
        HOUSEHOLD,
        in_statement("policy", Resource=f"{API}/GET/operations/dead-letters"),
    ),
    (
        wildcards.wildcards_have_a_reason,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="cloudwatch:PutMetricData", Resource="*"),
    ),
    (wiring.callers_are_let_in, "aws_lambda_permission", PERMISSION, set_to(function_name="another")),
    (
        wiring.callers_are_let_in,
        "aws_lambda_permission",
        'this["answer-credit by iot.amazonaws.com"]',
        set_to(source_arn=f"arn:aws:iot:eu-west-1:{ACCOUNT}:rule/another"),
    ),
    (
        wiring.rules_hear_their_own_stack,
        "aws_iot_topic_rule",
        "",
        set_to(sql="SELECT * FROM 'paygo/+/+/credit/get'"),
    ),
    (wiring.rules_hear_their_own_stack, "aws_iot_topic_rule", "", set_to(error_action=[])),
    (
        wiring.devices_messages_can_be_followed,
        "aws_iot_topic_rule",
        "",
        set_to(sql="SELECT device_id FROM 'paygo/paygo-policy/+/credit/get'"),
    ),
    (
        wiring.queues_have_a_dead_letter_queue_or_are_one,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        set_to(redrive_policy=None),
    ),
    (
        wiring.dead_letter_queues_wake_somebody,
        "aws_cloudwatch_metric_alarm",
        'consumer["book-payments"].module.dead.aws_cloudwatch_metric_alarm.this',
        lambda alarm: alarm["metric_query"][0].update(expression="SUM([waiting])", return_data=True),
    ),
    (
        wiring.dead_letter_queues_wake_somebody,
        "aws_sqs_queue",
        'consumer["book-payments"].module.dead.aws_sqs_queue.this',
        set_to(message_retention_seconds=60),
    ),
    (
        wiring.queues_take_messages_from_their_topic_only,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        in_statement("policy", Condition={}),
    ),
    (
        wiring.queues_take_messages_from_their_topic_only,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        set_to(sqs_managed_sse_enabled=False),
    ),
    (
        wiring.mappings_report_failures_one_by_one,
        "aws_lambda_event_source_mapping",
        "",
        set_to(function_response_types=None),
    ),
    (
        wiring.streams_give_up_on_a_bad_record,
        "aws_lambda_event_source_mapping",
        'module.ledger.module.outbox["publish-outbox"].aws_lambda_event_source_mapping.this',
        set_to(maximum_record_age_in_seconds=-1),
    ),
    (
        resources.topics_are_encrypted,
        "aws_sns_topic",
        "module.ledger_topic.aws_sns_topic.this",
        set_to(kms_master_key_id=None),
    ),
    (
        wiring.subscriptions_choose_their_events,
        "aws_sns_topic_subscription",
        'consumer["book-payments"].aws_sns_topic_subscription.this["topic"]',
        set_to(filter_policy=None),
    ),
    (
        wiring.subscriptions_keep_what_they_cannot_deliver,
        "aws_sns_topic_subscription",
        'consumer["book-payments"].aws_sns_topic_subscription.this["topic"]',
        set_to(redrive_policy=None),
    ),
    (
        wiring.subscriptions_keep_what_they_cannot_deliver,
        "aws_sqs_queue",
        'consumer["book-payments"].module.dead.aws_sqs_queue.this',
        set_to(policy=None),
    ),
    (wiring.waiting_is_no_loop, "aws_lambda_function_recursion_config", "", set_to(recursive_loop="Terminate")),
    (resources.identities_come_by_the_enhanced_flow, "aws_cognito_identity_pool", "", set_to(allow_classic_flow=True)),
    (
        roles.identities_invoke_routes_and_nothing_else,
        "aws_iam_role_policy",
        HOUSEHOLD,
        in_statement("policy", Action=["execute-api:Invoke", "execute-api:ManageConnections"]),
    ),
    (
        roles.identities_invoke_routes_and_nothing_else,
        "aws_iam_role_policy",
        HOUSEHOLD,
        in_statement("policy", Resource=f"{API}/POST/partners/supplier/manifests"),
    ),
    (
        roles.only_identity_invokes_the_proxy,
        "aws_iam_role_policy",
        'module.devices.aws_iam_role_policy.this["devices"]',
        in_statement(
            "policy",
            Action=["lambda:InvokeFunction"],
            Resource=[f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{STACK}-partners-proxy:live"],
        ),
    ),
    (
        roles.only_identity_invokes_the_proxy,
        "aws_iam_role_policy",
        'module.identity.aws_iam_role_policy.this["request-check"]',
        in_statement(
            "policy",
            Action=["lambda:InvokeFunction"],
            Resource=[f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{STACK}-ledger-accounts:live"],
        ),
    ),
    (
        resources.only_the_proxy_is_in_a_network,
        "aws_lambda_function",
        'module.identity.aws_lambda_function.this["request-check"]',
        set_to(vpc_config=[{"subnet_ids": ["subnet-1"]}]),
    ),
    (
        resources.only_the_platform_makes_users,
        "aws_cognito_user_pool",
        "",
        set_to(admin_create_user_config=[{"allow_admin_create_user_only": False}]),
    ),
    (
        resources.only_the_platform_makes_users,
        "aws_cognito_user_pool_client",
        "",
        set_to(explicit_auth_flows=["ALLOW_USER_PASSWORD_AUTH"]),
    ),
    (
        resources.only_the_platform_makes_users,
        "aws_cognito_user_pool_client",
        "",
        set_to(explicit_auth_flows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]),
    ),
    (
        resources.only_the_platform_makes_users,
        "aws_cognito_user_pool",
        "",
        set_to(account_recovery_setting=[{"recovery_mechanism": [{"name": "verified_email", "priority": 1}]}]),
    ),
    (
        resources.only_the_platform_makes_users,
        "aws_cognito_user_pool_client",
        "",
        set_to(write_attributes=None),
    ),
    (
        resources.iot_policies_fit,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.device",
        set_to(policy=json.dumps({"Resource": ["arn:aws:iot:us-east-1:1:topic/a"] * 60})),
    ),
    (
        roles.role_policies_fit,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Resource=[f"{LEDGER_TABLE}/index/{number}" for number in range(120)]),
    ),
    (
        resources.environments_fit,
        "aws_lambda_function",
        'module.ledger.aws_lambda_function.this["accounts"]',
        set_to(environment=[{"variables": {"TABLE": "x" * 4_096}}]),
    ),
    (
        resources.devices_speak_for_themselves_only,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.device",
        in_statement("policy", Resource=f"arn:aws:iot:eu-west-1:{ACCOUNT}:topic/paygo/{STACK}/*"),
    ),
    (
        resources.devices_speak_for_themselves_only,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.claim",
        in_statement("policy", Resource=f"arn:aws:iot:eu-west-1:{ACCOUNT}:topic/paygo/{STACK}/x/credit/get"),
    ),
    (
        resources.devices_speak_for_themselves_only,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.claim",
        in_statement("policy", Resource=f"arn:aws:iot:eu-west-1:{ACCOUNT}:client/{STACK}-*"),
    ),
    (
        resources.devices_start_inactive,
        "aws_iot_provisioning_template",
        "",
        in_document(
            "template_body",
            lambda document: document["Resources"]["certificate"]["Properties"].update(Status="ACTIVE"),
        ),
    ),
    (
        api.operations_ask_who_calls,
        "aws_api_gateway_rest_api",
        "",
        in_operation("/v1/devices", "get", lambda operation: operation.update(security=[])),
    ),
    (
        api.operations_ask_who_calls,
        "aws_api_gateway_rest_api",
        "",
        in_operation("/partners/supplier/manifests", "post", lambda operation: operation.update(security=[])),
    ),
    (
        api.sessions_routes_are_there_for_tokens_too,
        "aws_api_gateway_rest_api",
        "",
        in_document("body", lambda document: document["paths"].pop("/bearer/v1/statement")),
    ),
    (
        api.sessions_routes_are_there_for_tokens_too,
        "aws_api_gateway_rest_api",
        "",
        in_operation("/v1/devices", "get", lambda operation: operation.update(security=[{"bearer": []}])),
    ),
    (api.tokens_are_known_by_their_authorizer, "aws_api_gateway_rest_api", "", in_authorizer(type="token")),
    (
        api.tokens_are_known_by_their_authorizer,
        "aws_api_gateway_rest_api",
        "",
        in_authorizer(authorizerResultTtlInSeconds=300),
    ),
    (
        api.tokens_are_known_by_their_authorizer,
        "aws_api_gateway_rest_api",
        "",
        in_authorizer(identitySource="method.request.header.Accept"),
    ),
    (
        api.tokens_are_known_by_their_authorizer,
        "aws_lambda_permission",
        "aws_lambda_permission.authorizer",
        set_to(source_arn=f"{API}/GET/v1/devices"),
    ),
    (
        api.tokens_are_known_by_their_authorizer,
        "aws_api_gateway_rest_api",
        "",
        in_document(
            "body",
            lambda document: document["x-amazon-apigateway-gateway-responses"]["UNAUTHORIZED"].update(
                responseParameters={}
            ),
        ),
    ),
    (
        api.identities_invoke_what_the_contract_says,
        "aws_iam_role_policy",
        'module.identity_pool.aws_iam_role_policy.this["unauthenticated"]',
        in_document("policy", lambda document: document["Statement"][0]["Resource"].append(f"{API}/GET/v1/*")),
    ),
    (
        api.identities_invoke_what_the_contract_says,
        "aws_iam_role_policy",
        HOUSEHOLD,
        in_document("policy", lambda document: document["Statement"][0]["Resource"].remove(f"{API}/GET/v1/statement")),
    ),
    (
        api.tokens_open_what_the_contract_says,
        "aws_lambda_function",
        'module.identity.aws_lambda_function.this["authorizer"]',
        in_variable("SCOPE_ROUTES", lambda routes: routes["household"]["accounts:read"].pop()),
    ),
    (
        api.tokens_open_what_the_contract_says,
        "aws_lambda_function",
        'module.identity.aws_lambda_function.this["sessions"]',
        in_variable("SCOPES", lambda scopes: scopes["anonymous"].append("accounts:read")),
    ),
    (
        api.tokens_open_what_the_contract_says,
        "aws_lambda_function",
        'module.identity.aws_lambda_function.this["authorizer"]',
        lambda function: function["environment"][0]["variables"].pop("SCOPE_ROUTES"),
    ),
    (
        roles.tokens_are_signed_by_identity_alone,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="kms:Sign", Resource=TOKEN_KEYS[0]),
    ),
    (
        roles.tokens_are_signed_by_identity_alone,
        "aws_iam_role_policy",
        'module.identity.aws_iam_role_policy.this["sessions"]',
        in_statement("policy", Action="kms:Sign", Resource=TOKEN_KEYS[1]),
    ),
    (
        api.api_errors_are_problem_documents,
        "aws_api_gateway_rest_api",
        "",
        in_document(
            "body",
            lambda document: document["x-amazon-apigateway-gateway-responses"]["THROTTLED"].update(statusCode="200"),
        ),
    ),
    (
        api.bodies_are_checked_by_functions,
        "aws_api_gateway_rest_api",
        "",
        in_operation("/v1/devices", "post", lambda operation: operation.update(requestBody={})),
    ),
    (
        resources.what_holds_data_goes_with_the_stack,
        "aws_secretsmanager_secret",
        "",
        set_to(recovery_window_in_days=30),
    ),
    (resources.what_holds_data_goes_with_the_stack, "aws_s3_bucket", "", set_to(force_destroy=False)),
    (
        resources.what_holds_data_goes_with_the_stack,
        "aws_cognito_user_pool",
        "",
        set_to(deletion_protection="ACTIVE"),
    ),
    (roles.every_policy_is_known, "aws_lambda_permission", PERMISSION, set_to(source_arn=None)),
    (
        roles.roles_are_assumed_by_what_uses_them,
        "aws_cognito_identity_pool_roles_attachment",
        "",
        set_to(roles={"authenticated": f"arn:aws:iam::{ACCOUNT}:role/{STACK}-unauthenticated"}),
    ),
    (
        roles.roles_are_assumed_by_what_uses_them,
        "aws_lambda_function",
        'module.ledger.aws_lambda_function.this["accounts"]',
        set_to(role=f"arn:aws:iam::{ACCOUNT}:role/{STACK}-provisioning"),
    ),
    (
        roles.statements_name_actions_and_resources,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", NotAction="iam:*"),
    ),
    (
        roles.statements_name_actions_and_resources,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", NotResource=LEDGER_TABLE),
    ),
    (
        roles.statements_name_actions_and_resources,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Resource=[]),
    ),
    (roles.nobody_is_let_in_unnamed, "aws_sns_topic", ALARMS, in_statement("policy", Principal="*")),
    (roles.nobody_is_let_in_unnamed, "aws_sns_topic", ALARMS, in_statement("policy", Principal={"AWS": "*"})),
    (roles.nobody_is_let_in_unnamed, "aws_sns_topic", ALARMS, in_statement("policy", Condition={})),
    (roles.nobody_is_let_in_unnamed, "aws_lambda_permission", PERMISSION, set_to(principal="*")),
    (roles.nobody_is_let_in_unnamed, "aws_lambda_permission", PERMISSION, set_to(source_arn=None)),
    (
        roles.nobody_is_let_in_unnamed,
        "aws_secretsmanager_secret",
        "",
        set_to(policy=json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "x", "Resource": "y"}})),
    ),
    (
        roles.whoever_makes_roles_keeps_them_within_the_boundary,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="iam:CreateRole", Resource=f"arn:aws:iam::{ACCOUNT}:role/paygo-*"),
    ),
    (
        roles.whoever_makes_roles_keeps_them_within_the_boundary,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="iam:Put*", Condition={"StringEquals": {"iam:PassedToService": "lambda"}}),
    ),
    (
        roles.whoever_makes_roles_keeps_them_within_the_boundary,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action=["iam:PassRole"]),
    ),
    (roles.names_fit, "aws_iam_role", FUNCTION, set_to(name=f"{STACK}-{'x' * 40}")),
    (roles.names_fit, "aws_sqs_queue", "", set_to(name=f"{STACK}-{'x' * 56}")),
    (
        wildcards.wildcards_have_a_reason,
        "aws_sqs_queue",
        QUEUE,
        in_statement("policy", Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:*"}}),
    ),
    (
        wildcards.wildcards_have_a_reason,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.device",
        in_statement("policy", Resource=f"arn:aws:iot:eu-west-1:{ACCOUNT}:client/*"),
    ),
    (
        wildcards.wildcards_have_a_reason,
        "aws_iam_role_policy",
        'module.devices.aws_iam_role_policy.this["devices"]',
        in_statement("policy", Action="iot:DeleteThing", Resource=f"arn:aws:iot:eu-west-1:{ACCOUNT}:thing/{STACK}-*"),
    ),
    (
        wiring.callers_are_let_in,
        "aws_cloudwatch_event_target",
        "",
        set_to(arn=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{STACK}-ledger-accounts:live"),
    ),
    (
        wiring.callers_are_let_in,
        "aws_sns_topic_subscription",
        "aws_sns_topic_subscription.alarms",
        set_to(topic_arn=f"arn:aws:sns:eu-west-1:{ACCOUNT}:another"),
    ),
    (
        wiring.callers_are_let_in,
        "aws_cloudwatch_log_subscription_filter",
        'errors["ledger/accounts"]',
        set_to(destination_arn=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{STACK}-ledger-accounts:live"),
    ),
    (
        wiring.callers_are_let_in,
        "aws_iot_provisioning_template",
        "",
        set_to(name="another"),
    ),
    (wiring.callers_are_let_in, "aws_lambda_permission", "aws_lambda_permission.authorizer", set_to(qualifier=None)),
    (
        wiring.permissions_are_for_what_calls,
        "aws_lambda_permission",
        PERMISSION,
        set_to(source_arn=f"{API}/GET/v1/devices"),
    ),
    (
        wiring.permissions_are_for_what_calls,
        "aws_lambda_permission",
        'this["count-dead-letters by events.amazonaws.com"]',
        set_to(source_arn=f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/{STACK}-ledger-publish-outbox"),
    ),
    (
        wiring.failures_may_be_sent,
        "aws_lambda_function_event_invoke_config",
        'this["answer-credit"]',
        set_to(destination_config=[{"on_failure": [{"destination": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:another"}]}]),
    ),
    (
        wiring.failures_may_be_sent,
        "aws_lambda_event_source_mapping",
        'module.ledger.module.outbox["publish-outbox"].aws_lambda_event_source_mapping.this',
        set_to(destination_config=[{"on_failure": [{"destination_arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:another"}]}]),
    ),
    (
        wiring.mappings_may_read_their_source,
        "aws_lambda_event_source_mapping",
        'module.ledger.module.outbox["publish-outbox"].aws_lambda_event_source_mapping.this',
        set_to(event_source_arn=f"{LEDGER_TABLE}er/stream/2026"),
    ),
    (
        wiring.mappings_may_read_their_source,
        "aws_lambda_event_source_mapping",
        'consumer["book-payments"].aws_lambda_event_source_mapping.this',
        set_to(function_name=f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{STACK}-ledger-accounts:live"),
    ),
    (
        wiring.queues_are_read_by_their_one_function,
        "aws_lambda_event_source_mapping",
        'consumer["book-payments"].aws_lambda_event_source_mapping.this',
        set_to(event_source_arn=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:another"),
    ),
    (
        wiring.iot_rules_may_act,
        "aws_iam_role_policy",
        "module.iot.aws_iam_role_policy.rules",
        in_statement("policy", Resource=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:another"),
    ),
    (
        wiring.iot_rules_may_act,
        "aws_iot_topic_rule",
        "",
        set_to(s3=[{"role_arn": f"arn:aws:iam::{ACCOUNT}:role/{STACK}-device-rules"}]),
    ),
    (
        wiring.provisioning_may_make_devices,
        "aws_iam_role_policy",
        "module.iot.aws_iam_role_policy.provisioning",
        in_statement("policy", Action=["iot:CreateThing"]),
    ),
    (wiring.queues_let_their_topics_in, "aws_sqs_queue", QUEUE, set_to(policy=None)),
    (
        wiring.queues_let_their_topics_in,
        "aws_sqs_queue",
        QUEUE,
        in_statement("policy", Condition={"ArnEquals": {"aws:SourceArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:another"}}),
    ),
    (
        wiring.queues_let_their_topics_in,
        "aws_sns_topic_subscription",
        'consumer["book-payments"].aws_sns_topic_subscription.this["topic"]',
        set_to(redrive_policy=None),
    ),
    (
        wiring.dead_letter_queues_take_what_their_queues_send,
        "aws_sqs_queue",
        'consumer["book-payments"].module.dead.aws_sqs_queue.this',
        set_to(redrive_allow_policy=json.dumps({"redrivePermission": "denyAll"})),
    ),
    (
        resources.logs_are_kept_for_a_time,
        "aws_cloudwatch_log_group",
        "module.api.aws_cloudwatch_log_group.access",
        set_to(retention_in_days=0),
    ),
    (
        resources.logs_are_kept_for_a_time,
        "aws_cloudwatch_log_group",
        "module.api.aws_cloudwatch_log_group.execution",
        set_to(name="another"),
    ),
    (resources.logs_are_kept_for_a_time, "aws_api_gateway_stage", "", set_to(access_log_settings=[])),
)


def doctored(plan: Plan, kind: str, ending: str, doctor: Doctor) -> Plan:
    target = next(resource for resource in plan.of(kind) if resource.address.endswith(ending))
    values = copy.deepcopy(dict(target.values))
    doctor(values)
    return Plan(tuple(replace(one, values=values) if one is target else one for one in plan.resources))


@pytest.mark.parametrize(("rule", "kind", "ending", "doctor"), BROKEN, ids=named)
def test_a_rule_notices(rule: Rule, kind: str, ending: str, doctor: Doctor, development: Plan) -> None:
    assert list(rule(doctored(development, kind, ending, doctor)))


UNKEPT: tuple[tuple[str, Doctor], ...] = (
    ("aws_dynamodb_table", set_to(deletion_protection_enabled=False)),
    ("aws_dynamodb_table", set_to(point_in_time_recovery=[{"enabled": False}])),
    ("aws_cognito_user_pool", set_to(deletion_protection="INACTIVE")),
    ("aws_s3_bucket", set_to(force_destroy=True)),
    ("aws_secretsmanager_secret", set_to(recovery_window_in_days=0)),
)


@pytest.mark.parametrize(("kind", "doctor"), UNKEPT)
def test_a_rule_notices_what_one_mistake_would_take_away(kind: str, doctor: Doctor, production: Plan) -> None:
    assert list(resources.what_holds_data_is_kept(doctored(production, kind, "", doctor)))


def with_one_more(plan: Plan, kind: str, **values: Any) -> Plan:
    return Plan((*plan.resources, Resource(f"{kind}.added", kind, values)))


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}])
def test_a_rule_notices_a_bucket_that_answers_in_the_clear(principal: object, account: Plan) -> None:
    deny: dict[str, Any] = {
        "Effect": "Deny",
        "Principal": principal,
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::artefacts/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    closed = with_one_more(account, "aws_s3_bucket_policy", policy=json.dumps({"Statement": [deny]}))
    deny["Condition"] = {"Bool": {"aws:SecureTransport": "true"}}
    open_to_all = with_one_more(account, "aws_s3_bucket_policy", policy=json.dumps({"Statement": [deny]}))

    assert not list(resources.buckets_are_spoken_to_over_tls(closed))
    assert list(resources.buckets_are_spoken_to_over_tls(open_to_all))


ISSUER = "oidc.example.org/paygo"
JOBS = {"StringEquals": {f"{ISSUER}:aud": "paygo"}, "StringLike": {f"{ISSUER}:sub": "project:paygo:*"}}


def pipeline(condition: object, provider: str = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}") -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }


def with_role_for(plan: Plan, *trust: dict[str, Any]) -> Plan:
    document = json.dumps({"Statement": trust})
    return with_one_more(plan, "aws_iam_role", name="deployer", arn="deployer", assume_role_policy=document)


def test_a_role_that_nothing_uses_is_for_the_named_jobs_of_one_ci(account: Plan) -> None:
    assert not list(roles.roles_are_assumed_by_what_uses_them(with_role_for(account, pipeline(JOBS))))


@pytest.mark.parametrize(
    "trust",
    [
        pipeline({"StringEquals": JOBS["StringEquals"]}),
        pipeline({"StringLike": JOBS["StringLike"]}),
        pipeline({**JOBS, "StringLike": {f"{ISSUER}:sub": ["project:paygo:*", "*"]}}),
        pipeline(JOBS, provider=f"arn:aws:iam::999999999999:oidc-provider/{ISSUER}"),
        pipeline({"StringEquals": {"another:aud": "paygo"}, "StringLike": {"another:sub": "project:paygo:*"}}),
        {**pipeline(JOBS), "Principal": {"Service": "lambda.amazonaws.com"}},
        {**pipeline(JOBS), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        {**pipeline(JOBS), "Principal": "*"},
    ],
)
def test_a_rule_notices_a_role_that_is_for_others(trust: dict[str, Any], account: Plan) -> None:
    assert list(roles.roles_are_assumed_by_what_uses_them(with_role_for(account, trust)))


def test_a_rule_notices_a_managed_policy(account: Plan) -> None:
    held = {"role": "deployer", "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"}

    assert list(
        roles.roles_hold_nothing_but_their_statements(with_one_more(account, "aws_iam_role_policy_attachment", **held))
    )


def test_a_policy_is_held_against_the_list_once_a_role_has_it_and_a_boundary_is_not(account: Plan) -> None:
    wide = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}
    boundary = with_one_more(account, "aws_iam_policy", arn="wide", policy=json.dumps({"Statement": wide}))
    held = with_one_more(boundary, "aws_iam_role_policy_attachment", role="deployer", policy_arn="wide")

    assert not list(wildcards.wildcards_have_a_reason(boundary))
    assert list(wildcards.wildcards_have_a_reason(held))


def test_a_rule_notices_that_api_gateway_may_not_write(account: Plan) -> None:
    other = doctored(account, "aws_iam_role_policy_attachment", "", set_to(role="another"))

    assert list(wiring.api_gateway_may_write_logs(other))


def test_no_wildcard_is_allowed_that_no_plan_needs(
    development: Plan, production: Plan, staging: Plan, walled: Plan
) -> None:
    assert list(wildcards.unneeded([development, production, staging, walled])) == []


def test_a_wildcard_that_no_plan_needs_any_more_is_named(account: Plan) -> None:
    assert f"iot:RegisterThing on {chr(92)}*" in set(wildcards.unneeded([account]))


def test_every_wildcard_says_why() -> None:
    assert all(entry.reason.endswith(".") for entry in wildcards.ALLOWED)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("aws_s3_bucket_public_access_block", {"block_public_acls": False}),
        ("aws_s3_bucket_server_side_encryption_configuration", {"rule": []}),
        ("aws_s3_bucket_versioning", {"versioning_configuration": [{"status": "Suspended"}]}),
    ],
)
def test_a_rule_notices_an_open_bucket(kind: str, values: dict[str, Any], account: Plan) -> None:
    assert list(resources.buckets_are_private_and_encrypted(doctored(account, kind, "", set_to(**values))))


def test_an_account_has_a_key_for_tokens_and_a_second_while_one_replaces_the_other(account: Plan, walled: Plan) -> None:
    assert len(account.of("aws_kms_key")) == 1
    assert len(walled.of("aws_kms_key")) == 2


@pytest.mark.parametrize("values", [{"customer_master_key_spec": "ECC_NIST_P256"}, {"deletion_window_in_days": 30}])
def test_a_rule_notices_a_key_that_no_verifier_expects(values: dict[str, Any], account: Plan) -> None:
    assert list(resources.token_keys_sign(doctored(account, "aws_kms_key", "", set_to(**values))))


def test_every_rule_is_shown_to_notice() -> None:
    shown = {rule for rule, *_ in BROKEN}

    assert set(OF_EVERY_STACK + OF_DEVELOPMENT) - {resources.buckets_are_spoken_to_over_tls} <= shown
