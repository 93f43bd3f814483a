"""A function's log is what its worker wrote, in the stream that the function was told of, with the runtime's own lines.

MiniStack makes a stream for every invocation that the function does not know of, says nothing of a worker that was
killed, calls every error ``Runtime.HandlerError``, and makes a function's log group again when both were removed while
it ran.

AWS: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html,
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html,
https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
"""

import re
import signal
import threading
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from ministack.core import lambda_runtime, responses
from ministack.services import cloudwatch_logs, lambda_svc

WORKER = '/_worker.py", line'
INDENT = "\u00a0\u00a0"
_TIMED_OUT = re.compile(r"Task timed out after \d+\.\d\d seconds")
_DIED = "Worker process died"
_NOT_STARTED = "Worker init failed: "


class _Here(threading.local):
    """What the invocation on this thread has told so far."""

    spawning: str | None = None
    stream: str | None = None
    status: int | None = None
    lines: list[str] | None = None


_here = _Here()


def install() -> None:
    """Wrap the worker and the executor, and replace what writes the log."""
    original_uuid = responses.new_uuid
    original_spawn, original_invoke = lambda_runtime.Worker._spawn, lambda_runtime.Worker.invoke
    original_execute = lambda_svc._execute_function_warm

    # The one value that a worker is started with and takes from here is the name of its stream.
    responses.new_uuid = lambda: _here.spawning or original_uuid()

    def spawn(worker: Any) -> None:
        version = worker.config.get("Version", "$LATEST")
        worker.paygo_stream = f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid4().hex}"
        _here.spawning = _here.stream = worker.paygo_stream
        try:
            original_spawn(worker)
        finally:
            _here.spawning = None
            worker.paygo_process = worker._proc

    def invoke(worker: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        result: dict[str, Any] = original_invoke(worker, *arguments, **named)
        _here.stream = worker.paygo_stream
        _here.status = worker.paygo_process.returncode
        return result

    def execute(func: Any, event: Any, request_id: str) -> dict[str, Any]:
        _here.stream, _here.status, _here.lines = None, None, None
        result: dict[str, Any] = original_execute(func, event, request_id)
        if result.get("error") and not result.get("throttle"):
            return _explain(result, request_id)
        return result

    lambda_runtime.Worker._spawn = spawn
    lambda_runtime.Worker.invoke = invoke
    lambda_svc._execute_function_warm = execute
    lambda_svc._emit_lambda_logs = _emit


def _explain(result: dict[str, Any], request_id: str) -> dict[str, Any]:
    """Say what went wrong in the runtime's words, in the log and in the answer."""
    message = str(result["body"].get("errorMessage"))
    log = result.get("log") or ""
    if _TIMED_OUT.fullmatch(message):
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        own, line = log.removesuffix(message), f"{at} {request_id} {message}"
        body: dict[str, Any] = {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {request_id} Error: {message}",
        }
    elif message == _DIED:
        told = f"RequestId: {request_id} Error: Runtime exited with error: {_ending(_here.status)}"
        own, line = log.removesuffix(message), f"{told}\nRuntime.ExitError"
        body = {"errorType": "Runtime.ExitError", "errorMessage": told}
    elif message.startswith(_NOT_STARTED):
        reason = message.removeprefix(_NOT_STARTED)
        kind = "Runtime.ImportModuleError" if "No module named" in reason else "Runtime.InitError"
        own, line = log, f"[ERROR] {kind}: {reason}"
        body = {"errorType": kind, "errorMessage": reason, "requestId": "", "stackTrace": []}
    else:
        own, line, body = _raised(message, log, request_id)
    _here.lines = [*own.splitlines(), line]
    return result | {"body": body, "log": "\n".join(_here.lines)}


def _raised(message: str, log: str, request_id: str) -> tuple[str, str, dict[str, Any]]:
    """Take the traceback, which MiniStack puts at the log's end, apart."""
    at = log.rfind("Traceback (most recent call last):")
    own, trace = (log[:at], log[at:].rstrip("\n")) if at >= 0 else (log, "")
    last = trace.removesuffix(message).removesuffix(": ").rpartition("\n")[2]
    kind = last.rpartition(".")[2] if re.fullmatch(r"[\w.]+", last) else "Exception"
    frames = [each for each in re.findall(r"  File .*(?:\n    .*)*", trace) if WORKER not in each.partition("\n")[0]]
    indented = [
        re.sub(r"^( +)", lambda spaces: INDENT * (len(spaces[1]) // 2), line) for line in "\n".join(frames).splitlines()
    ]
    lines = [f"[ERROR] {kind}: {message}", *(["Traceback (most recent call last):", *indented] if frames else [])]
    body = {"errorMessage": message, "errorType": kind, "requestId": request_id}
    return own, "\n".join(lines), body | {"stackTrace": [f"{frame}\n" for frame in frames]}


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        number = signal.Signals(-status)
        words = {signal.SIGKILL: "killed", signal.SIGSEGV: "segmentation fault", signal.SIGTERM: "terminated"}
        return f"signal: {words.get(number, number.name)}"
    return f"exit status {status or 0}"


def _emit(func: Any, request_id: str, log: str, _error: bool, duration_ms: int, **_: Any) -> None:
    """Write an invocation's lines to its worker's stream."""
    config = func.get("config") or func
    version = config.get("Version", "$LATEST")
    group_name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    stream_name = _here.stream or f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid4().hex}"
    now = int(time.time() * 1000)
    group = cloudwatch_logs._log_groups.get(group_name)
    if group is None:
        if config["FunctionName"] not in lambda_svc._functions:
            return  # AWS makes a group by the function's role, and no role of a stack may
        group = cloudwatch_logs._log_groups[group_name] = {
            "arn": cloudwatch_logs._make_group_arn(group_name),
            "creationTime": now,
            "retentionInDays": None,
            "tags": {},
            "subscriptionFilters": {},
            "streams": {},
        }
    stream = group["streams"].setdefault(
        stream_name,
        {
            "events": [],
            "uploadSequenceToken": "1",
            "creationTime": now,
            "firstEventTimestamp": None,
            "lastEventTimestamp": None,
            "lastIngestionTime": None,
        },
    )
    memory = config.get("MemorySize", 128)
    lines = [
        f"START RequestId: {request_id} Version: {version}",
        *(_here.lines if _here.lines is not None else log.splitlines()),
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tBilled Duration: {duration_ms} ms\t"
        f"Memory Size: {memory} MB\tMax Memory Used: {lambda_svc._probe_peak_memory_mb(func)} MB",
    ]
    _here.lines = None
    events = [{"timestamp": now, "message": line, "ingestionTime": now} for line in lines]
    cloudwatch_logs._append_log_events(stream, events)
    cloudwatch_logs._fanout_to_subscription_filters(group_name, stream_name, events)
