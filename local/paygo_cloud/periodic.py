"""Work that the server does by itself every few seconds."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


def every(seconds: float, work: Callable[[], None]) -> None:
    """Do it in a thread of its own for as long as the server lives; what fails is logged and tried again."""

    def repeat() -> None:
        while True:
            time.sleep(seconds)
            try:
                work()
            except Exception:
                logger.exception("%s failed", work.__module__)

    threading.Thread(target=repeat, daemon=True, name=work.__module__).start()
