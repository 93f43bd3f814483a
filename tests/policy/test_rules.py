"""The configuration keeps every rule, and every rule notices when it does not."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.policy import rules
from tests.policy.plan import ACCOUNT, ADDRESSES, NETWORK, STACK, TOKEN_KEYS, Plan, Planner, PlanRefused, given

type Rule = Callable[[Plan], rules.Complaints]
type Doctor = Callable[[dict[str, Any]], object]

OF_EVERY_STACK: tuple[Rule, ...] = (
    rules.every_policy_is_known,
    rules.roles_are_assumed_by_their_own_service,
    rules.roles_stay_within_the_boundary,
    rules.roles_hold_nothing_but_their_statements,
    rules.statements_name_actions_and_resources,
    rules.statements_stay_in_the_stack,
    rules.only_identity_writes_sessions,
    rules.services_keep_to_their_own_tables,
    rules.the_audit_is_only_added_to,
    rules.refusals_are_audited,
    rules.functions_cannot_make_log_groups,
    rules.functions_have_a_role_and_a_log_group_of_their_own,
    rules.functions_are_called_at_their_live_alias,
    rules.permissions_name_their_one_caller,
    rules.callers_can_say_what_permissions_ask,
    rules.unattended_failures_are_kept,
    rules.mappings_may_read_their_queue,
    rules.messages_stay_with_their_worker,
    rules.dead_letters_are_archived,
    rules.errors_are_reported,
    rules.schedules_call_functions,
    rules.alarms_reach_the_operators,
    rules.buckets_are_private_and_encrypted,
    rules.operators_routes_are_for_operators,
    rules.operations_are_answered,
    rules.iot_may_call_what_it_names,
    rules.rules_hear_their_own_stack,
    rules.devices_messages_can_be_followed,
    rules.queues_have_a_dead_letter_queue_or_are_one,
    rules.dead_letter_queues_wake_somebody,
    rules.queues_take_messages_from_their_topic_only,
    rules.mappings_report_failures_one_by_one,
    rules.streams_give_up_on_a_bad_record,
    rules.topics_are_encrypted,
    rules.subscriptions_choose_their_events,
    rules.subscriptions_keep_what_they_cannot_deliver,
    rules.waiting_is_no_loop,
    rules.identities_come_by_the_enhanced_flow,
    rules.identities_invoke_routes_and_nothing_else,
    rules.only_the_platform_makes_users,
    rules.only_identity_invokes_the_proxy,
    rules.only_the_proxy_is_in_a_network,
    rules.devices_speak_for_themselves_only,
    rules.iot_policies_fit,
    rules.role_policies_fit,
    rules.environments_fit,
    rules.devices_start_inactive,
    rules.operations_ask_who_calls,
    rules.sessions_routes_are_there_for_tokens_too,
    rules.tokens_are_known_by_their_authorizer,
    rules.identities_invoke_what_the_contract_says,
    rules.tokens_open_what_the_contract_says,
    rules.tokens_are_signed_by_identity_alone,
    rules.api_errors_are_problem_documents,
    rules.bodies_are_checked_by_functions,
    rules.third_parties_are_limited,
)
OF_DEVELOPMENT: tuple[Rule, ...] = (rules.secrets_vanish_with_the_stack,)
OF_PRODUCTION: tuple[Rule, ...] = (
    rules.tables_are_protected,
    rules.people_are_protected,
    rules.buckets_are_emptied_by_hand,
    rules.nothing_is_a_mock,
    rules.partners_are_themselves,
    rules.logs_last_a_quarter,
    rules.secrets_can_be_brought_back,
)
OF_AN_ACCOUNT: tuple[Rule, ...] = (
    rules.roles_are_assumed_by_their_own_service,
    rules.buckets_are_private_and_encrypted,
    rules.token_keys_sign,
)


def named(rule: object) -> str:
    return getattr(rule, "__name__", "")


@pytest.mark.parametrize("rule", OF_EVERY_STACK + OF_DEVELOPMENT, ids=named)
def test_a_stack_of_development_keeps(rule: Rule, development: Plan) -> None:
    assert list(rule(development)) == []


@pytest.mark.parametrize("rule", OF_EVERY_STACK + OF_PRODUCTION, ids=named)
def test_a_stack_of_production_keeps(rule: Rule, production: Plan) -> None:
    assert list(rule(production)) == []


@pytest.mark.parametrize("rule", OF_EVERY_STACK + OF_PRODUCTION, ids=named)
def test_a_stack_of_staging_keeps(rule: Rule, staging: Plan) -> None:
    assert list(rule(staging)) == []


@pytest.mark.parametrize("rule", OF_PRODUCTION, ids=named)
def test_a_stack_of_development_is_what_the_other_stages_must_not_be(rule: Rule, development: Plan) -> None:
    assert list(rule(development))


@pytest.mark.parametrize("rule", OF_AN_ACCOUNT, ids=named)
def test_an_account_keeps(rule: Rule, account: Plan) -> None:
    assert list(rule(account)) == []


def test_a_stack_of_development_has_the_mocks_that_production_has_not(development: Plan) -> None:
    assert list(rules.nothing_is_a_mock(development))


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


def test_a_stack_of_an_account_with_a_partners_network_has_its_proxy_there(planner: Planner) -> None:
    network = {"subnet_ids": ["subnet-0a1b2c3d"], "security_group_ids": ["sg-0a1b2c3d"]}

    plan = planner.stack(
        stage="production", partner_urls=ADDRESSES, secrets=given("production"), partner_network=network
    )

    placed = {
        function.values["function_name"]: function.values["vpc_config"][0]
        for function in plan.of("aws_lambda_function")
        if function.values["vpc_config"]
    }
    assert set(placed) == {f"{STACK}-partners-proxy"}
    assert placed[f"{STACK}-partners-proxy"]["subnet_ids"] == network["subnet_ids"]
    for rule in (rules.only_the_proxy_is_in_a_network, rules.statements_name_actions_and_resources):
        assert list(rule(plan)) == []


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


ACL = f"arn:aws:wafv2:eu-west-1:{ACCOUNT}:regional/webacl/paygo/0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11"


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
    with pytest.raises(PlanRefused) as refused:
        planner.account(partner_network={**NETWORK, "cidr": "10.20.0.0", "customer_gateway_ip": "bank.example.net"})

    said = " ".join(str(refused.value).replace("│", " ").split())
    assert "Give both CIDRs with their lengths" in said
    assert "The partner's gateway is an IPv4 address" in said


def test_a_stack_stands_behind_the_firewall_of_its_account(planner: Planner, development: Plan) -> None:
    [placed] = planner.stack(stage="development", web_acl_arn=ACL).of("aws_wafv2_web_acl_association")

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
    plan = planner.stack(stage="development", delay_scale=0.01)

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
LEDGER_TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{STACK}-ledger"

# One resource of a plan that keeps a rule, doctored so that it does not.
BROKEN: tuple[tuple[Rule, str, str, Doctor], ...] = (
    (rules.every_policy_is_known, "aws_iam_role_policy", STATEMENTS, set_to(policy=None)),
    (
        rules.roles_are_assumed_by_their_own_service,
        "aws_iam_role",
        FUNCTION,
        in_statement("assume_role_policy", Principal={"AWS": "*"}),
    ),
    (
        rules.roles_are_assumed_by_their_own_service,
        "aws_iam_role",
        FUNCTION,
        in_statement("assume_role_policy", Principal={"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}),
    ),
    (
        rules.roles_are_assumed_by_their_own_service,
        "aws_iam_role",
        "module.iot.aws_iam_role.rules",
        in_statement("assume_role_policy", Condition={}),
    ),
    (
        rules.roles_are_assumed_by_their_own_service,
        "aws_iam_role",
        ANONYMOUS,
        in_document(
            "assume_role_policy",
            lambda document: document["Statement"][0]["Condition"].pop("ForAnyValue:StringLike"),
        ),
    ),
    (
        rules.roles_are_assumed_by_their_own_service,
        "aws_iam_role",
        ANONYMOUS,
        in_document(
            "assume_role_policy",
            lambda document: document["Statement"][0]["Condition"].pop("StringEquals"),
        ),
    ),
    (
        rules.roles_hold_nothing_but_their_statements,
        "aws_iam_role",
        FUNCTION,
        set_to(managed_policy_arns=["arn:aws:iam::aws:policy/AdministratorAccess"]),
    ),
    (
        rules.statements_name_actions_and_resources,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:*", Resource=LEDGER_TABLE),
    ),
    (
        rules.statements_name_actions_and_resources,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:GetItem", Resource="*"),
    ),
    (
        rules.statements_name_actions_and_resources,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:GetItem", Resource=LEDGER_TABLE.replace("ledger", "*")),
    ),
    (
        rules.statements_stay_in_the_stack,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Resource=LEDGER_TABLE.replace(STACK, f"{STACK}er")),
    ),
    (
        rules.only_identity_writes_sessions,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:PutItem", Resource=LEDGER_TABLE.replace("-ledger", "-sessions")),
    ),
    (
        rules.services_keep_to_their_own_tables,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="dynamodb:GetItem", Resource=LEDGER_TABLE.replace("-ledger", "-payments")),
    ),
    (
        rules.the_audit_is_only_added_to,
        "aws_iam_role_policy",
        'module.operations.aws_iam_role_policy.this["keep-audit"]',
        in_statement("policy", Action="dynamodb:DeleteItem", Resource=LEDGER_TABLE.replace("-ledger", "-audit")),
    ),
    (
        rules.refusals_are_audited,
        "aws_cloudwatch_log_subscription_filter",
        'refusals["ledger/accounts"]',
        set_to(log_group_name=f"/aws/lambda/{STACK}-operations-keep-refusals"),
    ),
    (
        rules.refusals_are_audited,
        "aws_cloudwatch_log_subscription_filter",
        'errors["ledger/book-payments"]',
        set_to(log_group_name=f"/aws/lambda/{STACK}-ledger-accounts"),
    ),
    (
        rules.functions_cannot_make_log_groups,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action=["logs:CreateLogGroup"]),
    ),
    (
        rules.functions_have_a_role_and_a_log_group_of_their_own,
        "aws_cloudwatch_log_group",
        'module.ledger.aws_cloudwatch_log_group.this["accounts"]',
        set_to(retention_in_days=0),
    ),
    (
        rules.functions_have_a_role_and_a_log_group_of_their_own,
        "aws_iam_role",
        FUNCTION,
        set_to(name="shared"),
    ),
    (rules.functions_are_called_at_their_live_alias, "aws_lambda_permission", PERMISSION, set_to(qualifier=None)),
    (rules.permissions_name_their_one_caller, "aws_lambda_permission", PERMISSION, set_to(source_arn=None)),
    (
        rules.permissions_name_their_one_caller,
        "aws_lambda_permission",
        PERMISSION,
        set_to(source_arn=f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:abcdefghij/*"),
    ),
    (
        rules.permissions_name_their_one_caller,
        "aws_lambda_permission",
        'this["answer-credit by iot.amazonaws.com"]',
        set_to(source_arn=f"arn:aws:iot:eu-west-1:{ACCOUNT}:rule/*"),
    ),
    (
        rules.permissions_name_their_one_caller,
        "aws_lambda_permission",
        'this["report-errors by logs.amazonaws.com"]',
        set_to(source_arn=f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/*:*"),
    ),
    (
        rules.callers_can_say_what_permissions_ask,
        "aws_lambda_permission",
        'this["count-dead-letters by events.amazonaws.com"]',
        set_to(source_account=ACCOUNT),
    ),
    (
        rules.unattended_failures_are_kept,
        "aws_lambda_function_event_invoke_config",
        'this["answer-credit"]',
        set_to(qualifier="$LATEST"),
    ),
    (
        rules.unattended_failures_are_kept,
        "aws_iam_role_policy",
        'module.operations.aws_iam_role_policy.this["report-errors"]',
        set_to(policy=json.dumps({"Statement": []})),
    ),
    (
        rules.mappings_may_read_their_queue,
        "aws_iam_role_policy",
        'module.ledger.aws_iam_role_policy.this["book-payments"]',
        set_to(policy=json.dumps({"Statement": []})),
    ),
    (
        rules.mappings_may_read_their_queue,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement(
            "policy",
            Action=["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            Resource=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{STACK}-ledger-book-payments-dead",
        ),
    ),
    (
        rules.messages_stay_with_their_worker,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        set_to(visibility_timeout_seconds=30),
    ),
    (
        rules.dead_letters_are_archived,
        "aws_sqs_queue",
        "module.iot.module.dead.aws_sqs_queue.this",
        set_to(name="unwatched"),
    ),
    (
        rules.dead_letters_are_archived,
        "aws_sqs_queue",
        "module.iot.module.dead.aws_sqs_queue.this",
        set_to(visibility_timeout_seconds=30),
    ),
    (
        rules.errors_are_reported,
        "aws_cloudwatch_log_subscription_filter",
        'errors["ledger/accounts"]',
        set_to(log_group_name=f"/aws/lambda/{STACK}-operations-report-errors"),
    ),
    (rules.third_parties_are_limited, "aws_api_gateway_usage_plan", "", set_to(quota_settings=[])),
    (rules.schedules_call_functions, "aws_cloudwatch_event_target", "", set_to(rule="another")),
    (rules.alarms_reach_the_operators, "aws_cloudwatch_metric_alarm", "", set_to(alarm_actions=[])),
    (
        rules.alarms_reach_the_operators,
        "aws_sns_topic",
        "aws_sns_topic.alarms",
        set_to(kms_master_key_id="alias/aws/sns"),
    ),
    (
        rules.alarms_reach_the_operators,
        "aws_sns_topic",
        "aws_sns_topic.alarms",
        in_statement("policy", Principal={"AWS": "*"}),
    ),
    (
        rules.buckets_are_private_and_encrypted,
        "aws_s3_bucket_public_access_block",
        "module.payloads_bucket.aws_s3_bucket_public_access_block.this",
        set_to(block_public_policy=False),
    ),
    (
        rules.operators_routes_are_for_operators,
        "aws_iam_role_policy",
        HOUSEHOLD,
        in_statement("policy", Resource=f"{API}/GET/operations/dead-letters"),
    ),
    (
        rules.statements_name_actions_and_resources,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="cloudwatch:PutMetricData", Resource="*"),
    ),
    (rules.operations_are_answered, "aws_lambda_permission", PERMISSION, set_to(function_name="another")),
    (
        rules.iot_may_call_what_it_names,
        "aws_lambda_permission",
        'this["answer-credit by iot.amazonaws.com"]',
        set_to(source_arn=f"arn:aws:iot:eu-west-1:{ACCOUNT}:rule/another"),
    ),
    (
        rules.iot_may_call_what_it_names,
        "aws_lambda_permission",
        'this["verify-provisioning by iot.amazonaws.com"]',
        set_to(source_account=None),
    ),
    (
        rules.rules_hear_their_own_stack,
        "aws_iot_topic_rule",
        "",
        set_to(sql="SELECT * FROM 'paygo/+/+/credit/get'"),
    ),
    (rules.rules_hear_their_own_stack, "aws_iot_topic_rule", "", set_to(error_action=[])),
    (
        rules.devices_messages_can_be_followed,
        "aws_iot_topic_rule",
        "",
        set_to(sql="SELECT device_id FROM 'paygo/paygo-policy/+/credit/get'"),
    ),
    (
        rules.queues_have_a_dead_letter_queue_or_are_one,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        set_to(redrive_policy=None),
    ),
    (
        rules.dead_letter_queues_wake_somebody,
        "aws_cloudwatch_metric_alarm",
        'consumer["book-payments"].module.dead.aws_cloudwatch_metric_alarm.this',
        lambda alarm: alarm["metric_query"][0].update(expression="SUM([waiting])", return_data=True),
    ),
    (
        rules.dead_letter_queues_wake_somebody,
        "aws_sqs_queue",
        'consumer["book-payments"].module.dead.aws_sqs_queue.this',
        set_to(message_retention_seconds=60),
    ),
    (
        rules.queues_take_messages_from_their_topic_only,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        in_statement("policy", Condition={}),
    ),
    (
        rules.queues_take_messages_from_their_topic_only,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        set_to(sqs_managed_sse_enabled=False),
    ),
    (
        rules.mappings_report_failures_one_by_one,
        "aws_lambda_event_source_mapping",
        "",
        set_to(function_response_types=None),
    ),
    (
        rules.streams_give_up_on_a_bad_record,
        "aws_lambda_event_source_mapping",
        'module.ledger.module.outbox["publish-outbox"].aws_lambda_event_source_mapping.this',
        set_to(maximum_record_age_in_seconds=-1),
    ),
    (
        rules.topics_are_encrypted,
        "aws_sns_topic",
        "module.ledger_topic.aws_sns_topic.this",
        set_to(kms_master_key_id=None),
    ),
    (
        rules.subscriptions_choose_their_events,
        "aws_sns_topic_subscription",
        'consumer["book-payments"].aws_sns_topic_subscription.this["topic"]',
        set_to(filter_policy=None),
    ),
    (
        rules.subscriptions_keep_what_they_cannot_deliver,
        "aws_sns_topic_subscription",
        'consumer["book-payments"].aws_sns_topic_subscription.this["topic"]',
        set_to(redrive_policy=None),
    ),
    (
        rules.subscriptions_keep_what_they_cannot_deliver,
        "aws_sqs_queue",
        'consumer["book-payments"].module.dead.aws_sqs_queue.this',
        set_to(policy=None),
    ),
    (rules.waiting_is_no_loop, "aws_lambda_function_recursion_config", "", set_to(recursive_loop="Terminate")),
    (rules.identities_come_by_the_enhanced_flow, "aws_cognito_identity_pool", "", set_to(allow_classic_flow=True)),
    (
        rules.identities_invoke_routes_and_nothing_else,
        "aws_iam_role_policy",
        HOUSEHOLD,
        in_statement("policy", Action=["execute-api:Invoke", "execute-api:ManageConnections"]),
    ),
    (
        rules.identities_invoke_routes_and_nothing_else,
        "aws_iam_role_policy",
        HOUSEHOLD,
        in_statement("policy", Resource=f"{API}/POST/partners/supplier/manifests"),
    ),
    (
        rules.only_identity_invokes_the_proxy,
        "aws_iam_role_policy",
        'module.devices.aws_iam_role_policy.this["devices"]',
        in_statement(
            "policy",
            Action=["lambda:InvokeFunction"],
            Resource=[f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{STACK}-partners-proxy:live"],
        ),
    ),
    (
        rules.only_identity_invokes_the_proxy,
        "aws_iam_role_policy",
        'module.identity.aws_iam_role_policy.this["request-check"]',
        in_statement(
            "policy",
            Action=["lambda:InvokeFunction"],
            Resource=[f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{STACK}-ledger-accounts:live"],
        ),
    ),
    (
        rules.only_the_proxy_is_in_a_network,
        "aws_lambda_function",
        'module.identity.aws_lambda_function.this["request-check"]',
        set_to(vpc_config=[{"subnet_ids": ["subnet-1"]}]),
    ),
    (
        rules.only_the_platform_makes_users,
        "aws_cognito_user_pool",
        "",
        set_to(admin_create_user_config=[{"allow_admin_create_user_only": False}]),
    ),
    (
        rules.only_the_platform_makes_users,
        "aws_cognito_user_pool_client",
        "",
        set_to(explicit_auth_flows=["ALLOW_USER_PASSWORD_AUTH"]),
    ),
    (
        rules.only_the_platform_makes_users,
        "aws_cognito_user_pool_client",
        "",
        set_to(explicit_auth_flows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]),
    ),
    (
        rules.only_the_platform_makes_users,
        "aws_cognito_user_pool",
        "",
        set_to(account_recovery_setting=[{"recovery_mechanism": [{"name": "verified_email", "priority": 1}]}]),
    ),
    (
        rules.only_the_platform_makes_users,
        "aws_cognito_user_pool_client",
        "",
        set_to(write_attributes=None),
    ),
    (
        rules.iot_policies_fit,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.device",
        set_to(policy=json.dumps({"Resource": ["arn:aws:iot:us-east-1:1:topic/a"] * 60})),
    ),
    (
        rules.role_policies_fit,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Resource=[f"{LEDGER_TABLE}/index/{number}" for number in range(120)]),
    ),
    (
        rules.environments_fit,
        "aws_lambda_function",
        'module.ledger.aws_lambda_function.this["accounts"]',
        set_to(environment=[{"variables": {"TABLE": "x" * 4_096}}]),
    ),
    (
        rules.devices_speak_for_themselves_only,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.device",
        in_statement("policy", Resource=f"arn:aws:iot:eu-west-1:{ACCOUNT}:topic/paygo/{STACK}/*"),
    ),
    (
        rules.devices_speak_for_themselves_only,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.claim",
        in_statement("policy", Resource=f"arn:aws:iot:eu-west-1:{ACCOUNT}:topic/paygo/{STACK}/x/credit/get"),
    ),
    (
        rules.devices_speak_for_themselves_only,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.claim",
        in_statement("policy", Resource=f"arn:aws:iot:eu-west-1:{ACCOUNT}:client/{STACK}-*"),
    ),
    (
        rules.devices_start_inactive,
        "aws_iot_provisioning_template",
        "",
        in_document(
            "template_body",
            lambda document: document["Resources"]["certificate"]["Properties"].update(Status="ACTIVE"),
        ),
    ),
    (
        rules.operations_ask_who_calls,
        "aws_api_gateway_rest_api",
        "",
        in_operation("/v1/devices", "get", lambda operation: operation.update(security=[])),
    ),
    (
        rules.operations_ask_who_calls,
        "aws_api_gateway_rest_api",
        "",
        in_operation("/partners/supplier/manifests", "post", lambda operation: operation.update(security=[])),
    ),
    (
        rules.sessions_routes_are_there_for_tokens_too,
        "aws_api_gateway_rest_api",
        "",
        in_document("body", lambda document: document["paths"].pop("/bearer/v1/statement")),
    ),
    (
        rules.sessions_routes_are_there_for_tokens_too,
        "aws_api_gateway_rest_api",
        "",
        in_operation("/v1/devices", "get", lambda operation: operation.update(security=[{"bearer": []}])),
    ),
    (rules.tokens_are_known_by_their_authorizer, "aws_api_gateway_rest_api", "", in_authorizer(type="token")),
    (
        rules.tokens_are_known_by_their_authorizer,
        "aws_api_gateway_rest_api",
        "",
        in_authorizer(authorizerResultTtlInSeconds=300),
    ),
    (
        rules.tokens_are_known_by_their_authorizer,
        "aws_api_gateway_rest_api",
        "",
        in_authorizer(identitySource="method.request.header.Accept"),
    ),
    (
        rules.tokens_are_known_by_their_authorizer,
        "aws_lambda_permission",
        "aws_lambda_permission.authorizer",
        set_to(source_arn=f"{API}/GET/v1/devices"),
    ),
    (
        rules.tokens_are_known_by_their_authorizer,
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
        rules.identities_invoke_what_the_contract_says,
        "aws_iam_role_policy",
        'module.identity_pool.aws_iam_role_policy.this["unauthenticated"]',
        in_document("policy", lambda document: document["Statement"][0]["Resource"].append(f"{API}/GET/v1/*")),
    ),
    (
        rules.identities_invoke_what_the_contract_says,
        "aws_iam_role_policy",
        HOUSEHOLD,
        in_document("policy", lambda document: document["Statement"][0]["Resource"].remove(f"{API}/GET/v1/statement")),
    ),
    (
        rules.tokens_open_what_the_contract_says,
        "aws_lambda_function",
        'module.identity.aws_lambda_function.this["authorizer"]',
        in_variable("SCOPE_ROUTES", lambda routes: routes["household"]["accounts:read"].pop()),
    ),
    (
        rules.tokens_open_what_the_contract_says,
        "aws_lambda_function",
        'module.identity.aws_lambda_function.this["sessions"]',
        in_variable("SCOPES", lambda scopes: scopes["anonymous"].append("accounts:read")),
    ),
    (
        rules.tokens_open_what_the_contract_says,
        "aws_lambda_function",
        'module.identity.aws_lambda_function.this["authorizer"]',
        lambda function: function["environment"][0]["variables"].pop("SCOPE_ROUTES"),
    ),
    (
        rules.tokens_are_signed_by_identity_alone,
        "aws_iam_role_policy",
        STATEMENTS,
        in_statement("policy", Action="kms:Sign", Resource=TOKEN_KEYS[0]),
    ),
    (
        rules.tokens_are_signed_by_identity_alone,
        "aws_iam_role_policy",
        'module.identity.aws_iam_role_policy.this["sessions"]',
        in_statement("policy", Action="kms:Sign", Resource=TOKEN_KEYS[1]),
    ),
    (
        rules.api_errors_are_problem_documents,
        "aws_api_gateway_rest_api",
        "",
        in_document(
            "body",
            lambda document: document["x-amazon-apigateway-gateway-responses"]["THROTTLED"].update(statusCode="200"),
        ),
    ),
    (
        rules.bodies_are_checked_by_functions,
        "aws_api_gateway_rest_api",
        "",
        in_operation("/v1/devices", "post", lambda operation: operation.update(requestBody={})),
    ),
    (rules.roles_stay_within_the_boundary, "aws_iam_role", "", set_to(permissions_boundary=None)),
    (rules.secrets_vanish_with_the_stack, "aws_secretsmanager_secret", "", set_to(recovery_window_in_days=30)),
)


def doctored(plan: Plan, kind: str, ending: str, doctor: Doctor) -> Plan:
    target = next(resource for resource in plan.of(kind) if resource.address.endswith(ending))
    values = copy.deepcopy(dict(target.values))
    doctor(values)
    return Plan(tuple(replace(one, values=values) if one is target else one for one in plan.resources))


@pytest.mark.parametrize(("rule", "kind", "ending", "doctor"), BROKEN, ids=named)
def test_a_rule_notices(rule: Rule, kind: str, ending: str, doctor: Doctor, development: Plan) -> None:
    assert list(rule(doctored(development, kind, ending, doctor)))


def test_a_rule_notices_an_unprotected_table(production: Plan) -> None:
    unprotected = doctored(production, "aws_dynamodb_table", "", set_to(deletion_protection_enabled=False))

    assert list(rules.tables_are_protected(unprotected))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("aws_s3_bucket_public_access_block", {"block_public_acls": False}),
        ("aws_s3_bucket_server_side_encryption_configuration", {"rule": []}),
        ("aws_s3_bucket_versioning", {"versioning_configuration": [{"status": "Suspended"}]}),
    ],
)
def test_a_rule_notices_an_open_bucket(kind: str, values: dict[str, Any], account: Plan) -> None:
    assert list(rules.buckets_are_private_and_encrypted(doctored(account, kind, "", set_to(**values))))


def test_an_account_has_a_key_for_tokens_and_a_second_while_one_replaces_the_other(
    planner: Planner, account: Plan
) -> None:
    assert len(account.of("aws_kms_key")) == 1
    assert len(planner.account(token_keys=["2", "1"]).of("aws_kms_key")) == 2


@pytest.mark.parametrize("values", [{"customer_master_key_spec": "ECC_NIST_P256"}, {"deletion_window_in_days": 30}])
def test_a_rule_notices_a_key_that_no_verifier_expects(values: dict[str, Any], account: Plan) -> None:
    assert list(rules.token_keys_sign(doctored(account, "aws_kms_key", "", set_to(**values))))


def test_every_rule_is_shown_to_notice() -> None:
    shown = {rule for rule, *_ in BROKEN}

    assert set(OF_EVERY_STACK + OF_DEVELOPMENT) <= shown
