"""What an operator is shown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from operate.answers import Audited, Entry, Letter, LetterDetail, Report

SHORT = 8
"""So much of a letter's id is shown in a list, and is enough to name it."""

UNKNOWN = "-"
_WIDE = 220


def console() -> Console:
    """Return where to write: what goes into a pipe or a file is not cut to a screen's width."""
    made = Console(highlight=False, markup=False)
    return made if made.is_terminal else Console(highlight=False, markup=False, width=_WIDE)


def list_letters(out: Console, letters: Sequence[Letter], state: str, now: datetime) -> None:
    """Show letters: first how many of which consumer and reason, then each."""
    if not letters:
        out.print(f"No {state} dead letters.")
        return
    for (place, reason), count in Counter((one.place, one.reason) for one in letters).most_common():
        out.print(Text.assemble((f"{count:>6}", "bold"), f"  {plain(place)}  {plain(reason)}"))
    out.print()
    table = _table("LETTER", "CONSUMER", "REASON", "EVENT", "EVENT ID", "AGE", "DEAD FOR", "ATTEMPTS", "DEATHS")
    for one in letters:
        table.add_row(
            *_cells(
                one.letter_id[:SHORT],
                one.place,
                one.reason,
                one.event_type,
                one.event_id,
                age(now, one.first_seen),
                age(now, one.dead_at),
                str(one.attempts),
                str(one.deaths),
            )
        )
    out.print(table)


def show_letter(out: Console, letter: LetterDetail, now: datetime, *, with_body: bool) -> None:
    """Show a letter and its history, oldest first; the body may hold a person's data and is shown when asked for."""
    facts = (
        ("letter", letter.letter_id),
        ("state", letter.state),
        ("consumer", letter.place),
        ("queue", letter.queue),
        ("reason", letter.reason),
        ("error", letter.error),
        ("event", f"{letter.event_type or UNKNOWN}  {letter.event_id or UNKNOWN}"),
        ("correlation id", letter.correlation_id or UNKNOWN),
        ("first seen", f"{written(letter.first_seen)}, {age(now, letter.first_seen)} ago"),
        ("died", f"{written(letter.dead_at)}, {age(now, letter.dead_at)} ago, {letter.deaths} time(s)"),
        ("attributes", ", ".join(f"{name}={value}" for name, value in letter.attributes.items()) or UNKNOWN),
    )
    for name, value in facts:
        _line(out, name, value)
    out.print()
    for entry in letter.history:
        _entry(out, entry)
    out.print()
    if with_body:
        out.print(Text(plain(letter.body) if letter.body is not None else "The body is gone."), soft_wrap=True)
    else:
        out.print("The message itself, which may hold a person's data: --body")


def list_reports(out: Console, reports: Iterable[Report], now: datetime) -> None:
    """Show error reports, the latest first."""
    found = sorted(reports, key=lambda report: report.last_seen, reverse=True)
    if not found:
        out.print("No errors were reported in the last thirty days.")
        return
    for report in found:
        title = f"{report.count:>6}  {report.service}  {report.type}  {report.place}"
        out.print(Text(plain(title), style="bold"), soft_wrap=True)
        seen = f"first {written(report.first_seen)}, last {written(report.last_seen)}, {age(now, report.last_seen)} ago"
        out.print(f"        {seen}", soft_wrap=True)
        out.print(
            f"        function {plain(report.function)}  correlation id {plain(report.correlation_id or UNKNOWN)}"
        )
        out.print(f"        log {plain(report.log_url)}", soft_wrap=True)


def list_audit(out: Console, events: Iterable[Audited]) -> None:
    """Show who did what, newest first."""
    found = list(events)
    if not found:
        out.print("Nothing was done that is meant.")
        return
    table = _table("TIME", "ACT", "HOUSEHOLD", "SESSION", "FROM", "DETAIL")
    for event in found:
        detail = [f"{name}={value}" for name, value in event.detail.items()]
        agent = [event.user_agent] if event.user_agent else []
        table.add_row(
            *_cells(
                f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                event.act,
                event.household_id,
                event.session_id or event.identity_hash,
                " ".join([event.source_ip or UNKNOWN, *agent]),
                " ".join(detail),
            )
        )
    out.print(table)


def plain(text: str) -> str:
    """Return the text without what would steer a terminal: a message can hold anything."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


def written(time: datetime) -> str:
    """Return the time as people read it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def age(now: datetime, time: datetime) -> str:
    """Return how long ago it was, in the two largest units.

    >>> age(datetime(2026, 11, 21, 12, 5, tzinfo=UTC), datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
    '1d 2h'
    """
    seconds = max(0, int((now - time).total_seconds()))
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    for place, (name, size) in enumerate(units):
        if seconds >= size:
            first = f"{seconds // size}{name}"
            rest = [(seconds % size) // smaller for _, smaller in units[place + 1 : place + 2]]
            return f"{first} {rest[0]}{units[place + 1][0]}" if rest and rest[0] else first
    return "0s"


def _entry(out: Console, entry: Entry) -> None:
    when = written(entry.at) if entry.at else "at an unknown time"
    if entry.what == "attempt":
        where = f" at {entry.place}" if entry.place else ""
        count = entry.receive_count if entry.receive_count is not None else UNKNOWN
        out.print(Text(plain(f"attempt {count:<3} {when}  {entry.error_type or UNKNOWN}{where}")), soft_wrap=True)
        for name, value in (("", entry.error), ("request", entry.request_id), ("log", entry.log_url)):
            if value:
                out.print(Text(plain(f"    {name} {value}" if name else f"    {value}")), soft_wrap=True)
        return
    by = f" by {entry.by} from {entry.source_ip}" if entry.by else ""
    why = f": {entry.reason}" if entry.reason else ""
    message = f", message {entry.message_id}" if entry.message_id else ""
    out.print(Text(plain(f"{entry.what:<11} {when}{by}{message}{why}"), style="bold"), soft_wrap=True)


def _line(out: Console, name: str, value: str) -> None:
    out.print(Text.assemble((f"{name:<15}", "dim"), plain(value)), soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"LETTER", "AGE", "DEAD FOR", "TIME", "ACT"})
    return table


def _cells(*values: str | None) -> Iterable[Text]:
    return (Text(plain(value) if value else UNKNOWN) for value in values)
