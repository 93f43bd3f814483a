"""What must hold of every plan. A rule yields a sentence for each resource that breaks it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from contracts.document import load, operations
from tests.policy.plan import ACCOUNT, ADDRESSES, BOUNDARY, IDENTITY_POOL_ID, REGION, STACK, TOKEN_KEYS, Plan, Resource

type Complaints = Iterator[str]

COGNITO = "cognito-identity.amazonaws.com"

# Where AWS leaves no choice but a wildcard: the actions that know no resources, and resources that AWS names.
WITHOUT_RESOURCES = {
    "cognito-identity:DeleteIdentities",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "iot:RegisterThing",
}
NAMED_BY_CONDITION = {"cloudwatch:PutMetricData": {"StringEquals": {"cloudwatch:namespace": ["Paygo"]}}}
NAMED_BY_AWS = (
    r"arn:aws:iot:[^:]+:\d+:cert/\*",  # by the certificate's fingerprint
    r"arn:aws:dynamodb:[^:]+:\d+:table/{stack}-[a-z]+/stream/\*",  # by the moment the stream was made
    r"arn:aws:logs:[^:]+:\d+:log-group:/aws/lambda/{stack}-[a-z-]+:\*",  # by the environment that writes
    r"arn:aws:secretsmanager:[^:]+:\d+:secret:{stack}/[a-z/-]+-\?{{6}}",  # by six characters of its own
    r"arn:aws:iot:[^:]+:\d+:thing/{stack}-\*",  # devices come at run time, each under the stack's name
    r"arn:aws:iot:[^:]+:\d+:topic/paygo/{stack}/{stack}-\*/[a-z/]+",
    r"arn:aws:execute-api:[^:]+:\d+:[a-z0-9]+/v/[A-Z]+/v1(/[a-z-]+|/\*)+",  # one `*` for each parameter in the path
    rf"arn:aws:s3:::{{stack}}-[a-z]+-{ACCOUNT}-[a-z0-9-]+/\*",  # objects come at run time
)

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


def every_policy_is_known(plan: Plan) -> Complaints:
    """What a plan cannot show, no rule can check."""
    attributes = {
        "aws_iam_role": "assume_role_policy",
        "aws_iam_role_policy": "policy",
        "aws_iot_policy": "policy",
        "aws_lambda_permission": "source_arn",
        "aws_api_gateway_rest_api": "body",
    }
    for kind, attribute in attributes.items():
        for resource in plan.of(kind):
            if attribute in resource.unknown or not resource.values.get(attribute):
                yield f"{resource.address}: {attribute} is known after the apply only"


def roles_are_assumed_by_their_own_service(plan: Plan) -> Complaints:
    for role in plan.of("aws_iam_role"):
        for statement in _statements(role.document("assume_role_policy")):
            complaint = _wrong_trust(role, statement)
            if complaint:
                yield f"{role.address}: {complaint}"


def _wrong_trust(role: Resource, statement: dict[str, Any]) -> str | None:
    principal, condition = statement["Principal"], statement.get("Condition", {})
    kind = re.search(r'module\.identity_pool\.aws_iam_role\.this\["(\w+)"\]', role.address)
    if kind:
        expected = {
            "StringEquals": {f"{COGNITO}:aud": IDENTITY_POOL_ID},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": kind[1]},
        }
        if principal != {"Federated": COGNITO} or statement["Action"] != "sts:AssumeRoleWithWebIdentity":
            return "is for Cognito's identities alone"
        return None if condition == expected else "is for one pool's identities of one kind"
    if statement["Action"] != "sts:AssumeRole" or set(principal) != {"Service"}:
        return "is for a service"
    if ".module.iot." in f".{role.address}":
        source = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        return (
            None if (principal["Service"], condition) == ("iot.amazonaws.com", source) else "is for IoT of this account"
        )
    own = "apigateway.amazonaws.com" if role.address == "aws_iam_role.api_gateway" else "lambda.amazonaws.com"
    return None if principal["Service"] == own else f"is for {own} alone"


def roles_stay_within_the_boundary(plan: Plan) -> Complaints:
    for role in plan.of("aws_iam_role"):
        if role.values.get("permissions_boundary") != BOUNDARY:
            yield f"{role.address}: what it is given by its branch nothing bounds"


def roles_hold_nothing_but_their_statements(plan: Plan) -> Complaints:
    """AWS's own policies and shared ones allow what no entry lists."""
    for kind in ("aws_iam_role_policy_attachment", "aws_iam_policy_attachment", "aws_iam_policy"):
        for resource in plan.of(kind):
            yield f"{resource.address}: list the statements instead"
    for role in plan.of("aws_iam_role"):
        if role.values.get("managed_policy_arns") or role.values.get("inline_policy"):
            yield f"{role.address}: list the statements in a role policy"


def statements_name_actions_and_resources(plan: Plan) -> Complaints:
    allowed = [re.compile(pattern.format(stack=re.escape(STACK))) for pattern in NAMED_BY_AWS]
    for policy in plan.of("aws_iam_role_policy"):
        for statement in _statements(policy.document("policy")):
            actions, resources = _list(statement.get("Action")), _list(statement.get("Resource"))
            if statement["Effect"] != "Allow" or "NotAction" in statement or "NotResource" in statement:
                yield f"{policy.address}: say what is allowed, not what is not"
            if not actions or not resources:
                yield f"{policy.address}: a statement names its actions and its resources"
            for action in actions:
                if "*" in action or "?" in action:
                    yield f"{policy.address}: {action} is a wildcard"
            for resource in resources:
                if resource == "*" and _knows_no_resources(actions, statement.get("Condition")):
                    continue
                if ("*" in resource or "?" in resource) and not any(one.fullmatch(resource) for one in allowed):
                    yield f"{policy.address}: {resource} is a wildcard"


def _knows_no_resources(actions: list[str], condition: dict[str, Any] | None) -> bool:
    named = (action in WITHOUT_RESOURCES or NAMED_BY_CONDITION.get(action, {}) == condition for action in actions)
    return all(named)


def statements_stay_in_the_stack(plan: Plan) -> Complaints:
    """A function touches what is its stack's, or what only the account has."""
    ours = re.compile(rf"[:/]{re.escape(STACK)}([-/:]|$)")
    others = (
        r":cert/\*$",
        r":execute-api:",
        r":userpool/",
        r":identitypool/",
        r":ses:[^:]+:\d+:identity/[^*]+$",
        r":kms:[^:]+:\d+:key/[^*]+$",
        r":secretsmanager:[^:]+:\d+:secret:paygo/(staging|production)/[^*?]+$",
        r"^\*$",
    )
    for policy in plan.of("aws_iam_role_policy"):
        for statement in _statements(policy.document("policy")):
            for resource in _list(statement["Resource"]):
                if not ours.search(resource) and not any(re.search(other, resource) for other in others):
                    yield f"{policy.address}: {resource} is no resource of this stack"


def only_identity_writes_sessions(plan: Plan) -> Complaints:
    """The one table that two services share is read by all and written by its owner."""
    reads = {"dynamodb:GetItem"}
    for policy in plan.of("aws_iam_role_policy"):
        if policy.address.startswith("module.identity."):
            continue
        for statement in _statements(policy.document("policy")):
            if any(arn.endswith(f":table/{STACK}-sessions") for arn in _list(statement["Resource"])):
                extra = set(_list(statement["Action"])) - reads
                if extra:
                    yield f"{policy.address}: {', '.join(sorted(extra))} on the sessions"


def services_keep_to_their_own_tables(plan: Plan) -> Complaints:
    shared = {"sessions", "idempotency", "attempts", "partner-calls"}
    others = {"audit": "operations"}  # whose table is not named like its service
    for policy in plan.of("aws_iam_role_policy"):
        service = re.match(r'module\.([a-z]+)(\["mocks"\])?\.aws_iam_role_policy\.this', policy.address)
        for statement in _statements(policy.document("policy")):
            for arn in _list(statement["Resource"]):
                table = re.search(rf":table/{re.escape(STACK)}-([a-z-]+)", arn)
                if (
                    table
                    and table[1] not in shared
                    and (service is None or others.get(table[1], table[1]) != service[1])
                ):
                    yield f"{policy.address}: {table[1]} is another service's table"


def the_audit_is_only_added_to(plan: Plan) -> Complaints:
    """And who reads it adds nothing."""
    for policy in plan.of("aws_iam_role_policy"):
        found = {
            action
            for statement in _statements(policy.document("policy"))
            if any(re.search(rf":table/{re.escape(STACK)}-audit(/|$)", arn) for arn in _list(statement["Resource"]))
            for action in _list(statement["Action"])
        }
        if found and found not in ({"dynamodb:PutItem"}, {"dynamodb:Query"}):
            yield f"{policy.address}: {', '.join(sorted(found))} on the audit"


def refusals_are_audited(plan: Plan) -> Complaints:
    """Of every function behind the API; and a log group takes two subscriptions, no more."""
    filters = [one.values for one in plan.of("aws_cloudwatch_log_subscription_filter")]
    audited = {one["log_group_name"] for one in filters if one["name"] == "refusals"}
    for _, path, operation in _operations(plan):
        function = operation["x-amazon-apigateway-integration"]["uri"].split(":function:")[1].split(":")[0]
        if f"/aws/lambda/{function}" not in audited:
            yield f"{path}: nobody learns whom {function} refuses"
    if f"/aws/lambda/{STACK}-operations-keep-refusals" in audited:
        yield "operations/keep-refusals: keeps itself busy for ever"
    groups = [one["log_group_name"] for one in filters]
    yield from (f"{group}: {groups.count(group)} subscriptions" for group in set(groups) if groups.count(group) > 2)


def functions_cannot_make_log_groups(plan: Plan) -> Complaints:
    """Else an invocation that comes late brings back the log group of a stack that is gone."""
    for policy in plan.of("aws_iam_role_policy"):
        for statement in _statements(policy.document("policy")):
            if "logs:CreateLogGroup" in _list(statement["Action"]):
                yield policy.address


def functions_have_a_role_and_a_log_group_of_their_own(plan: Plan) -> Complaints:
    roles = {role.values["name"] for role in plan.of("aws_iam_role")}
    kept = {group.values["name"] for group in plan.of("aws_cloudwatch_log_group") if group.values["retention_in_days"]}
    for function in plan.of("aws_lambda_function"):
        name = function.values["function_name"]
        if name not in roles:
            yield f"{function.address}: no role of its own"
        if f"/aws/lambda/{name}" not in kept:
            yield f"{function.address}: no log group that forgets"


def functions_are_called_at_their_live_alias(plan: Plan) -> Complaints:
    for permission in plan.of("aws_lambda_permission"):
        if permission.values["qualifier"] != "live":
            yield f"{permission.address}: any version may be called"


def only_identity_invokes_the_proxy(plan: Plan) -> Complaints:
    """Services meet in events; the way into a partner's network is the one function that another invokes."""
    proxy = re.compile(rf"arn:aws:lambda:[^:]+:{ACCOUNT}:function:{re.escape(STACK)}-partners-proxy:live")
    for policy in plan.of("aws_iam_role_policy"):
        for statement in _statements(policy.document("policy")):
            if "lambda:InvokeFunction" not in _list(statement["Action"]):
                continue
            for arn in _list(statement["Resource"]):
                if proxy.fullmatch(arn) is None and policy.address.startswith("module.operations."):
                    continue  # It sends dead calls again.
                if proxy.fullmatch(arn) is None or not policy.address.startswith("module.identity."):
                    yield f"{policy.address}: invokes {arn}"


def only_the_proxy_is_in_a_network(plan: Plan) -> Complaints:
    """What calls AWS alone would reach nothing from there."""
    for function in plan.of("aws_lambda_function"):
        is_proxy = function.values["function_name"] == f"{STACK}-partners-proxy"
        if bool(function.values["vpc_config"]) and not is_proxy:
            yield f"{function.address}: in a network of ours"


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


def operations_are_answered(plan: Plan) -> Complaints:
    """Each operation's function may be called for just that operation."""
    given = {
        (permission.values["function_name"], permission.values["source_arn"].partition("/v/")[2])
        for permission in plan.of("aws_lambda_permission")
        if permission.values["principal"] == "apigateway.amazonaws.com"
    }
    for method, path, operation in _operations(plan):
        function = operation["x-amazon-apigateway-integration"]["uri"].split(":function:")[1].split(":")[0]
        route = _route(method, path)
        if (function, route) not in given:
            yield f"{route}: API Gateway may not call {function}"


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


def operators_routes_are_for_operators(plan: Plan) -> Complaints:
    """An identity of the pool is anybody who has registered."""
    for policy in plan.of("aws_iam_role_policy"):
        for statement in _statements(policy.document("policy")):
            if any("/operations/" in arn for arn in _list(statement["Resource"]) if ":execute-api:" in arn):
                yield f"{policy.address}: may call operators' routes"


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
        for statement in _statements(policy.document("policy"))
        if "sqs:SendMessage" in _list(statement["Action"])
        for arn in _list(statement["Resource"])
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
        for statement in _statements(policy.document("policy")):
            if needed <= set(_list(statement["Action"])):
                for arn in _list(statement["Resource"]):
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
    [statement] = _statements(topic.document("policy"))
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
        for statement in _statements(queue.document("policy")):
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


def topics_are_encrypted(plan: Plan) -> Complaints:
    for topic in plan.of("aws_sns_topic"):
        if not topic.values["kms_master_key_id"] and topic.values["name"] != f"{STACK}-alarms":
            yield topic.address


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


def identities_come_by_the_enhanced_flow(plan: Plan) -> Complaints:
    for pool in plan.of("aws_cognito_identity_pool"):
        if pool.values["allow_classic_flow"] is not False:
            yield f"{pool.address}: the classic flow is on"
        if not pool.values["developer_provider_name"]:
            yield f"{pool.address}: no developer provider"


def identities_invoke_routes_and_nothing_else(plan: Plan) -> Complaints:
    for policy in plan.of("aws_iam_role_policy"):
        if not policy.address.startswith("module.identity_pool."):
            continue
        for statement in _statements(policy.document("policy")):
            if _list(statement["Action"]) != ["execute-api:Invoke"]:
                yield f"{policy.address}: {statement['Action']}"
            for arn in _list(statement["Resource"]):
                if "/v/" not in arn or not arn.partition("/v/")[2].partition("/")[2].startswith("v1/"):
                    yield f"{policy.address}: {arn} is no route of /v1"


def only_the_platform_makes_users(plan: Plan) -> Complaints:
    for pool in plan.of("aws_cognito_user_pool"):
        if not pool.values["admin_create_user_config"][0]["allow_admin_create_user_only"]:
            yield f"{pool.address}: anybody signs up"
        [recovery] = pool.values["account_recovery_setting"]
        if {each["name"] for each in recovery["recovery_mechanism"]} != {"admin_only"}:
            yield f"{pool.address}: a forgotten password is a way in that nobody here knows of"
    for client in plan.of("aws_cognito_user_pool_client"):
        if set(client.values["explicit_auth_flows"]) - {"ALLOW_USER_SRP_AUTH"}:
            yield f"{client.address}: a password travels, or a sign-in outlives signing out"
        # Of an app without a list AWS takes every attribute.
        written = client.values["write_attributes"] or ["email"]
        if "email" in written:
            yield f"{client.address}: a household has its address changed where nobody asks us"


def iot_policies_fit(plan: Plan) -> Complaints:
    """AWS IoT takes 2,048 characters, white space not counted."""
    for policy in plan.of("aws_iot_policy"):
        size = _at_most("".join(policy.values["policy"].split()))
        if size > 2048:
            yield f"{policy.address}: may have {size} characters and AWS takes 2,048"


def role_policies_fit(plan: Plan) -> Complaints:
    """IAM takes 10,240 characters of a role's inline policies together, white space not counted."""
    sizes: dict[str, int] = {}
    for policy in plan.of("aws_iam_role_policy"):
        role = policy.address.replace("aws_iam_role_policy.", "aws_iam_role.")
        sizes[role] = sizes.get(role, 0) + _at_most("".join(policy.values["policy"].split()))
    for role, size in sizes.items():
        if size > 10_240:
            yield f"{role}: may have {size} characters of policies and AWS takes 10,240"


def environments_fit(plan: Plan) -> Complaints:
    """Lambda takes 4,096 bytes, measured as JSON."""
    for function in plan.of("aws_lambda_function"):
        [environment] = function.values["environment"]
        size = _at_most(json.dumps(environment["variables"], separators=(",", ":")))
        if size > 4096:
            yield f"{function.address}: may have an environment of {size} bytes and AWS takes 4,096"


def _at_most(text: str) -> int:
    """Measure a text where stack and region have the longest names there are."""
    return len(text.replace(STACK, "paygo-eighteenlettername").replace(REGION, "ap-southeast-1"))


def devices_speak_for_themselves_only(plan: Plan) -> Complaints:
    thing = "${iot:Connection.Thing.ThingName}"
    provisioning = re.compile(
        rf"\$aws/(certificates/create|provisioning-templates/{STACK}/provision)/json(/accepted|/rejected)?"
    )
    for policy in plan.of("aws_iot_policy"):
        is_claim = policy.values["name"].endswith("-claim")
        for statement in _statements(policy.document("policy")):
            for resource in _list(statement["Resource"]):
                about = resource.partition("/")[2]
                if is_claim and not (resource.endswith(f":client/{STACK}-claim-*") or provisioning.fullmatch(about)):
                    yield f"{policy.address}: {resource} is no part of provisioning"
                if not is_claim and (
                    thing not in resource or "*" in resource.removesuffix("/*") or "+" in about or "#" in about
                ):
                    yield f"{policy.address}: {resource} is not the device's own"


def devices_start_inactive(plan: Plan) -> Complaints:
    for template in plan.of("aws_iot_provisioning_template"):
        certificate = template.document("template_body")["Resources"]["certificate"]
        if certificate["Properties"].get("Status") != "INACTIVE":
            yield f"{template.address}: a device connects before a household has it"
        if not template.values["pre_provisioning_hook"]:
            yield f"{template.address}: nobody checks who asks"


def operations_ask_who_calls(plan: Plan) -> Complaints:
    """Without a credential there is a way into a session, and what a stranger may know; nothing else."""
    open_to_all = {"openSession", "refreshSession", "readConfiguration", "readKeys"}
    for _, path, operation in _operations(plan):
        schemes = [name for requirement in operation["security"] for name in requirement]
        expected = {
            "v1": ["session"],
            "bearer": ["bearer"],
            "partners": ["partner"],
            "operations": ["operator"],
            "mocks": [],
        }
        if schemes != ([] if operation["operationId"] in open_to_all else expected[path.split("/")[1]]):
            yield f"{operation['operationId']} asks for {schemes}"


def sessions_routes_are_there_for_tokens_too(plan: Plan) -> Complaints:
    """And no others: the same function answers both."""
    answered: dict[str, dict[tuple[str, str], str]] = {"session": {}, "bearer": {}}
    for method, path, operation in _operations(plan):
        for scheme in {name for requirement in operation["security"] for name in requirement} & answered.keys():
            route = method, path.removeprefix("/bearer") if scheme == "bearer" else path
            answered[scheme][route] = operation["x-amazon-apigateway-integration"]["uri"]
            if path.startswith("/bearer/") != (scheme == "bearer"):
                yield f"{method} {path}: is no place for {scheme}"
    for both in {*answered["session"].items()} ^ {*answered["bearer"].items()}:
        yield f"{both}: is not the same for a signature and for a token"


def tokens_are_known_by_their_authorizer(plan: Plan) -> Complaints:
    """For a minute at most, by a function that the API may call, and who brings none never reaches it."""
    for api in plan.of("aws_api_gateway_rest_api"):
        scheme = api.document("body")["components"]["securitySchemes"]["bearer"]
        authorizer = scheme["x-amazon-apigateway-authorizer"]
        function = authorizer["authorizerUri"].partition(":function:")[2]
        if (scheme["name"], scheme["in"]) != ("Authorization", "header"):
            yield f"{api.address}: the token is in another place"
        if not 0 < authorizer["authorizerResultTtlInSeconds"] <= 60:
            yield f"{api.address}: a revoked token lives on for {authorizer['authorizerResultTtlInSeconds']} s"
        # One of the type `token` would not learn where a request comes from; answers are kept by the whole header.
        if (authorizer["type"], authorizer["identitySource"]) != ("request", "method.request.header.Authorization"):
            yield f"{api.address}: remembers answers for something else than the token, or does not tell who asks"
        if not any(
            function.startswith(f"{permission.values['function_name']}:live/")
            and permission.values["source_arn"].endswith(":abcdefghij/authorizers/*")
            for permission in plan.of("aws_lambda_permission")
        ):
            yield f"{api.address}: may not call {function}"
        refused = api.document("body")["x-amazon-apigateway-gateway-responses"]["UNAUTHORIZED"]
        if refused["responseParameters"].get("gatewayresponse.header.WWW-Authenticate") != "'Bearer'":
            yield f"{api.address}: does not say how to make oneself known"


def identities_invoke_what_the_contract_says(plan: Plan) -> Complaints:
    """Also by the `*` of a wider route, which stands for slashes too."""
    kinds = {"anonymous": "unauthenticated", "household": "authenticated"}
    for kind, role in kinds.items():
        policy = plan.named("aws_iam_role_policy", f'module.identity_pool.aws_iam_role_policy.this["{role}"]')
        patterns = [
            arn.partition("/v/")[2]
            for statement in _statements(policy.document("policy"))
            for arn in _list(statement["Resource"])
        ]
        for operation in operations(load()):
            route = _route(operation.method, operation.path)
            may = any(fnmatchcase(route, pattern) for pattern in patterns)
            if may != (kind in operation.spec.get("x-paygo-callers", [])):
                yield f"{policy.address}: {route} is {'open' if may else 'closed'} to {kind} callers"


def tokens_open_what_the_contract_says(plan: Plan) -> Complaints:
    """Which routes a scope has, and which scopes a token may be made with."""
    expected: dict[str, dict[str, set[str]]] = {"anonymous": {}, "household": {}}
    for operation in operations(load()):
        for kind in operation.spec.get("x-paygo-callers", []):
            routes = expected[kind].setdefault(operation.spec["x-paygo-scope"], set())
            routes.add(_route(operation.method, f"/bearer{operation.path}"))
    for function in plan.of("aws_lambda_function"):
        told = function.values["environment"][0]["variables"]
        if "SCOPE_ROUTES" in told:
            known = {
                kind: {scope: set(routes) for scope, routes in scopes.items()}
                for kind, scopes in _json(told, "SCOPE_ROUTES")
            }
            if known != expected:
                yield f"{function.address}: other routes than the contract's"
        if "SCOPES" in told:
            scopes = {kind: set(names) for kind, names in _json(told, "SCOPES")}
            if scopes != {kind: set(known) for kind, known in expected.items()}:
                yield f"{function.address}: other scopes than the contract's"
        if ("SCOPE_ROUTES" in told) != (function.values["function_name"] == f"{STACK}-identity-authorizer"):
            yield f"{function.address}: is told routes without deciding on them, or decides without"


def _json(told: Mapping[str, str], name: str) -> list[tuple[str, Any]]:
    read: dict[str, Any] = json.loads(told[name])
    return list(read.items())


def _route(method: str, path: str) -> str:
    """Write a route as the ARNs of execute-api do: one `*` for each parameter."""
    return f"{method.upper()}{re.sub(r'{[^}]*}', '*', path)}"


def tokens_are_signed_by_identity_alone(plan: Plan) -> Complaints:
    """With the first of the keys; the others only verify."""
    allowed = {"kms:Sign": {TOKEN_KEYS[0]}, "kms:GetPublicKey": set(TOKEN_KEYS)}
    for policy in plan.of("aws_iam_role_policy"):
        for statement in _statements(policy.document("policy")):
            for action in _list(statement["Action"]):
                if not action.startswith("kms:"):
                    continue
                if not policy.address.startswith("module.identity."):
                    yield f"{policy.address}: has nothing to do with keys"
                if not set(_list(statement["Resource"])) <= allowed.get(action, set()):
                    yield f"{policy.address}: {action} on {statement['Resource']}"


def token_keys_sign(plan: Plan) -> Complaints:
    """RS256 is what verifiers expect; the longest a key outlives its withdrawal is a week."""
    for key in plan.of("aws_kms_key"):
        made = (key.values["key_usage"], key.values["customer_master_key_spec"], key.values["deletion_window_in_days"])
        if made != ("SIGN_VERIFY", "RSA_2048", 7):
            yield f"{key.address}: {made}"


def api_errors_are_problem_documents(plan: Plan) -> Complaints:
    for api in plan.of("aws_api_gateway_rest_api"):
        responses = api.document("body")["x-amazon-apigateway-gateway-responses"]
        for kind, response in responses.items():
            problem = json.loads(response["responseTemplates"]["application/json"])
            content_type = response["responseParameters"].get("gatewayresponse.header.Content-Type")
            if (
                not {"type", "title", "detail", "instance"} <= problem.keys()
                or content_type != "'application/problem+json'"
            ):
                yield f"{api.address}: {kind}"
            if problem.get("status") is not None and str(problem["status"]) != response.get("statusCode"):
                yield f"{api.address}: {kind} says {problem['status']} and answers {response.get('statusCode')}"
        if not {"DEFAULT_4XX", "DEFAULT_5XX"} <= responses.keys():
            yield f"{api.address}: other errors have another shape"


def third_parties_are_limited(plan: Plan) -> Complaints:
    """A plan says how many calls a second, in a burst and a day."""
    for usage_plan in plan.of("aws_api_gateway_usage_plan"):
        limits = [*usage_plan.values["throttle_settings"], *usage_plan.values["quota_settings"]]
        told = {name: value for one in limits for name, value in one.items()}
        if not (told.get("rate_limit") and told.get("burst_limit") and told.get("limit")):
            yield f"{usage_plan.address}: calls as often as it likes"


def bodies_are_checked_by_functions(plan: Plan) -> Complaints:
    """API Gateway's models are JSON Schema draft 4 and reject much of OpenAPI."""
    for _, _, operation in _operations(plan):
        if "requestBody" in operation or any("content" in response for response in operation["responses"].values()):
            yield operation["operationId"]


def tables_are_protected(plan: Plan) -> Complaints:
    for table in plan.of("aws_dynamodb_table"):
        if not (table.values["deletion_protection_enabled"] and table.values["point_in_time_recovery"][0]["enabled"]):
            yield f"{table.address}: one mistake from gone"


def nothing_is_a_mock(plan: Plan) -> Complaints:
    for resource in plan.resources:
        if "mock" in resource.address or "mock" in json.dumps(dict(resource.values)):
            yield resource.address


def people_are_protected(plan: Plan) -> Complaints:
    for pool in plan.of("aws_cognito_user_pool"):
        if pool.values["deletion_protection"] != "ACTIVE":
            yield f"{pool.address}: one mistake from gone"


def buckets_are_emptied_by_hand(plan: Plan) -> Complaints:
    for bucket in plan.of("aws_s3_bucket"):
        if bucket.values["force_destroy"]:
            yield f"{bucket.address}: goes with all that is in it"


def partners_are_themselves(plan: Plan) -> Complaints:
    """Each is called where it was said to be, over TLS, with a credential that is the account's."""
    for function in plan.of("aws_lambda_function"):
        told = function.values["environment"][0]["variables"]
        for name, partner in json.loads(told.get("PARTNERS", "{}")).items():
            if partner["url"] != ADDRESSES.get(name):
                yield f"{function.address}: calls {name} at {partner['url']}"
            if f":secret:paygo/{told['STAGE']}/outbound/{name}-" not in partner["secret_arn"]:
                yield f"{function.address}: shows {name} a credential of our own making"


def logs_last_a_quarter(plan: Plan) -> Complaints:
    for group in plan.of("aws_cloudwatch_log_group"):
        if group.values["retention_in_days"] < 90:
            yield f"{group.address}: {group.values['retention_in_days']} days"


def secrets_can_be_brought_back(plan: Plan) -> Complaints:
    for secret in plan.of("aws_secretsmanager_secret"):
        if secret.values["recovery_window_in_days"] < 7:
            yield secret.address


def secrets_vanish_with_the_stack(plan: Plan) -> Complaints:
    """A name in its recovery window cannot be used again, so the stack could not be rebuilt."""
    for secret in plan.of("aws_secretsmanager_secret"):
        if secret.values["recovery_window_in_days"] != 0:
            yield secret.address


def buckets_are_private_and_encrypted(plan: Plan) -> Complaints:
    """A bucket of code keeps what was there before as well; those of a stack hold what is written once."""
    walls = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    asked: dict[str, tuple[str, Callable[[Mapping[str, Any]], bool]]] = {
        "private": ("aws_s3_bucket_public_access_block", lambda values: all(values[wall] for wall in walls)),
        "encrypted": ("aws_s3_bucket_server_side_encryption_configuration", lambda values: bool(values["rule"])),
        "versioned": (
            "aws_s3_bucket_versioning",
            lambda values: values["versioning_configuration"][0]["status"] == "Enabled",
        ),
    }
    for bucket in plan.of("aws_s3_bucket"):
        for word, (kind, holds) in asked.items():
            if word == "versioned" and bucket.values.get("lifecycle_rule"):
                continue
            address = bucket.address.replace("aws_s3_bucket.", f"{kind}.")
            if not any(one.address == address and holds(one.values) for one in plan.of(kind)):
                yield f"{bucket.address}: not {word}"


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


def _list(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def _operations(plan: Plan) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for api in plan.of("aws_api_gateway_rest_api"):
        for path, item in api.document("body")["paths"].items():
            for method, operation in item.items():
                yield method, path, operation
