"""What a run says, as plain lines: for a terminal, and for a function's log."""

from collections.abc import Iterable, Sequence

from janitor.buckets import rate_of
from janitor.found import Found, counted, listed
from janitor.kinds import Kind
from janitor.rehearsal import rehearse
from janitor.run import Judged, Outcome, Plan

_HEAD = ("stack", "goes", "why", "resources", "takes", "a month")


def table(planned: Plan) -> list[str]:
    """Write every stack as a row, those that go first."""
    rows = sorted(planned.judged, key=lambda one: (not one.verdict.goes, one.stack))
    if not rows:
        return ["The account holds no stack."]
    cells = [_HEAD, *(_row(one) for one in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _row(one: Judged) -> tuple[str, ...]:
    takes = duration(rehearse(one.tasks).seconds) if one.verdict.goes else "-"
    goes = "yes" if one.verdict.goes else "no"
    return (one.stack, goes, one.verdict.why, str(len(one.tasks)), takes, f"${one.dollars_a_month:.2f}")


def summary(planned: Plan) -> list[str]:
    """Say what removing all that goes comes to."""
    lines = []
    going = planned.going
    if going:
        rehearsed = planned.rehearsed()
        dollars = sum(one.dollars_a_month for one in going)
        lines.append(
            f"{counted(len(going), 'stack')} with {counted(rehearsed.resources, 'resource')} would be gone in "
            f"{duration(rehearsed.seconds)}; keeping them costs ${dollars:.2f} a month."
        )
        rate = rate_of(rehearsed.call) if rehearsed.call else None
        if rehearsed.call and rate and rehearsed.limit > rehearsed.seconds / 2:
            lines.append(
                f"What takes so long is {rehearsed.call[1]}, which AWS allows once in {rate.seconds_each:g} s: "
                f"{duration(rehearsed.limit)} at least."
            )
    if planned.unowned:
        lines.append(f"No stack's, and left alone (name its branch if it has one): {_listed(planned.unowned)}")
    return lines


def _listed(unowned: Iterable[tuple[Kind, Found]]) -> str:
    return listed((f"{kind.words} {found.name}" for kind, found in unowned), most=10)


def ending(outcome: Outcome) -> list[str]:
    """Say what is gone, and what is left and why."""
    lines = [f"{stack} is gone: a fresh look finds nothing of it." for stack in outcome.gone]
    lines += outcome.stayed
    if outcome.throttled:
        lines.append(f"AWS asked for patience {counted(outcome.throttled, 'time')}; those calls were made again.")
    if outcome.left:
        lines += [
            f"{counted(len(outcome.left), 'thing')} left after {duration(outcome.seconds)}:",
            *shown(outcome.left),
        ]
    elif outcome.gone:
        lines.append(f"Nothing is left after {duration(outcome.seconds)}.")
    return lines


def shown(lines: Sequence[str], most: int = 40) -> list[str]:
    """Indent lines, and count those that would be too many."""
    told = [f"  {line}" for line in lines[:most]]
    return [*told, f"  and {len(lines) - most} more"] if len(lines) > most else told


def duration(seconds: float) -> str:
    """Write a duration as people say it.

    >>> duration(8), duration(272), duration(6053)
    ('8 s', '4 min 32 s', '1 h 41 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(whole / 60)
    return f"{minutes // 60} h {minutes % 60} min"
