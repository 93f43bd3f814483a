"""Tell what Terraform does, resource by resource: as a moving bar in a terminal, as a line now and then elsewhere."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from deploy.times import Times, words

_VERBS = {"create": "making", "update": "changing", "delete": "removing", "replace": "replacing", "read": "reading"}
_PLAIN_SECONDS = 5.0


class Progress:
    """Follow one apply or destroy."""

    def __init__(self, title: str, console: Console | None = None, times: Path | None = None) -> None:
        self._title = title
        self._times_file = times
        self._earlier = Times.load(times) if times else Times()
        self._times = Times()
        self._first: float | None = None
        self._last: float | None = None
        self._compared = self._began = time.monotonic()
        self._console = console or Console(stderr=False, highlight=False)
        self._planned: dict[str, str] = {}
        self._running: dict[str, tuple[str, float]] = {}
        self._done = 0
        self._told = self._began
        self._live = (
            Live(console=self._console, transient=True, auto_refresh=False) if self._console.is_terminal else None
        )
        self._redrawn = 0.0

    @property
    def changes(self) -> int:
        """How many resources were made, changed or removed."""
        return self._done

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def seconds_applying(self) -> float:
        """How long it took from the plan on."""
        return time.monotonic() - self._compared

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
        if self._times_file and self._done:
            self._times.save(self._times_file)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(f"  {text}", markup=False, soft_wrap=True)
        sys.stdout.flush()

    def take(self, message: Mapping[str, Any]) -> str | None:
        """Take one of Terraform's JSON messages; give back the sentence when it is an error."""
        error = None
        match message.get("type"):
            case "planned_change" if message["change"]["action"] in _VERBS:
                self._planned[message["change"]["resource"]["addr"]] = message["change"]["action"]
            case "change_summary" if message["changes"]["operation"] == "plan":
                count = sum(message["changes"][verb] for verb in ("add", "change", "remove"))
                self._compared = time.monotonic()
                self.say(f"{self._phase('plan')}: {count} changes ({self.seconds:.1f} s)")
            case "apply_start" if message["hook"]["action"] != "read":
                hook, now = message["hook"], time.monotonic()
                self._first = self._first or now
                self._running[hook["resource"]["addr"]] = (hook["action"], now)
            case "apply_complete" | "apply_errored" if message["hook"]["action"] != "read":
                self._end(message["hook"]["resource"]["addr"], done=message["type"] == "apply_complete")
            case "diagnostic" if message["diagnostic"]["severity"] == "error":
                error = in_one_line(message["diagnostic"])
        self._show()
        return error

    def _phase(self, name: str) -> str:
        """Name a phase, and whose it is where it is not the stack's own."""
        return name if self._title == "Terraform" else f"{self._title.lower()} {name}"

    def _end(self, address: str, *, done: bool) -> None:
        action, since = self._running.pop(address, ("", 0.0))
        if done:
            self._done += 1
            self._last = time.monotonic()
            first = self._first or since
            self._times.note(self._planned.get(address, action), address, since - first, time.monotonic() - first)

    def _show(self) -> None:
        now = time.monotonic()
        if self._live:
            if now - self._redrawn > 0.1:
                self._redrawn = now
                self._live.update(self._drawn(now), refresh=True)
        elif now - self._told >= _PLAIN_SECONDS:
            self._told = now
            self.say(self._line(now))

    def _line(self, now: float) -> str:
        if not self._planned:
            return f"{self._title}: comparing with what is there ({self.seconds:.0f} s)"
        left = ""
        if self._first is not None:
            idle = now - (self._last or self._first)
            left = f", {words(self._earlier.left(self._planned, self._done, now - self._first, idle))}"
        text = f"{self._title}: {self._done} of {len(self._planned)} ({self.seconds:.0f} s{left})"
        if self._running:
            oldest, (action, since) = min(self._running.items(), key=lambda item: item[1][1])
            others = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
            text += f" · {_VERBS.get(action, action)} {oldest}, {now - since:.0f} s{others}"
        return text

    def _drawn(self, now: float) -> Text:
        width = 24
        total = max(len(self._planned), 1)
        full = min(width, width * self._done // total)
        text = Text("  ")
        text.append("━" * full, style="green").append("━" * (width - full), style="bright_black")
        return text.append(f" {self._line(now)}").append("") if self._planned else Text(f"  {self._line(now)}")


def in_one_line(diagnostic: Mapping[str, Any]) -> str:
    """Write one of Terraform's diagnostics as a sentence that begins with what it is about."""
    where = diagnostic.get("address") or diagnostic.get("range", {}).get("filename", "")
    detail = " ".join(str(diagnostic.get("detail", "")).split())
    text = (
        f"{diagnostic['summary']}: {detail}"
        if detail and detail not in diagnostic["summary"]
        else diagnostic["summary"]
    )
    return f"{where}: {text}"[:600] if where else text[:600]
