"""The configuration keeps every rule, and every rule notices when it does not."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.policy import rules
from tests.policy.plan import ACCOUNT, STACK, Plan

type Rule = Callable[[Plan], rules.Complaints]
type Doctor = Callable[[dict[str, Any]], object]

OF_EVERY_STACK: tuple[Rule, ...] = (
    rules.every_policy_is_known,
    rules.roles_are_assumed_by_their_own_service,
    rules.roles_hold_nothing_but_their_statements,
    rules.statements_name_actions_and_resources,
    rules.statements_stay_in_the_stack,
    rules.only_identity_writes_sessions,
    rules.services_keep_to_their_own_tables,
    rules.functions_cannot_make_log_groups,
    rules.functions_have_a_role_and_a_log_group_of_their_own,
    rules.functions_are_called_at_their_live_alias,
    rules.permissions_name_their_one_caller,
    rules.operations_are_answered,
    rules.iot_may_call_what_it_names,
    rules.rules_hear_their_own_stack,
    rules.queues_have_a_dead_letter_queue_or_are_one,
    rules.dead_letter_queues_wake_somebody,
    rules.queues_take_messages_from_their_topic_only,
    rules.mappings_report_failures_one_by_one,
    rules.streams_give_up_on_a_bad_record,
    rules.topics_are_encrypted,
    rules.subscriptions_choose_their_events,
    rules.identities_come_by_the_enhanced_flow,
    rules.identities_invoke_routes_and_nothing_else,
    rules.only_the_platform_makes_users,
    rules.devices_speak_for_themselves_only,
    rules.iot_policies_fit,
    rules.devices_start_inactive,
    rules.operations_ask_who_calls,
    rules.api_errors_are_problem_documents,
    rules.bodies_are_checked_by_functions,
)
OF_DEVELOPMENT: tuple[Rule, ...] = (rules.secrets_vanish_with_the_stack,)
OF_PRODUCTION: tuple[Rule, ...] = (rules.tables_are_protected, rules.nothing_is_a_mock)
OF_AN_ACCOUNT: tuple[Rule, ...] = (
    rules.roles_are_assumed_by_their_own_service,
    rules.buckets_are_private_and_encrypted,
)


def named(rule: object) -> str:
    return getattr(rule, "__name__", "")


@pytest.mark.parametrize("rule", OF_EVERY_STACK + OF_DEVELOPMENT, ids=named)
def test_a_stack_of_development_keeps(rule: Rule, development: Plan) -> None:
    assert list(rule(development)) == []


@pytest.mark.parametrize("rule", OF_EVERY_STACK + OF_PRODUCTION, ids=named)
def test_a_stack_of_production_keeps(rule: Rule, production: Plan) -> None:
    assert list(rule(production)) == []


@pytest.mark.parametrize("rule", OF_AN_ACCOUNT, ids=named)
def test_an_account_keeps(rule: Rule, account: Plan) -> None:
    assert list(rule(account)) == []


def test_a_stack_of_development_has_the_mocks_that_production_has_not(development: Plan) -> None:
    assert list(rules.nothing_is_a_mock(development))


def test_a_mock_of_production_has_no_function_either(production: Plan) -> None:
    functions = {function.values["function_name"] for function in production.of("aws_lambda_function")}

    assert not [name for name in functions if name.startswith(f"{STACK}-partners-")]


def test_production_without_an_identity_bureau_is_refused_in_a_sentence(planner: Any) -> None:
    with pytest.raises(AssertionError, match="Production has no mock of the identity bureau"):
        planner.stack(stage="production")


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
        rules.queues_have_a_dead_letter_queue_or_are_one,
        "aws_sqs_queue",
        'consumer["book-payments"].aws_sqs_queue.this',
        set_to(redrive_policy=None),
    ),
    (
        rules.dead_letter_queues_wake_somebody,
        "aws_cloudwatch_metric_alarm",
        'consumer["book-payments"].module.dead.aws_cloudwatch_metric_alarm.this',
        set_to(dimensions={"QueueName": "another"}),
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
    (rules.topics_are_encrypted, "aws_sns_topic", "", set_to(kms_master_key_id=None)),
    (rules.subscriptions_choose_their_events, "aws_sns_topic_subscription", "", set_to(filter_policy=None)),
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
        rules.iot_policies_fit,
        "aws_iot_policy",
        "module.iot.aws_iot_policy.device",
        set_to(policy=json.dumps({"Resource": ["arn:aws:iot:us-east-1:1:topic/a"] * 60})),
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


def test_every_rule_is_shown_to_notice() -> None:
    shown = {rule for rule, *_ in BROKEN}

    assert set(OF_EVERY_STACK + OF_DEVELOPMENT) <= shown
