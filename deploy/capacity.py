"""How many stacks an account holds, and which quota decides: computed from AWS's limits and from what a stack needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy import needs
from deploy.needs import LIMITED, Limited, Needs
from deploy.preflight import OTHERS, STRAYS, Stock, look
from deploy.stack import LIFETIME
from deploy.target import ROOT, Clients
from paygo_limits import Quota, rates

PAGE = ROOT / "docs" / "limits.md"
_BEGIN, _END = "<!-- computed: make needs -->", "<!-- end -->"
_PER_DAY = (30, 60)
_LIFETIMES = {"8h": 8 / 24, "1d": 1.0, LIFETIME: 7.0}


@dataclass(frozen=True)
class Row:
    """A quota and what stacks make of it.

    Attributes
    ----------
    need
        How much one stack takes of it.
    held
        How much is taken now, by whatever; None where that is unknown.
    besides
        The part of it that no stack holds.
    """

    quota: Quota
    limit: int
    need: int
    held: int | None = None
    besides: int = 0

    @property
    def fit(self) -> int:
        """How many stacks the account holds, those that are there among them."""
        return max(self.limit - self.besides, 0) // self.need

    @property
    def more(self) -> int | None:
        """How many stacks can be added to what is there."""
        return None if self.held is None else max(self.limit - self.held, 0) // self.need


def written(needed: Needs) -> list[Row]:
    """Lay what a stack needs against the limits of an account that AWS has raised nothing for, the tightest first."""
    rows = [Row(limited.quota, limited.quota.limit, needed[limited.resource]) for limited in _used(needed)]
    return sorted(rows, key=lambda row: row.fit)


def seen(stocks: Iterable[Stock], needed: Needs) -> list[Row]:
    """Lay what a stack needs against what an account may have and has, the tightest first."""
    rows = [
        Row(
            stock.limited.quota,
            stock.limit,
            needed[stock.limited.resource],
            stock.held,
            stock.by.get(OTHERS, 0) + stock.by.get(STRAYS, 0),
        )
        for stock in stocks
    ]
    return sorted(rows, key=lambda row: (row.fit if row.more is None else row.more, row.fit))


def capacity(clients: Clients, needed: Needs) -> list[Row]:
    """Look at an account and say how many stacks it holds."""
    return seen(look(clients, _used(needed)), needed)


def _used(needed: Needs) -> list[Limited]:
    return [limited for limited in LIMITED if needed.get(limited.resource)]


def table(rows: Iterable[Row]) -> list[str]:
    """Write what was seen as lines of a table for a terminal."""
    cells = [("quota", "limit", "held", "a stack's", "fit", "more now")]
    cells += [
        (
            row.quota.words,
            amount(row.limit, row.quota),
            "?" if row.held is None else amount(row.held, row.quota),
            amount(row.need, row.quota),
            f"{row.fit:,}",
            "?" if row.more is None else f"{row.more:,}",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [_line(line, widths) for line in cells]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest])


def binding(rows: list[Row]) -> str:
    """Say which quota decides.

    >>> binding(written({"aws_iam_role": 46}))
    'IAM roles decide: 21 stacks.'
    """
    first = rows[0]
    room = "" if first.more is None else f", {first.more:,} more than now"
    return f"{first.quota.words} decide: {first.fit:,} stacks{room}."


def amount(count: int, quota: Quota) -> str:
    """Write how much of a quota there is, bytes in MB.

    >>> amount(12_345_678, quota_of("code_bytes"))
    '13 MB'
    """
    return f"{-(-count // 1_000_000):,} MB" if quota.name.endswith("_bytes") else f"{count:,}"


def quota_of(resource: str) -> Quota:
    """Give the quota of a resource of Terraform's."""
    return next(limited.quota for limited in LIMITED if limited.resource == resource)


def alive(per_day: int, days: float) -> int:
    """Say how many stacks are there at once when so many a day are made and each lives for so many days.

    >>> alive(30, 8 / 24), alive(60, 7)
    (10, 420)
    """
    return round(per_day * days)


def to_raise(stacks: int, needed: Needs) -> list[tuple[Quota, int]]:
    """Name the quotas that so many stacks do not fit into, the tightest first, and what each takes."""
    return [(row.quota, row.need * stacks) for row in written(needed) if row.fit < stacks]


# --- the page ---------------------------------------------------------------------------------------------------------


def computed(recorded: Mapping[str, Needs]) -> str:
    """Write the computed part of docs/limits.md."""
    own, shared = recorded["development"], recorded[needs.kind("development", "service")]
    return "\n".join(
        [
            "## How many stacks does an account hold?",
            "",
            *_verdict(own, shared),
            "",
            *_quotas(own, shared),
            "",
            *_unchecked(own),
            "",
            "## What does a day of thirty to sixty stacks take?",
            "",
            *_days(own, shared),
            "",
            *_janitor(),
        ]
    )


def _verdict(own: Needs, shared: Needs) -> list[str]:
    first, second = written(own)[0], written(shared)[0]
    return [
        f"As AWS opens an account, **{first.fit} stacks** of development, for {first.quota.words} decide: "
        f"{first.need} a stack of {first.limit:,}.",
        f"With `ROLES=service` **{second.fit} stacks**, for then {second.quota.words} decide: "
        f"{second.need} a stack of {second.limit:,}.",
    ]


def _quotas(own: Needs, shared: Needs) -> list[str]:
    resources = {limited.quota: limited.resource for limited in LIMITED}
    lines = [
        "| quota | limit | a stack's | stacks | with `ROLES=service` | stacks | Service Quotas |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in written(own):
        need = shared[resources[row.quota]]
        lines.append(
            f"| {row.quota.words} | {amount(row.limit, row.quota)} | {amount(row.need, row.quota)} | {row.fit:,} "
            f"| {amount(need, row.quota)} | {row.limit // need:,} | {row.quota.code or '-'} |"
        )
    return lines


def _unchecked(needed: Needs) -> list[str]:
    named = dict.fromkeys(row.quota.service for row in written(needed) if not row.quota.checked)
    return [f"Not yet compared with AWS's own pages: the numbers of {', '.join(f'`{service}`' for service in named)}."]


def _days(own: Needs, shared: Needs) -> list[str]:
    lines = [
        "| stacks a day | each lives | there at once | to raise | with `ROLES=service` to raise |",
        "| ---: | ---: | ---: | --- | --- |",
    ]
    for per_day in _PER_DAY:
        for lifetime, days in _LIFETIMES.items():
            stacks = alive(per_day, days)
            lines.append(
                f"| {per_day} | {lifetime} | {stacks:,} | {_raised(stacks, own)} | {_raised(stacks, shared)} |"
            )
    return lines


def _raised(stacks: int, needed: Needs) -> str:
    return ", ".join(_raise(quota, count) for quota, count in to_raise(stacks, needed)) or "nothing"


def _raise(quota: Quota, count: int) -> str:
    text = f"{quota.words} to {amount(count, quota)}"
    return f"**{text}, and AWS goes to {quota.most:,}**" if quota.most and count > quota.most else text


def _janitor() -> list[str]:
    day = 24 * 60 * 60
    rate = rates("apigateway")
    delete, plan = rate["DeleteRestApi"].seconds_each, rate["UpdateUsagePlan"].seconds_each
    sixty = 60 * max(delete, plan) / 60
    return [
        f"AWS lets a region delete one REST API in {delete:.0f} s, {day / delete:,.0f} a day, and update one usage "
        f"plan in {plan:.0f} s, {day / plan:,.0f} a day. A stack of development has one of each, so the janitor can "
        f"take {day / max(delete, plan):,.0f} stacks a day away, and sixty of them in {sixty:.0f} minutes: what is "
        "there at once is decided by how long stacks live, not by how fast they go.",
    ]


def with_computed(page: str, part: str) -> str:
    """Put the computed part into the page."""
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}\n\n{part}\n\n{_END}{rest.partition(_END)[2]}"


def write_page(path: Path = PAGE) -> None:
    """Compute docs/limits.md anew."""
    path.write_text(with_computed(path.read_text(), computed(needs.recorded())))
