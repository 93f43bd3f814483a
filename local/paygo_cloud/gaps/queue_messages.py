"""A queue loses no message, gives it to one receiver at a time, and refuses what AWS refuses.

MiniStack changes a queue from several threads and replaces its list of messages while others add to it, fails when a
message is deleted twice, and does not count a message's attributes.

AWS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.services import sns, sqs

type Queue = dict[str, Any]
type Message = dict[str, Any]

MAX_DELAY = 900
MAX_VISIBILITY = 43_200
MAX_ATTRIBUTES = 10
BATCH_BYTES = 1_048_576

_lock = threading.RLock()
_HANDLE = re.compile(r"[0-9a-f-]{36}")


def install() -> None:
    """Replace what takes messages out, so that the list stays the same one, and check what comes in."""
    sqs._queues_lock = _lock
    sqs._expire_retained = _expire
    sqs._dlq_sweep = _sweep
    sqs._collect_msgs = _collect(sqs._collect_fifo)
    sqs._delete_messages_for_esm = _delete_for_mapping
    sqs._act_send_message = _checked_send(sqs._act_send_message)
    actions = {
        "SendMessage": sqs._act_send_message,
        "SendMessageBatch": _checked_batch(sqs._act_send_message_batch),
        "DeleteMessage": _delete,
        "DeleteMessageBatch": _delete_batch,
        "ChangeMessageVisibility": _change_visibility,
        "ChangeMessageVisibilityBatch": _change_visibility_batch,
    }
    sqs._HANDLERS.update(actions)


def _take(queue: Queue, is_wanted: Callable[[Message], bool]) -> list[Message]:
    """Take messages out in place: what another thread appends meanwhile stays."""
    taken: list[Message] = []
    with _lock:
        messages, index = queue["messages"], 0
        while index < len(messages):
            if is_wanted(messages[index]):
                taken.append(messages.pop(index))
            else:
                index += 1
    return taken


def _expire(queue: Queue) -> None:
    before = time.time() - int(queue["attributes"].get("MessageRetentionPeriod") or 345_600)

    def is_over(message: Message) -> bool:
        at: float = message.get("enqueued_at") or message.get("sent_at") or before + 1
        return at <= before

    _take(queue, is_over)


def _sweep(queue: Queue) -> None:
    policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
    target = sqs._queue_by_arn(policy.get("deadLetterTargetArn") or "") if policy else None
    if target is None:
        return
    now, most = time.time(), int(policy["maxReceiveCount"])
    source = queue["attributes"].get("QueueArn", "")
    for message in _take(queue, lambda each: each.get("receive_count", 0) >= most and each.get("visible_at", 0) <= now):
        moved = message | {"receipt_handle": None, "visible_at": now}
        if target.get("is_fifo"):
            moved["enqueued_at"] = now
        moved["sys"] = {"DeadLetterQueueSourceArn": source} | (message.get("sys") or {})
        target["messages"].append(moved)
        sqs.esm_wake.set()


def _collect(collect_fifo: Callable[..., list[Message]]) -> Callable[[Queue, int, int], list[Message]]:
    def collect(queue: Queue, most: int, visibility: int) -> list[Message]:
        now = time.time()
        with _lock:
            if queue["is_fifo"]:
                return collect_fifo(queue, most, visibility, now)
            received: list[Message] = []
            for message in queue["messages"]:
                if len(received) == most:
                    break
                if message.get("visible_at", 0) > now:
                    continue
                sqs._ensure_msg_fields(message)
                message["receipt_handle"] = sqs.new_uuid()
                message["visible_at"] = now + visibility
                message["receive_count"] += 1
                message["first_receive_at"] = message["first_receive_at"] or now
                received.append(message)
            return received

    return collect


def _delete_for_mapping(queue_url: str, handles: set[str]) -> None:
    queue = sqs._get_q(queue_url)
    _take(queue, lambda message: message.get("receipt_handle") is not None and message["receipt_handle"] in handles)


def _delete(data: dict[str, Any], url: str) -> dict[str, Any]:
    """Delete what the handle names; a message that is gone or was received again is none of its business."""
    queue = sqs._get_q(data.get("QueueUrl", url), "sqs:DeleteMessage")
    handle = _handle(data)
    _take(queue, lambda message: message.get("receipt_handle") == handle)
    return {}


def _handle(data: dict[str, Any]) -> str:
    handle = str(data.get("ReceiptHandle") or "")
    if not handle:
        raise sqs._Err("MissingParameter", "The request must contain the parameter ReceiptHandle.")
    if not _HANDLE.fullmatch(handle):
        raise sqs._Err("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    return handle


def _change_visibility(data: dict[str, Any], url: str) -> dict[str, Any]:
    queue = sqs._get_q(data.get("QueueUrl", url), "sqs:ChangeMessageVisibility")
    handle, seconds = _handle(data), int(data.get("VisibilityTimeout", 30))
    _within("VisibilityTimeout", seconds, MAX_VISIBILITY)
    now = time.time()
    with _lock:
        for message in queue["messages"]:
            if message.get("receipt_handle") == handle and message["visible_at"] > now:
                message["visible_at"] = now + seconds
                if not seconds:
                    sqs.esm_wake.set()
                return {}
    reason = "Message does not exist or is not available for visibility timeout change."
    raise sqs._Err("InvalidParameterValue", f"Value {handle} for parameter ReceiptHandle is invalid. Reason: {reason}")


def _each(data: dict[str, Any], url: str, action: Callable[[dict[str, Any], str], Any], kind: str) -> dict[str, Any]:
    entries = data.get("Entries") or []
    sqs._validate_batch_entries(entries, kind)
    done, failed = list[dict[str, Any]](), list[dict[str, Any]]()
    for entry in entries:
        try:
            action({**entry, "QueueUrl": data.get("QueueUrl", url)}, url)
            done.append({"Id": entry["Id"]})
        except sqs._Err as error:
            told = {"Code": error.code, "Message": error.message, "SenderFault": True}
            failed.append({"Id": entry["Id"], **told})
    return {"Successful": done, "Failed": failed}


def _delete_batch(data: dict[str, Any], url: str) -> dict[str, Any]:
    return _each(data, url, _delete, "DeleteMessageBatchRequestEntry")


def _change_visibility_batch(data: dict[str, Any], url: str) -> dict[str, Any]:
    return _each(data, url, _change_visibility, "ChangeMessageVisibilityBatchRequestEntry")


def _checked_send(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def send(data: dict[str, Any], url: str) -> dict[str, Any]:
        queue = sqs._get_q(data.get("QueueUrl", url), "sqs:SendMessage")
        _within("DelaySeconds", int(data.get("DelaySeconds") or 0), MAX_DELAY)
        attributes = data.get("MessageAttributes") or {}
        if len(attributes) > MAX_ATTRIBUTES:
            reason = f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{MAX_ATTRIBUTES}]."
            raise sqs._Err("InvalidParameterValue", reason)
        limit = int(queue["attributes"].get("MaximumMessageSize") or BATCH_BYTES)
        if _size(data) > limit:
            reason = f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            raise sqs._Err("InvalidParameterValue", reason)
        return original(data, url)

    return send


def _checked_batch(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def send(data: dict[str, Any], url: str) -> dict[str, Any]:
        size = sum(_size(entry) for entry in data.get("Entries") or [])
        if size > BATCH_BYTES:
            told = f"Batch requests cannot be longer than {BATCH_BYTES} bytes. You have sent {size} bytes."
            raise sqs._Err("BatchRequestTooLong", told)
        return original(data, url)

    return send


def _size(data: dict[str, Any]) -> int:
    """Count the body and its attributes: names, types and values."""
    counted: int = sns._message_payload_size(data.get("MessageBody") or "", data.get("MessageAttributes") or {})
    return counted


def _within(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        reason = f"Value {value} for parameter {name} is invalid. Reason: Must be between 0 and {most}, if provided."
        raise sqs._Err("InvalidParameterValue", reason)
