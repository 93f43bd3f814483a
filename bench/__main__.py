"""Measure the figures that we promise and print each beside what it should be.

python -m bench [--all] [PART ...], a PART being build, sizes, init, warm, throughput, identity, stack, journey, tests,
or one of those that take half an hour together and are measured only when they are named: fleet, throttled, rehearsal,
killed. Of those --short takes fewer stacks, as `make test` does.

Times are told, never asserted: the exit status is 1 when something could not be measured, or was counted wrong.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich import box
from rich.console import Console
from rich.table import Table

from bench import fleet, identity, init, journey, packages, stack, suite, throttled, throughput, warm
from bench.cloud import embedded_cloud
from bench.figures import FIGURES, Measurement, NotMeasured, NotRun
from bench.workshop import FULL, ROOT, SHORT, Workshop
from deploy.errors import sentence


class Part(StrEnum):
    """What can be measured by itself."""

    BUILD = "build"
    SIZES = "sizes"
    INIT = "init"
    WARM = "warm"
    THROUGHPUT = "throughput"
    IDENTITY = "identity"
    STACK = "stack"
    JOURNEY = "journey"
    TESTS = "tests"
    FLEET = "fleet"
    THROTTLED = "throttled"
    REHEARSAL = "rehearsal"
    KILLED = "killed"


DELIVERY = frozenset({Part.FLEET, Part.THROTTLED, Part.REHEARSAL, Part.KILLED})
"""What `make bench-delivery` measures, and nobody else who does not name it."""

MEASURED: dict[Part, Callable[[Workshop], Iterator[Measurement]]] = {
    Part.BUILD: packages.build_times,
    Part.SIZES: packages.sizes,
    Part.INIT: init.ratios,
    Part.WARM: warm.own_time,
    Part.THROUGHPUT: throughput.ratio,
    Part.IDENTITY: identity.registrations,
    Part.STACK: stack.stack,
    Part.JOURNEY: journey.fresh_clone,
    Part.TESTS: suite.last_run,
    Part.FLEET: fleet.stacks,
    Part.THROTTLED: throttled.deploys,
    Part.REHEARSAL: fleet.rehearsal,
    Part.KILLED: fleet.killed_deploys,
}


def main(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to measure; everything when left out.")] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Run `make test` too instead of reading what its last run took.")
    ] = False,
    short: Annotated[bool, typer.Option("--short", help="Take fewer stacks, and kill fewer of what works.")] = False,
    seed: Annotated[int | None, typer.Option(help="Decides the moments of kills; told when left out.")] = None,
) -> None:
    """Measure the figures that we promise; about sixteen minutes for all of them."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=140)
    home = Path(os.environ.get("PAYGO_HOME") or ROOT / ".paygo").absolute()
    workshop = Workshop(home, console, SHORT if short else FULL, **({} if seed is None else {"seed": seed}))
    measured: list[Measurement] = []
    missing: list[str] = []
    left_out: list[str] = []
    chosen = [part for part in Part if (part in parts if parts else part not in DELIVERY)]
    # One cloud for all parts of delivery: the next one has other credentials than those that are in use here by then.
    with embedded_cloud(workshop) if DELIVERY & set(chosen) else nullcontext():
        for part in chosen:
            measure = suite.run_now if part is Part.TESTS and everything else MEASURED[part]
            try:
                # One by one: what was measured before something could not be is told as well.
                for measurement in measure(workshop):
                    measured.append(measurement)  # noqa: PERF402
            except (NotMeasured, BotoCoreError, ClientError) as reason:
                missing.append(f"{part}: {reason if isinstance(reason, NotMeasured) else sentence(reason)}")
                console.print(f"! {missing[-1]}", style="red")
            except NotRun as reason:
                left_out.append(str(reason))
    measured.sort(key=lambda measurement: FIGURES.index(measurement.figure))
    console.print(table(measured))
    for why in missing:
        console.print(f"Not measured: {why}", style="red")
    for how_to in left_out:
        console.print(how_to)
    wrong = [it for it in measured if it.figure.must and not it.is_reached]
    for it in wrong:
        console.print(f"Not as it must be: {it.figure.what}: {number(it.value)} {it.figure.unit}".rstrip(), style="red")
    save(home / "bench.json", measured, [*missing, *left_out])
    raise typer.Exit(1 if missing or wrong else 0)


def table(measured: list[Measurement]) -> Table:
    """Return the figures as a person reads them."""
    shown = Table(box=box.SIMPLE_HEAD)
    for heading, side in (("figure", "left"), ("measured", "right"), ("to reach", "right"), ("", "left"), ("", "left")):
        shown.add_column(heading, justify="right" if side == "right" else "left")
    for it in measured:
        shown.add_row(
            it.figure.what,
            f"{number(it.value)} {it.figure.unit}",
            f"{'at least ' if it.figure.more_is_better else ''}{number(it.reach)} {it.figure.unit}",
            "[green]reached[/]" if it.is_reached else "[red]not reached[/]",
            "; ".join(part for part in (spread(it), it.note) if part),
        )
    return shown


def spread(measurement: Measurement) -> str:
    """Say how far the samples lie apart, when there are several."""
    samples = measurement.samples
    if len(samples) == 1:
        return ""
    return f"{number(min(samples))} .. {number(max(samples))}, {len(samples)} runs"


def number(value: float) -> str:
    """Write a figure with the digits that mean something."""
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def save(path: Path, measured: list[Measurement], missing: list[str]) -> None:
    """Write what was measured to a file, for comparing with another day's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "figures": [
                    {
                        "name": it.figure.name,
                        "what": it.figure.what,
                        "value": it.value,
                        "reach": it.reach,
                        "unit": it.figure.unit,
                        "reached": it.is_reached,
                        "samples": list(it.samples),
                        "note": it.note,
                    }
                    for it in measured
                ],
                "not_measured": missing,
            },
            indent=2,
        )
        + "\n"
    )


if __name__ == "__main__":
    typer.run(main)
