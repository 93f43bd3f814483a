"""A stream's consumer that fails is retried, bisected and parked as its mapping says; partial failures are believed.

MiniStack retries a whole batch until it is too old, and takes ``batchItemFailures`` for success.

AWS: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html,
https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import dynamodb, lambda_svc

type Record = dict[str, Any]
type Mapping = dict[str, Any]


@dataclass
class _Trouble:
    """How far the handling of a failing batch has got."""

    attempts: int = 0
    window: int | None = None


@dataclass(frozen=True)
class _Failure:
    """The rest of a batch, from the first record that could not be handled."""

    raw: list[Record]
    wanted: list[Record]
    handled_before: int
    result: dict[str, Any]


_troubles: dict[str, _Trouble] = {}


def install() -> None:
    """Replace the poller's pass over the tables' streams."""
    lambda_svc._poll_dynamodb_streams = _poll


def _poll() -> bool:
    """Give every mapping its next batch; tell whether any of them moved on."""
    is_moved = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        with request_scope(account, region):
            is_moved = _advance(mapping) or is_moved
    return is_moved


def _advance(mapping: Mapping) -> bool:
    table = _table(mapping)
    function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    if table is None or function is None or lambda_svc._esm_backoff_until.get(mapping["UUID"], 0) > time.time():
        return False
    position = _position(mapping, table)
    window = _troubles.get(mapping["UUID"], _Trouble()).window
    size = min(mapping.get("BatchSize") or 100, window or 10_000)
    records: list[Record] = dynamodb.stream_records_since(table, position, size)
    if not records:
        return False
    wanted: list[Record] = lambda_svc._apply_filter_criteria(records, mapping)
    handled, result = _invoke(mapping, function, wanted) if wanted else (0, {})
    if handled == len(wanted):
        _troubles.pop(mapping["UUID"], None)
        _move(mapping, position + len(records))
        mapping["LastProcessingResult"] = f"OK - {len(wanted)} records"
        return True
    mapping["LastProcessingResult"] = "FAILED"
    first_failed = records.index(wanted[handled])
    _move(mapping, position + first_failed)
    failure = _Failure(records[first_failed:], wanted[handled:], handled, result)
    _after_failure(mapping, function, failure)
    return handled > 0


def _after_failure(mapping: Mapping, function: Any, failure: _Failure) -> None:
    """Bisect, count the attempt, or give the rest of the batch up."""
    trouble = _troubles.setdefault(mapping["UUID"], _Trouble())
    if failure.handled_before:
        trouble.attempts, trouble.window = 0, None  # another record is to blame now than the one counted so far
    is_divisible = mapping.get("BisectBatchOnFunctionError") and len(failure.raw) > 1
    if is_divisible and failure.result.get("error"):
        trouble.window = len(failure.raw) // 2  # does not count as an attempt
    else:
        trouble.attempts += 1
    condition = _given_up(mapping, trouble, failure.wanted)
    if condition is None:
        lambda_svc._esm_backoff_until[mapping["UUID"]] = time.time() + lambda_svc._ESM_BACKOFF_SECONDS
        return
    lambda_svc._send_ddb_stream_failure_record(
        mapping, function, failure.wanted, mapping["EventSourceArn"], failure.result, condition
    )
    _troubles.pop(mapping["UUID"], None)
    _move(mapping, lambda_svc._dynamodb_stream_positions[mapping["UUID"]] + len(failure.raw))


def _given_up(mapping: Mapping, trouble: _Trouble, failed: list[Record]) -> str | None:
    retries, age = mapping.get("MaximumRetryAttempts"), mapping.get("MaximumRecordAgeInSeconds")
    if retries is not None and 0 <= int(retries) < trouble.attempts:
        return "RetryAttemptsExhausted"
    oldest = min(float(record["dynamodb"].get("ApproximateCreationDateTime", time.time())) for record in failed)
    if age and 0 < int(age) < time.time() - oldest:
        return "MaxRecordAgeExceeded"
    return None


def _invoke(mapping: Mapping, function: Any, records: list[Record]) -> tuple[int, dict[str, Any]]:
    """Return how many records, from the first, were handled, and what the function answered."""
    result: dict[str, Any] = lambda_svc._execute_function(function, {"Records": records})
    if result.get("log"):
        lambda_svc.logger.info("%s:\n%s", mapping["FunctionName"], result["log"])
    if result.get("error"):
        return 0, result
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return len(records), result
    body = result.get("body")
    try:
        answer = json.loads(body) if isinstance(body, str | bytes) and body else body
        failures = [each["itemIdentifier"] for each in (answer or {}).get("batchItemFailures") or []]
    except (ValueError, AttributeError, TypeError, KeyError):
        return 0, result  # an answer that cannot be read fails the batch
    numbers = [str(record["dynamodb"]["SequenceNumber"]) for record in records]
    if any(each not in numbers for each in failures):
        return 0, result
    return min((numbers.index(each) for each in failures), default=len(records)), result


def _table(mapping: Mapping) -> str | None:
    """Return the table whose stream the mapping reads, when both are there and on."""
    arn = mapping.get("EventSourceArn", "")
    if not mapping.get("Enabled", True) or not arn.startswith("arn:aws:dynamodb:"):
        return None
    name: str = arn.split(":", 5)[5].split("/")[1]
    table = dynamodb._tables.get(name)
    return name if table and table.get("LatestStreamArn") == arn else None


def _position(mapping: Mapping, table: str) -> int:
    horizon: int = dynamodb.stream_start_position(table)
    with lambda_svc._dynamodb_stream_positions_lock:
        positions = lambda_svc._dynamodb_stream_positions
        if mapping["UUID"] not in positions:
            is_from_start = mapping.get("StartingPosition") == "TRIM_HORIZON"
            positions[mapping["UUID"]] = horizon if is_from_start else dynamodb.stream_end_position(table)
        positions[mapping["UUID"]] = max(positions[mapping["UUID"]], horizon)
        position: int = positions[mapping["UUID"]]
    return position


def _move(mapping: Mapping, position: int) -> None:
    lambda_svc._esm_backoff_until.pop(mapping["UUID"], None)
    with lambda_svc._dynamodb_stream_positions_lock:
        lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position
