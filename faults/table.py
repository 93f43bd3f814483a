"""The suite's result as a person reads it."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from faults.verdicts import HARMLESS, Row, Verdict

TOTAL = "all"


def shown(rows: Sequence[Row]) -> Table:
    """Return the table: consumer, fault, and how many events ended in each way."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("consumer", no_wrap=True)
    table.add_column("fault")
    for heading in ("events", *Verdict):
        table.add_column(heading, justify="right")
    table.add_column("")
    previous = ""
    for row in sorted(rows, key=lambda row: row.consumer):
        table.add_row("" if row.consumer == previous else row.consumer, row.fault, *_numbers(row), _remark(row))
        previous = row.consumer
    table.add_section()
    table.add_row(TOTAL, "", *_numbers(total(rows)), "")
    return table


def total(rows: Sequence[Row]) -> Row:
    """Return the sum of all rows."""
    summed = Row(TOTAL, "")
    for row in rows:
        summed.counts.update(row.counts)
    return summed


def _numbers(row: Row) -> list[str]:
    return [str(row.events), *(_number(verdict, row.counts[verdict]) for verdict in Verdict)]


def _number(verdict: Verdict, count: int) -> str:
    if not count:
        return "[dim]0[/]"
    return f"{count}" if verdict in HARMLESS else f"[bold red]{count}[/]"


def _remark(row: Row) -> str:
    return f"[red]{row.problem}[/]" if row.problem else row.note
