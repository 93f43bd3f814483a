"""A queue's batch fails as a whole when the function's report of it is wrong; records tell where a dead letter is from.

AWS: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

import json
import time
from typing import Any

from ministack.services import lambda_svc, sqs

PAUSE_SECONDS = 0.1


def install() -> None:
    """Replace what runs a batch."""
    lambda_svc._run_sqs_batch = _run


def _run(mapping: Any, function: Any, event: Any, batch: list[Any], queue_url: str, *_: Any) -> None:
    origins = {message["id"]: (message.get("sys") or {}).get("DeadLetterQueueSourceArn") for message in batch}
    for record in event["Records"]:
        if origins.get(record["messageId"]):
            record["attributes"]["DeadLetterQueueSourceArn"] = origins[record["messageId"]]
    result = lambda_svc._execute_function(function, event)
    if result.get("log"):
        lambda_svc.logger.info("%s:\n%s", mapping["FunctionName"], result["log"])
    if result.get("error"):
        failed = set(origins)
        # Its messages wait for their visibility timeout and others need not: only this one of the mapping's pollers
        # waits a little, so that it does not spin.
        time.sleep(PAUSE_SECONDS)
    else:
        failed = _failed(mapping, result.get("body"), set(origins))
    done = {message["receipt_handle"] for message in batch if message["id"] not in failed}
    sqs._delete_messages_for_esm(queue_url, done)
    mapping["LastProcessingResult"] = "FAILED" if result.get("error") else f"OK - {len(done)} of {len(batch)} records"


def _failed(mapping: Any, body: Any, sent: set[str]) -> set[str]:
    """Return the messages that the function says it could not handle: all of them when it cannot be understood."""
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return set()
    try:
        answer = json.loads(body) if isinstance(body, str | bytes) else body
        failures = (answer or {}).get("batchItemFailures") or []
        named = {failure["itemIdentifier"] for failure in failures}
    except (ValueError, AttributeError, TypeError, KeyError):
        return sent
    return sent if named - sent else named
