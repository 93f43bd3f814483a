"""A few workers of a function start at a time, and what comes meanwhile waits for one that is free.

No gap of MiniStack's but a matter of size: AWS has room for a thousand cold starts at once, this machine has not. Two
hundred requests at once would start two hundred Pythons, which take minutes and gigabytes; with this they are served
by the few that are ready first. Nobody waits while fewer than `AT_ONCE` are starting, so a function that calls itself
gets a new worker as before, and so does one whose workers are all asleep. A queue is worked off by a few workers too:
a stack has some twenty queues, and five workers for each would start a hundred Pythons for one burst of events.
"""

import os
import threading
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

AT_ONCE = 4
WORKERS_A_QUEUE = max(2, os.cpu_count() or 1)
LOOK_AGAIN_SECONDS = 0.1


def install() -> None:
    """Wrap how MiniStack leases a worker, and how many of them a queue may have."""
    original_concurrency = lambda_svc._sqs_esm_concurrency
    original_acquire = lambda_svc.acquire_worker
    original_release = lambda_svc.release_worker
    changed = threading.Condition()

    def acquire(func_name: str, config: Any, code_zip: bytes, qualifier: str = "$LATEST", **more: Any) -> Any:
        key = lambda_runtime._worker_key(func_name, config, qualifier)
        with changed:
            while True:
                workers = list(lambda_runtime._workers.get(key, ()))
                is_full = sum(1 for worker in workers if getattr(worker, "_cold", False)) >= AT_ONCE
                limit = {"max_concurrency": len(workers)} if is_full else {}
                worker, how = original_acquire(func_name, config, code_zip, qualifier=qualifier, **{**more, **limit})
                if worker is not None or not is_full:
                    return worker, how
                changed.wait(LOOK_AGAIN_SECONDS)

    def release(worker: Any) -> None:
        original_release(worker)
        with changed:
            changed.notify()

    def concurrency(*mapping: Any) -> int:
        wanted: int = original_concurrency(*mapping)
        return min(wanted, WORKERS_A_QUEUE)

    lambda_svc._sqs_esm_concurrency = concurrency
    lambda_svc.acquire_worker = acquire
    lambda_svc.release_worker = release
