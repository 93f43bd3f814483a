"""Who calls whom, and whether both sides say so: what fails is kept and somebody is woken."""

import json
import re

from tests.policy.plan import ACCOUNT, STACK, Plan, Resource
from tests.policy.rules.reading import Complaints, listed, operations_of, route_of, statements

# Each caller of a function, to the one route, rule or template.
CALLERS = {
    "apigateway.amazonaws.com": (
        rf"arn:aws:execute-api:[^:]+:{ACCOUNT}:[a-z0-9]+/(v/[A-Z]+(/[a-z0-9.-]+|/\*)+|authorizers/\*)"
    ),
    "iot.amazonaws.com": rf"arn:aws:iot:[^:]+:{ACCOUNT}:(rule|provisioningtemplate)/[A-Za-z0-9_-]+",
    "events.amazonaws.com": rf"arn:aws:events:[^:]+:{ACCOUNT}:rule/{STACK}-[a-z-]+",
    "sns.amazonaws.com": rf"arn:aws:sns:[^:]+:{ACCOUNT}:{STACK}-alarms",
    "logs.amazonaws.com": rf"arn:aws:logs:[^:]+:{ACCOUNT}:log-group:/aws/lambda/{STACK}-\*:\*",  # of every function
}


def functions_are_called_at_their_live_alias(plan: Plan) -> Complaints:
    for permission in plan.of("aws_lambda_permission"):
        if permission.values["qualifier"] != "live":
            yield f"{permission.address}: any version may be called"


def permissions_name_their_one_caller(plan: Plan) -> Complaints:
    for permission in plan.of("aws_lambda_permission"):
        source, principal = permission.values.get("source_arn") or "anywhere", permission.values["principal"]
        if not re.fullmatch(CALLERS.get(principal, "nobody"), source):
            yield f"{permission.address}: {principal} from {source}"


def callers_can_say_what_permissions_ask(plan: Plan) -> Complaints:
    """EventBridge names its rule and not its account: who asks for both lets nobody in, and nobody is told."""
    for permission in plan.of("aws_lambda_permission"):
        principal = permission.values["principal"]
        if permission.values["source_account"] and principal != "iot.amazonaws.com":
            yield f"{permission.address}: {principal} does not name its account"


def iot_may_call_what_it_names(plan: Plan) -> Complaints:
    given = {
        permission.values["source_arn"]
        for permission in plan.of("aws_lambda_permission")
        if permission.values["principal"] == "iot.amazonaws.com" and permission.values["source_account"] == ACCOUNT
    }
    for kind, path in (("aws_iot_topic_rule", "rule"), ("aws_iot_provisioning_template", "provisioningtemplate")):
        for resource in plan.of(kind):
            if not any(source.endswith(f":{path}/{resource.values['name']}") for source in given):
                yield f"{resource.address}: may not call its function"


def unattended_failures_are_kept(plan: Plan) -> Complaints:
    """Who calls without waiting for an answer never learns of a failure."""
    waits = {"apigateway.amazonaws.com"}
    kept = {
        config.values["function_name"]: config.values["destination_config"]
        for config in plan.of("aws_lambda_function_event_invoke_config")
        if config.values["qualifier"] == "live"
    }
    for permission in plan.of("aws_lambda_permission"):
        name, source = permission.values["function_name"], permission.values["source_arn"]
        if permission.values["principal"] in waits or ":provisioningtemplate/" in source:
            continue
        if not kept.get(name):
            yield f"{permission.address}: what fails is lost"
        if f"{name}-dead" not in _queues_to_send_to(plan, name):
            yield f"{permission.address}: {name} may not send to its dead-letter queue"


def _queues_to_send_to(plan: Plan, role: str) -> set[str]:
    return {
        arn.rpartition(":")[2]
        for policy in plan.of("aws_iam_role_policy")
        if _role_of(plan, policy) == role
        for statement in statements(policy.document("policy"))
        if "sqs:SendMessage" in listed(statement["Action"])
        for arn in listed(statement["Resource"])
    }


def _role_of(plan: Plan, policy: Resource) -> str | None:
    """Name the role whose policy it is by their addresses: a plan of nothing does not know it."""
    address = policy.address.replace("aws_iam_role_policy.", "aws_iam_role.")
    return next((role.values["name"] for role in plan.of("aws_iam_role") if role.address == address), None)


def mappings_may_read_their_queue(plan: Plan) -> Complaints:
    """The function's role is what polls: without the right, messages wait and nobody is told."""
    needed = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
    readers: dict[str, set[str]] = {}
    for policy in plan.of("aws_iam_role_policy"):
        for statement in statements(policy.document("policy")):
            if needed <= set(listed(statement["Action"])):
                for arn in listed(statement["Resource"]):
                    readers.setdefault(arn.rpartition(":")[2], set()).add(policy.address)
    for queue in plan.of("aws_sqs_queue"):
        name = queue.values["name"]
        if not readers.get(name):
            yield f"{queue.address}: no function may read it"
        for address in readers.get(name, ()):
            archives = address == 'module.operations.aws_iam_role_policy.this["archive-dead-letters"]'
            if archives != name.endswith("-dead"):
                yield f"{queue.address}: read by {address}"


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


def schedules_call_functions(plan: Plan) -> Complaints:
    given = {
        permission.values["source_arn"]
        for permission in plan.of("aws_lambda_permission")
        if permission.values["principal"] == "events.amazonaws.com"
    }
    targets = {target.values["rule"] for target in plan.of("aws_cloudwatch_event_target")}
    for rule in plan.of("aws_cloudwatch_event_rule"):
        name = rule.values["name"]
        if name not in targets or not any(arn.endswith(f":rule/{name}") for arn in given):
            yield f"{rule.address}: calls nobody"


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


def operations_are_answered(plan: Plan) -> Complaints:
    """Each operation's function may be called for just that operation."""
    given = {
        (permission.values["function_name"], permission.values["source_arn"].partition("/v/")[2])
        for permission in plan.of("aws_lambda_permission")
        if permission.values["principal"] == "apigateway.amazonaws.com"
    }
    for method, path, operation in operations_of(plan):
        function = operation["x-amazon-apigateway-integration"]["uri"].split(":function:")[1].split(":")[0]
        route = route_of(method, path)
        if (function, route) not in given:
            yield f"{route}: API Gateway may not call {function}"
