"""Why messages could not be handled: SQS counts receives and keeps no reasons, so each failed one leaves a row.

<queue name>#<event id, or message id>   <time>#<receive count>#<message id>   one attempt

A receive that left no row, and a later one did, was killed or timed out.
"""

import os
import traceback
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from paygo.messages import Message
from paygo.storage import Table, sortable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from aws_lambda_powertools.utilities.typing import LambdaContext

KEPT_FOR = timedelta(days=30)
"""As long as a message may wait in its queue and its dead-letter queue, 14 days each."""
ERROR_CHARACTERS = 1000


class Attempts:
    """The attempts at the messages of one queue."""

    def __init__(self, table: Table, queue: str) -> None:
        self._table = table
        self._queue = queue

    def record(self, message: Message, error: BaseException, context: "LambdaContext", now: datetime) -> None:
        """Keep why the message could not be handled."""
        self._table.put(
            {
                "pk": f"{self._queue}#{message.event_id}",
                "sk": f"{sortable(now)}#{message.receives}#{message.message_id}",
                "message_id": message.message_id,
                "receive_count": message.receives,
                "error_type": type(error).__name__,
                "error": str(error)[:ERROR_CHARACTERS],
                "place": place_of(error),
                "request_id": context.aws_request_id,
                "log_group": getattr(context, "log_group_name", ""),
                "log_stream": getattr(context, "log_stream_name", ""),
                "expires_at": int((now + KEPT_FOR).timestamp()),
            }
        )


def place_of(error: BaseException) -> str:
    """Return where the error arose, as `ledger/usecases.py:88`: the last line of the service, else of the layer."""
    frames = list(_frames(error))
    for package in (os.environ.get("POWERTOOLS_SERVICE_NAME"), "paygo"):
        for frame, line in frames:
            if _module(frame).split(".")[0] == package:
                return f"{_path(frame)}:{line}"
    return "unknown"


def _frames(error: BaseException | None) -> "Iterator[tuple[FrameType, int]]":
    # The innermost first, and what the error was raised from after it.
    while error is not None:
        yield from reversed(list(traceback.walk_tb(error.__traceback__)))
        error = error.__cause__


def _module(frame: "FrameType") -> str:
    return str(frame.f_globals.get("__name__", ""))


def _path(frame: "FrameType") -> str:
    file = Path(frame.f_code.co_filename)
    folders = _module(frame).split(".")
    depth = len(folders) + (file.stem == "__init__")
    return "/".join(file.parts[-depth:])
