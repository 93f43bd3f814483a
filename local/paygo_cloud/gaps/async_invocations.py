"""Asynchronous invocations are tried three times, then sent to the failure destination by the function's role.

MiniStack tries what SNS, EventBridge, AWS IoT and CloudWatch Logs invoke once, and takes the settings of an alias for
nobody's. AWS waits a minute before the first retry and two before the second; here it is seconds. And MiniStack starts
a worker for each event at once, where AWS has a queue: a burst of errors, each reported, would take the machine.

AWS: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html,
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
import os
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from threading import BoundedSemaphore
from typing import Any

import boto3
from botocore.config import Config
from ministack.core import lambda_runtime
from ministack.core.concurrency import spawn_background
from ministack.core.responses import new_uuid, request_scope
from ministack.services import eventbridge, iot, lambda_svc, sns

WAITS = (1.0, 2.0)
"""Seconds before the first retry and the second."""
THROTTLED_WAIT = 1.0

AT_ONCE = 2
"""So many of a function's events are handled at the same time; the others wait for their turn."""

_turns: dict[str, BoundedSemaphore] = {}

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def install() -> None:
    """Send every asynchronous invocation through one place."""
    original_dispatch = lambda_svc._execute_function_dispatch

    def dispatch(func: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
        return original_dispatch(func, config, event, _request_id.get() or request_id, started)

    lambda_svc._execute_function_dispatch = dispatch
    lambda_svc.invoke_async_with_retry = lambda record, event: invoke(record["config"]["FunctionArn"], event)
    sns._deliver_to_lambda = _from_topic
    eventbridge._dispatch_to_lambda = _from_rule
    iot._dispatch_rule_to_lambda = lambda _account, _region, function_arn, event: invoke(function_arn, event)


def invoke(function_arn: str, event: Any) -> None:
    """Queue an event for a function, its version or its alias."""
    account, region = function_arn.split(":")[4], function_arn.split(":")[3]
    with request_scope(account, region):
        spawn_background(_run, function_arn, event, thread_name="paygo-async-invocation")


def _run(function_arn: str, event: Any) -> None:
    name, _, qualifier = function_arn.split(":function:", 1)[1].partition(":")
    record, config = lambda_svc._get_func_record_for_qualifier(name, qualifier or None)
    if record is None or config is None:
        lambda_svc.logger.warning("Asynchronous invocation: there is no function %s", function_arn)
        return
    record = lambda_svc._execution_record_for_config(record, config | {"FunctionArn": function_arn})
    settings = lambda_svc._event_invoke_config(lambda_svc._functions[name], qualifier or None) or {}
    began, request_id, attempts = time.time(), new_uuid(), 0
    oldest = int(settings.get("MaximumEventAgeInSeconds") or 21600)
    retries = settings.get("MaximumRetryAttempts")
    token = _request_id.set(request_id)
    try:
        while True:
            with _turns.setdefault(name, BoundedSemaphore(AT_ONCE)):
                result = lambda_svc._execute_function(record, event)
            if result.get("log"):
                lambda_svc.logger.info("%s:\n%s", name, result["log"])
            if not result.get("error"):
                return
            attempts += 0 if result.get("throttle") else 1
            condition = None
            if attempts > (2 if retries is None else int(retries)):
                condition = "RetriesExhausted"
            wait = THROTTLED_WAIT if result.get("throttle") else WAITS[min(attempts, len(WAITS)) - 1]
            if time.time() + wait - began > oldest:
                condition = "EventAgeExceeded"
            if condition:
                break
            time.sleep(wait)
    finally:
        _request_id.reset(token)
    destination = ((settings.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    if destination:
        qualified = f"{function_arn.partition(':function:')[0]}:function:{name}:{qualifier or '$LATEST'}"
        told = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "requestContext": {
                "requestId": request_id,
                "functionArn": qualified,
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": event,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": config.get("Version", "$LATEST"),
                "functionError": result.get("function_error") or "Unhandled",
            },
            "responsePayload": result.get("body"),
        }
        _send(config, destination, json.dumps(told))


def _send(config: dict[str, Any], destination: str, body: str) -> None:
    """Send as the function's role, which must be allowed to."""
    account, region, name = (destination.split(":") + [""] * 6)[4], destination.split(":")[3], destination.split(":")[5]
    keys = lambda_runtime.execution_credentials(config)
    session = boto3.session.Session(
        keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"], region_name=region
    )
    endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    settings: dict[str, Any] = {"endpoint_url": endpoint, "config": Config(proxies={})}
    try:
        if destination.startswith("arn:aws:sqs:"):
            session.client("sqs", **settings).send_message(QueueUrl=f"{endpoint}/{account}/{name}", MessageBody=body)
        elif destination.startswith("arn:aws:sns:"):
            session.client("sns", **settings).publish(TopicArn=destination, Message=body)
        else:
            invoke(destination, json.loads(body))
    except Exception as error:  # noqa: BLE001 AWS drops it, and counts DestinationDeliveryFailures
        lambda_svc.logger.warning("%s could not send to %s: %s", config.get("FunctionName"), destination, error)


def _from_topic(  # noqa: PLR0917 as MiniStack calls it
    endpoint: str,
    envelope: str,
    topic_arn: str,
    subscription_arn: str,
    message_id: str,
    message: str,
    attributes: dict[str, Any],
) -> None:
    given = json.loads(envelope)
    told = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic_arn,
        "Subject": given.get("Subject"),
        "Message": message,
        "Timestamp": given.get("Timestamp"),
        "SignatureVersion": given.get("SignatureVersion"),
        "Signature": given.get("Signature"),
        "SigningCertUrl": given.get("SigningCertURL"),
        "UnsubscribeUrl": given.get("UnsubscribeURL"),
        "MessageAttributes": {
            name: {
                "Type": value.get("DataType", "String"),
                "Value": value.get("StringValue", value.get("BinaryValue", "")),
            }
            for name, value in attributes.items()
        },
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": told,
    }
    invoke(endpoint, {"Records": [record]})


def _from_rule(function_arn: str, payload: str) -> None:
    try:
        event = json.loads(payload)
    except (ValueError, TypeError):
        event = payload
    invoke(function_arn, event)
