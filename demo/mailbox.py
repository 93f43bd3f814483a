"""The embedded cloud's sent mail, read at little cost however many wait for theirs."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import requests

type Mail = dict[str, Any]

PAUSE_SECONDS = 0.2
"""Between two readings: all mail comes at once, and the embedded cloud does nothing else meanwhile."""

_CODE = re.compile(r"\b\d{6}\b")


class Mailbox:
    """All mail that the embedded cloud's SES took, by recipient; use it from as many threads as you like.

    Whoever asks gets what was sent until then. Those who ask at the same time share a reading.
    """

    def __init__(
        self,
        endpoint_url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = f"{endpoint_url}/_ministack/ses/messages"
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._mails: dict[str, list[Mail]] = {}
        self._began = self._ended = float("-inf")

    def to(self, address: str) -> list[Mail]:
        """Return the mails to an address, the earliest first."""
        asked = self._clock()
        with self._lock:
            if self._began < asked:  # nobody has begun to read since
                self._read()
            return list(self._mails.get(address, ()))

    def _read(self) -> None:
        self._sleep(max(0.0, self._ended + PAUSE_SECONDS - self._clock()))
        self._began = self._clock()
        answer = requests.get(self._url, timeout=30)
        answer.raise_for_status()
        self._mails = {}
        for mails in answer.json()["messages"].values():
            for mail in mails:
                for address in mail["To"]:
                    self._mails.setdefault(address, []).append(mail)
        self._ended = self._clock()


def code_in(mails: Sequence[Mail]) -> str | None:
    """Return the six digits in the newest subject that has them."""
    codes = [found.group() for mail in mails if (found := _CODE.search(mail["Subject"]))]
    return codes[-1] if codes else None
