"""The journey as a timeline: live in a terminal, line by line elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from demo.journey import Step, Told

WIDTH = 76


class Timeline:
    """Tells steps as they are played: what happened and how long it took."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, step: Step) -> Iterator["StepTelling"]:
        """Tell one step; its title comes at once, in a terminal with a spinner for as long as it takes."""
        self._console.print()
        self._console.print(f"[bold cyan]{step.number:>2}[/]  [bold]{escape(step.title)}[/]", highlight=False)
        telling = StepTelling(self._console)
        if self._console.is_terminal:
            with self._console.status("", spinner="dots"):
                yield telling
        else:
            yield telling


class StepTelling:
    """Tells what happens in one step, each thing with the time since the one before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def tell(self, told: Told) -> None:
        """Print one thing that happened."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        mark = "[yellow]✗ refused:[/]" if told.is_refusal else "[green]✓[/]"
        self._console.print(
            f"[dim]{took:6.1f} s[/]  {mark} {escape(told.text)}",
            highlight=False,
            soft_wrap=not self._console.is_terminal,
        )
