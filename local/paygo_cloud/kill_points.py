"""Kill points: a function's worker ends itself (SIGKILL) before or after a call that it makes, as a plan says.

A crash at a chosen place is what a fault test needs and no gap of MiniStack's: on AWS nothing of this exists. While
there is no plan nothing is watched, and an invocation pays for one look whether a file is there.

The plan is ``plan.json`` in ``$PAYGO_HOME/cloud/kill-points``, written in one step (rename) by whoever plays faults::

    {
      "record": ["paygo-x-ledger-book-payments"],      functions whose calls are recorded
      "subjects": ["<text>"],                          of each call is told which of these its message or batch holds
      "kills": [{
        "name": "k-1",                                 a file name, once
        "function": "paygo-x-ledger-book-payments",
        "event": "<text>" | null,                      only while a message, or a batch, that holds the text is handled
        "scope": "message" | "batch",                  calls made for one message, or for none in particular
        "when": "before" | "after",
        "operation": "dynamodb.PutItem" | null,        which calls are counted; null: all
        "n": 1,                                        counted from 1, anew for each message of each invocation
        "fresh": true                                  the worker that is given the event is a new one
      }]
    }

A kill happens once: ``killed/<name>`` is made first and tells where it was. Recorded calls are lines of JSON in
``calls.jsonl``: function, request_id, message_id, subjects, n, operation, host, method, path.
"""

import json
import os
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

FOLDER_VARIABLE = "PAYGO_KILL_POINTS"

_CALL = "result = handler_fn(event, context)"
_PLANNED_CALL = "result = _paygo_call(handler_fn, event, context)"
_BOOTSTRAP = f"""
def _paygo_call(handler, event, context):
    import os
    if not os.path.exists(os.environ["{FOLDER_VARIABLE}"] + "/plan.json"):
        return handler(event, context)
    from paygo_cloud import kill_points_worker
    return kill_points_worker.call(handler, event, context)
"""


def install() -> None:
    """Let workers look for a plan at each invocation, and start those anew that a plan wants fresh."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if script.count(_CALL) != 1:
        raise RuntimeError("MiniStack's Python worker calls the handler elsewhere now: mend kill_points.")
    lambda_runtime._PYTHON_WORKER_SCRIPT = _BOOTSTRAP + script.replace(_CALL, _PLANNED_CALL)
    invoke = lambda_runtime.Worker.invoke

    def invoke_as_planned(worker: Any, event: Any, request_id: str, **more: Any) -> Any:
        if _wants_fresh(Path(os.environ[FOLDER_VARIABLE]), worker.func_name, event):
            worker.kill()
        return invoke(worker, event, request_id, **more)

    lambda_runtime.Worker.invoke = invoke_as_planned


def _wants_fresh(folder: Path, function: str, event: Any) -> bool:
    try:
        kills = json.loads((folder / "plan.json").read_text())["kills"]
    except FileNotFoundError:
        return False
    text = json.dumps(event)
    return any(
        kill["function"] == function
        and kill.get("fresh")
        and (kill["event"] is None or kill["event"] in text)
        and not (folder / "killed" / kill["name"]).exists()
        for kill in kills
    )
