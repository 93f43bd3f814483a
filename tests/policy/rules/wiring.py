"""Who calls whom, and whether both sides say so: what fails is kept and somebody is woken."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.policy.plan import ACCOUNT, HERE, STACK, Plan, Resource
from tests.policy.rules.reading import (
    Complaints,
    Rights,
    function_of,
    iot_actions,
    operations_of,
    roles_of_functions,
    route_of,
    statements,
)


def callers_are_let_in(plan: Plan) -> Complaints:
    """Else what calls a function is refused, and says so to nobody."""
    given = list(_permissions(plan))
    for address, call in _calls(plan):
        if not any(_lets_in(permission, call) for _, permission in given):
            yield f"{address}: {call.principal} may not call {call.function}"


def permissions_are_for_what_calls(plan: Plan) -> Complaints:
    """And for nothing else: each lets one route, rule, template or topic in, which is there and calls."""
    calls = list(_calls(plan))
    for address, permission in _permissions(plan):
        if not any(_lets_in(permission, call) for _, call in calls):
            yield f"{address}: lets {permission.principal} in from {permission.source}, and nothing calls from there"


@dataclass(frozen=True)
class Call:
    """A service that calls a function's alias for one of its resources."""

    principal: str
    source: str
    function: str


def _permissions(plan: Plan) -> Iterator[tuple[str, Call]]:
    for permission in plan.of("aws_lambda_permission"):
        values = permission.values
        alias = f"arn:aws:lambda:{HERE}:function:{values['function_name']}:{values['qualifier']}"
        yield permission.address, Call(values["principal"], values.get("source_arn") or "anywhere", alias)


def _lets_in(permission: Call, call: Call) -> bool:
    return (permission.principal, permission.function) == (call.principal, call.function) and fnmatchcase(
        call.source, permission.source
    )


def _calls(plan: Plan) -> Iterator[tuple[str, Call]]:
    """Find out who calls which function."""
    yield from _calls_of_apis(plan)
    for rule in plan.of("aws_iot_topic_rule"):
        for kind, action in iot_actions(rule):
            if kind == "lambda":
                source = f"arn:aws:iot:{HERE}:rule/{rule.values['name']}"
                yield rule.address, Call("iot.amazonaws.com", source, action["function_arn"])
    for template in plan.of("aws_iot_provisioning_template"):
        source = f"arn:aws:iot:{HERE}:provisioningtemplate/{template.values['name']}"
        for hook in template.values["pre_provisioning_hook"]:
            yield template.address, Call("iot.amazonaws.com", source, hook["target_arn"])
    for target in plan.of("aws_cloudwatch_event_target"):
        source = f"arn:aws:events:{HERE}:rule/{target.values['rule']}"
        yield target.address, Call("events.amazonaws.com", source, target.values["arn"])
    for subscription in plan.of("aws_sns_topic_subscription"):
        if subscription.values["protocol"] == "lambda":
            values = subscription.values
            yield subscription.address, Call("sns.amazonaws.com", values["topic_arn"], values["endpoint"])
    for one in plan.of("aws_cloudwatch_log_subscription_filter"):
        source = f"arn:aws:logs:{HERE}:log-group:{one.values['log_group_name']}:*"
        yield one.address, Call("logs.amazonaws.com", source, one.values["destination_arn"])


def _calls_of_apis(plan: Plan) -> Iterator[tuple[str, Call]]:
    caller = "apigateway.amazonaws.com"
    for api in plan.of("aws_api_gateway_rest_api"):
        arn = f"arn:aws:execute-api:{HERE}:{api.values['id']}"
        for scheme in api.document("body")["components"]["securitySchemes"].values():
            authorizer = scheme.get("x-amazon-apigateway-authorizer")
            if authorizer:
                yield api.address, Call(caller, f"{arn}/authorizers/*", _invoked(authorizer["authorizerUri"]))
    for method, path, operation in operations_of(plan):
        uri = operation["x-amazon-apigateway-integration"]["uri"]
        yield path, Call(caller, f"{arn}/v/{route_of(method, path)}", _invoked(uri))


def _invoked(uri: str) -> str:
    """Take a function's ARN out of the address that API Gateway calls it by."""
    return uri.partition("/functions/")[2].removesuffix("/invocations")


def schedules_call_functions(plan: Plan) -> Complaints:
    targets = {target.values["rule"] for target in plan.of("aws_cloudwatch_event_target")}
    for rule in plan.of("aws_cloudwatch_event_rule"):
        if rule.values["name"] not in targets:
            yield f"{rule.address}: calls nobody"


def unattended_failures_are_kept(plan: Plan) -> Complaints:
    """Who calls without waiting for an answer never learns of a failure."""
    kept = {
        config.values["function_name"]
        for config in plan.of("aws_lambda_function_event_invoke_config")
        if config.values["qualifier"] == "live" and config.values["destination_config"]
    }
    for permission in plan.of("aws_lambda_permission"):
        name, source = permission.values["function_name"], permission.values.get("source_arn") or ""
        waits = permission.values["principal"] == "apigateway.amazonaws.com" or ":provisioningtemplate/" in source
        if not waits and name not in kept:
            yield f"{permission.address}: what fails is lost"


def failures_may_be_sent(plan: Plan) -> Complaints:
    """The function's role is what sends to the destination of its failures, of a stream's and of a call's."""
    rights, roles = Rights(plan), roles_of_functions(plan)
    for kind in ("aws_lambda_event_source_mapping", "aws_lambda_function_event_invoke_config"):
        for resource in plan.of(kind):
            role = roles[function_of(resource.values["function_name"]) or resource.values["function_name"]]
            for config in resource.values["destination_config"] or []:
                for failure in config["on_failure"]:
                    arn = failure.get("destination_arn") or failure.get("destination")
                    action = SENDING.get(arn.split(":")[2], "")
                    if not rights.may(role, action, arn):
                        yield f"{resource.address}: {role} may not send to {arn}"


SENDING = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}
READING = {
    "sqs": ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
    "dynamodb": (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ),
}


def mappings_may_read_their_source(plan: Plan) -> Complaints:
    """The function's role is what polls: without the right, messages wait and nobody is told."""
    rights, roles = Rights(plan), roles_of_functions(plan)
    for mapping in plan.of("aws_lambda_event_source_mapping"):
        source, role = mapping.values["event_source_arn"], roles[function_of(mapping.values["function_name"])]
        for action in READING[source.split(":")[2]]:
            if not rights.may(role, action, source):
                yield f"{mapping.address}: {role} has no {action} on {source}"


def queues_are_read_by_their_one_function(plan: Plan) -> Complaints:
    """Each has one mapping, and no other role takes messages from it."""
    readers: dict[str, list[str]] = {}
    for mapping in plan.of("aws_lambda_event_source_mapping"):
        readers.setdefault(mapping.values["event_source_arn"], []).append(function_of(mapping.values["function_name"]))
    rights, roles = Rights(plan), roles_of_functions(plan)
    for queue in plan.of("aws_sqs_queue"):
        arn = queue.values["arn"]
        if len(readers.get(arn, [])) != 1:
            yield f"{queue.address}: read by {readers.get(arn)}"
        for role in plan.of("aws_iam_role"):
            if role.values["arn"] not in {roles[name] for name in readers.get(arn, [])} and rights.may(
                role.values["arn"], "sqs:ReceiveMessage", arn
            ):
                yield f"{queue.address}: {role.address} may take what is another's"


# What a rule's action asks of its role, by the action's kind: the IAM action, and what in it names the resource.
IOT_ACTIONS = {
    "sns": ("sns:Publish", "target_arn"),
    "sqs": ("sqs:SendMessage", "queue_url"),
}


def iot_rules_may_act(plan: Plan) -> Complaints:
    """AWS IoT drops a message whose action its role does not allow."""
    rights = Rights(plan)
    arns = {queue.values["url"]: queue.values["arn"] for queue in plan.of("aws_sqs_queue")}
    for rule in plan.of("aws_iot_topic_rule"):
        for kind, action in iot_actions(rule):
            if kind == "lambda":
                continue  # has no role: the function's permission lets it in
            asked, place = IOT_ACTIONS.get(kind, ("", ""))
            resource = str(action.get(place))
            if not rights.may(action["role_arn"], asked, arns.get(resource, resource)):
                yield f"{rule.address}: {action['role_arn']} has no {asked or 'known action'} for {kind}"


def provisioning_may_make_devices(plan: Plan) -> Complaints:
    """Of what the template lists, with a certificate and a thing as they will be named."""
    certificate, thing = f"arn:aws:iot:{HERE}:cert/0b9f4f1e", f"arn:aws:iot:{HERE}:thing/{STACK}-SK00000001"
    needed = (
        *((action, certificate) for action in ("AttachPolicy", "DescribeCertificate", "UpdateCertificate")),
        *((action, thing) for action in ("AttachThingPrincipal", "CreateThing", "DescribeThing")),
        ("RegisterThing", "*"),
    )
    rights = Rights(plan)
    for template in plan.of("aws_iot_provisioning_template"):
        for action, resource in needed:
            if not rights.may(template.values["provisioning_role_arn"], f"iot:{action}", resource):
                yield f"{template.address}: has no iot:{action} on {resource}"


def queues_let_their_topics_in(plan: Plan) -> Complaints:
    """SNS drops what a queue refuses: the queue that it is for and the one for what could not be delivered."""
    queues = {queue.values["arn"]: queue for queue in plan.of("aws_sqs_queue")}
    for subscription in plan.of("aws_sns_topic_subscription"):
        if subscription.values["protocol"] != "sqs":
            continue
        redrive = json.loads(subscription.values["redrive_policy"] or "{}")
        for arn in (subscription.values["endpoint"], redrive.get("deadLetterTargetArn")):
            if arn not in queues or not _lets_topic_in(queues[arn], subscription.values["topic_arn"]):
                yield f"{subscription.address}: {arn} does not take it"


def _lets_topic_in(queue: Resource, topic: str) -> bool:
    return bool(queue.values.get("policy")) and any(
        statement["Action"] == "sqs:SendMessage"
        and statement["Resource"] == queue.values["arn"]
        and statement["Condition"] == {"ArnEquals": {"aws:SourceArn": topic}}
        for statement in statements(queue.document("policy"))
    )


def dead_letter_queues_take_what_their_queues_send(plan: Plan) -> Complaints:
    for queue in plan.of("aws_sqs_queue"):
        redrive = json.loads(queue.values.get("redrive_policy") or "{}")
        for dead in plan.of("aws_sqs_queue"):
            if dead.values["arn"] == redrive.get("deadLetterTargetArn"):
                taken = json.loads(dead.values.get("redrive_allow_policy") or "{}")
                if taken != {"redrivePermission": "byQueue", "sourceQueueArns": [queue.values["arn"]]}:
                    yield f"{dead.address}: takes {taken}"


def api_gateway_may_write_logs(plan: Plan) -> Complaints:
    """A stage's settings are refused where the account has no role for its logs."""
    held = {
        (attachment.values["role"], attachment.values["policy_arn"].rpartition("/")[2])
        for attachment in plan.of("aws_iam_role_policy_attachment")
    }
    for settings in plan.of("aws_api_gateway_account"):
        role = settings.values["cloudwatch_role_arn"].rpartition("/")[2]
        if (role, "AmazonAPIGatewayPushToCloudWatchLogs") not in held:
            yield f"{settings.address}: {role} may not write"


def functions_are_called_at_their_live_alias(plan: Plan) -> Complaints:
    for permission in plan.of("aws_lambda_permission"):
        if permission.values["qualifier"] != "live":
            yield f"{permission.address}: any version may be called"


def callers_can_say_what_permissions_ask(plan: Plan) -> Complaints:
    """EventBridge names its rule and not its account: who asks for both lets nobody in, and nobody is told."""
    for permission in plan.of("aws_lambda_permission"):
        principal = permission.values["principal"]
        if permission.values["source_account"] and principal != "iot.amazonaws.com":
            yield f"{permission.address}: {principal} does not name its account"


def dead_letters_are_archived(plan: Plan) -> Complaints:
    """Each dead-letter queue has a mapping, which leaves a letter long enough to who archives it."""
    mapped = sum("dead_letters" in mapping.address for mapping in plan.of("aws_lambda_event_source_mapping"))
    dead = [queue for queue in plan.of("aws_sqs_queue") if queue.values["name"].endswith("-dead")]
    if mapped != len(dead):
        yield f"{len(dead)} dead-letter queues and {mapped} mappings"
    archive = plan.named("aws_lambda_function", 'this["archive-dead-letters"]')
    for queue in dead:
        if queue.values["visibility_timeout_seconds"] < 6 * archive.values["timeout"]:
            yield f"{queue.address}: hands a letter out again while it is being archived"


def messages_stay_with_their_worker(plan: Plan) -> Complaints:
    """Lambda refuses a mapping whose queue would hand a message out before the function's time is over."""
    timeouts = {one.values["function_name"]: one.values["timeout"] for one in plan.of("aws_lambda_function")}
    for queue in plan.of("aws_sqs_queue"):
        name = queue.values["name"]
        if not name.endswith("-dead") and queue.values["visibility_timeout_seconds"] < 6 * timeouts[name]:
            yield f"{queue.address}: less than six times the function's {timeouts[name]} s"


def refusals_are_audited(plan: Plan) -> Complaints:
    """Of every function behind the API; and a log group takes two subscriptions, no more."""
    filters = [one.values for one in plan.of("aws_cloudwatch_log_subscription_filter")]
    audited = {one["log_group_name"] for one in filters if one["name"] == "refusals"}
    for _, path, operation in operations_of(plan):
        function = operation["x-amazon-apigateway-integration"]["uri"].split(":function:")[1].split(":")[0]
        if f"/aws/lambda/{function}" not in audited:
            yield f"{path}: nobody learns whom {function} refuses"
    if f"/aws/lambda/{STACK}-operations-keep-refusals" in audited:
        yield "operations/keep-refusals: keeps itself busy for ever"
    groups = [one["log_group_name"] for one in filters]
    yield from (f"{group}: {groups.count(group)} subscriptions" for group in set(groups) if groups.count(group) > 2)


def errors_are_reported(plan: Plan) -> Complaints:
    """Every function's log but those of the functions that report."""
    silent = {f"/aws/lambda/{STACK}-operations-{name}" for name in ("report-errors", "notify-operators")}
    filters = [one.values for one in plan.of("aws_cloudwatch_log_subscription_filter")]
    followed = {one["log_group_name"] for one in filters if one["name"] == "errors"}
    for function in plan.of("aws_lambda_function"):
        group = f"/aws/lambda/{function.values['function_name']}"
        if (group in silent) == (group in followed):
            yield f"{function.address}: {'reports itself for ever' if group in silent else 'fails in silence'}"


def alarms_reach_the_operators(plan: Plan) -> Complaints:
    topic = plan.named("aws_sns_topic", "aws_sns_topic.alarms")
    arn = f"arn:aws:sns:eu-west-1:{ACCOUNT}:{topic.values['name']}"
    for alarm in plan.of("aws_cloudwatch_metric_alarm"):
        if alarm.values["alarm_actions"] != [arn] or alarm.values["ok_actions"] != [arn]:
            yield f"{alarm.address}: tells nobody"
    if topic.values["kms_master_key_id"]:
        yield f"{topic.address}: CloudWatch cannot publish where SNS's own key encrypts"
    [statement] = statements(topic.document("policy"))
    condition = {
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:{STACK}-*"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }
    if statement["Principal"] != {"Service": "cloudwatch.amazonaws.com"} or statement["Condition"] != condition:
        yield f"{topic.address}: open to others than the stack's alarms"


def rules_hear_their_own_stack(plan: Plan) -> Complaints:
    for rule in plan.of("aws_iot_topic_rule"):
        if f"FROM 'paygo/{STACK}/+/" not in rule.values["sql"]:
            yield f"{rule.address}: {rule.values['sql']}"
        if not rule.values["error_action"]:
            yield f"{rule.address}: what fails is lost"


def devices_messages_can_be_followed(plan: Plan) -> Complaints:
    for rule in plan.of("aws_iot_topic_rule"):
        if "traceid() AS correlation_id" not in rule.values["sql"]:
            yield f"{rule.address}: the function is not told the message's id"


def queues_have_a_dead_letter_queue_or_are_one(plan: Plan) -> Complaints:
    dead = {queue.values["name"] for queue in plan.of("aws_sqs_queue") if queue.values["name"].endswith("-dead")}
    for queue in plan.of("aws_sqs_queue"):
        if queue.values["name"] in dead:
            continue
        redrive = json.loads(queue.values.get("redrive_policy") or "{}")
        target = str(redrive.get("deadLetterTargetArn", "")).rpartition(":")[2]
        if target not in dead or redrive.get("maxReceiveCount") != 10:
            yield f"{queue.address}: ten tries and then a dead-letter queue"


def dead_letter_queues_wake_somebody(plan: Plan) -> Complaints:
    watched = {alarm.values["alarm_name"] for alarm in plan.of("aws_cloudwatch_metric_alarm") if _counts_dead(alarm)}
    for queue in plan.of("aws_sqs_queue"):
        name = queue.values["name"]
        if name.endswith("-dead") and name not in watched:
            yield f"{queue.address}: no alarm"
        if name.endswith("-dead") and queue.values["message_retention_seconds"] < 14 * 24 * 3600:
            yield f"{queue.address}: forgets before anybody looks"


def _counts_dead(alarm: Resource) -> bool:
    """Tell whether the alarm rings at the first letter, in the queue that it is named after or in its archive."""
    queries = {query["id"]: query for query in alarm.values["metric_query"]}
    measured = {
        (metric["namespace"], metric["metric_name"], *metric["dimensions"].items())
        for query in queries.values()
        for metric in query["metric"]
    }
    name = alarm.values["alarm_name"]
    return (
        measured
        == {
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", ("QueueName", name)),
            ("Paygo", "OpenDeadLetters", ("Queue", name)),
        }
        and [query["expression"] for query in queries.values() if query["return_data"]] == ["SUM([waiting, open])"]
        and alarm.values["threshold"] == 0
        and alarm.values["datapoints_to_alarm"] == 1
    )


def queues_take_messages_from_their_topic_only(plan: Plan) -> Complaints:
    for queue in plan.of("aws_sqs_queue"):
        if not queue.values["sqs_managed_sse_enabled"]:
            yield f"{queue.address}: not encrypted"
        if "policy" in queue.unknown or not queue.values.get("policy"):
            continue
        for statement in statements(queue.document("policy")):
            source = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", "")
            if statement["Principal"] != {"Service": "sns.amazonaws.com"} or f":{ACCOUNT}:{STACK}-" not in source:
                yield f"{queue.address}: {statement['Principal']} from {source or 'anywhere'}"


def mappings_report_failures_one_by_one(plan: Plan) -> Complaints:
    for mapping in plan.of("aws_lambda_event_source_mapping"):
        if mapping.values["function_response_types"] != ["ReportBatchItemFailures"]:
            yield f"{mapping.address}: one bad message fails its whole batch"


def streams_give_up_on_a_bad_record(plan: Plan) -> Complaints:
    for mapping in plan.of("aws_lambda_event_source_mapping"):
        values = mapping.values
        if not values.get("starting_position"):
            continue
        bounded = (values.get("maximum_retry_attempts") or -1) >= 0 and (
            values.get("maximum_record_age_in_seconds") or -1
        ) > 0
        if not (values.get("bisect_batch_on_function_error") and bounded and values.get("destination_config")):
            yield f"{mapping.address}: bisect, bound retries and age, and park what failed"


def subscriptions_choose_their_events(plan: Plan) -> Complaints:
    for subscription in plan.of("aws_sns_topic_subscription"):
        if subscription.address == "aws_sns_topic_subscription.alarms":
            continue
        if not json.loads(subscription.values["filter_policy"] or "{}").get("type"):
            yield f"{subscription.address}: takes every event"


def subscriptions_keep_what_they_cannot_deliver(plan: Plan) -> Complaints:
    """To the dead-letter queue of the consumer, which lets the topic in."""
    queues = {queue.address.removesuffix(".aws_sqs_queue.this"): queue for queue in plan.of("aws_sqs_queue")}
    for subscription in plan.of("aws_sns_topic_subscription"):
        if subscription.values["protocol"] != "sqs":
            continue
        dead = queues[subscription.address.partition(".aws_sns_topic_subscription")[0] + ".module.dead"]
        redrive = json.loads(subscription.values["redrive_policy"] or "{}")
        if not redrive.get("deadLetterTargetArn", "").endswith(f":{dead.values['name']}"):
            yield f"{subscription.address}: loses what cannot be delivered"
        if not dead.values.get("policy"):
            yield f"{dead.address}: lets no topic in"


def waiting_is_no_loop(plan: Plan) -> Complaints:
    """A consumer sends to its own queue what is not ready, and Lambda would stop that after sixteen times."""
    allowed = {
        one.values["function_name"]
        for one in plan.of("aws_lambda_function_recursion_config")
        if one.values["recursive_loop"] == "Allow"
    }
    for queue in plan.of("aws_sqs_queue"):
        name = queue.values["name"]
        if not name.endswith("-dead") and name not in allowed:
            yield f"{queue.address}: what waits in it is taken for a loop"
