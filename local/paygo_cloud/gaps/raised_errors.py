"""A handler that raises ends its call and not its environment, which serves the next.

MiniStack starts a new worker after each error: an authorizer, which refuses a token by raising, would have a cold start
for each one.

AWS resets an environment when the runtime exits or the call times out:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-invoke-with-errors
"""

from typing import Any

from ministack.core import lambda_runtime

_FAILED = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
_RAISED = '{"status": "ok", "raised": {"status": "error", "error": str(e), "trace": traceback.format_exc()}}'


def install() -> None:
    """Let a worker say that all is well with it, and its caller that the handler raised."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if script.count(_FAILED) != 1:
        raise RuntimeError("MiniStack's Python worker tells of errors elsewhere now: mend raised_errors.")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_FAILED, _RAISED)
    original = lambda_runtime.Worker.invoke

    def invoke(worker: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        result: dict[str, Any] = original(worker, *arguments, **named)
        raised: dict[str, Any] = result.pop("raised", {})
        return result | raised

    lambda_runtime.Worker.invoke = invoke
