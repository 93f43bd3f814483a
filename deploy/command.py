"""What the command lines share: Ctrl-C stops in good order, and whatever goes wrong is told in a sentence."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from deploy.errors import Interrupted, sentence

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(app: Callable[[], object], stopped: str, *mistakes: type[Exception]) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    stopped
        What a run that was stopped says last.
    mistakes
        The errors whose text is a sentence for a person.
    """
    for name in SIGNALS:
        signal.signal(name, _stop)
    try:
        app()
    except Interrupted:
        return _fail(stopped, INTERRUPTED)
    except mistakes as mistake:
        return _fail(str(mistake), 1)
    except (BotoCoreError, ClientError) as failure:
        return _fail(sentence(failure), 1)
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Stop in good order at the first Ctrl-C, at once at the second."""
    for name in SIGNALS:
        signal.signal(name, lambda _number, _frame: os._exit(INTERRUPTED))
    print("  Stopping; Ctrl-C again to end at once.", flush=True)
    raise Interrupted


def _fail(text: str, status: int) -> int:
    sys.stdout.flush()
    print(f"paygo: {text}", file=sys.stderr)
    return status
