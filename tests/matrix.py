"""The authorisation matrix of docs/authorisation.md: what is expected of every route for every kind of caller.

It is written by hand and knows nothing of the contract; what it must not leave out is checked here.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "authorisation.md"
BEARER = "/bearer"

KINDS_OF_CALLER = (
    "nobody",
    "anonymous",
    "registering",
    "approved",
    "own",
    "partner",
    "another",
    "revoked",
    "expired",
    "revoked anonymous",
    "expired anonymous",
    "device",
    "operator",
)
"""Beside these, each third party is one, and each scope of an anonymous and of a household's token."""

_ROUTE = re.compile(r"`([A-Z]+) (/\S*)`")
_ALLOWED = re.compile(r"✓ (2\d\d)")
_REFUSED = re.compile(r"(\()?([a-z:-]+)(?(1)\))")


class Unreadable(Exception):
    """The page is not written as the tests read it."""


@dataclass(frozen=True, order=True)
class Row:
    """A route as the page names it."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_bearer(self) -> bool:
        """Whether it is one of the twins for bearer tokens."""
        return self.path.startswith(BEARER + "/")


@dataclass(frozen=True)
class Cell:
    """What is expected of a call: a good status, or the kind of problem it is refused with.

    Parameters
    ----------
    is_state
        Whether the caller is allowed and only the state of things is not.
    """

    status: int | None = None
    kind: str | None = None
    is_state: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the call is to succeed."""
        return self.status is not None

    def __str__(self) -> str:
        return str(self.status) if self.is_good else str(self.kind)


type Cells = Mapping[tuple[Row, str], Cell]


def read_matrix(text: str) -> Cells:
    """Return every cell by row and caller."""
    cells: dict[tuple[Row, str], Cell] = {}
    callers: list[str] = []
    for line in text.splitlines():
        first, *others = [column.strip() for column in line.strip("|").split("|")] if line.startswith("|") else [""]
        route = _ROUTE.fullmatch(first)
        if first == "route":
            callers = others
        elif route:
            row = Row(route[1], route[2])
            if len(others) != len(callers):
                message = f"{row} has {len(others)} cells under {len(callers)} callers."
                raise Unreadable(message)
            for caller, written in zip(callers, others, strict=True):
                if (row, caller) in cells:
                    message = f"{row} is written twice for {caller}."
                    raise Unreadable(message)
                cells[row, caller] = _cell(written, row, caller)
    return cells


def _cell(written: str, row: Row, caller: str) -> Cell:
    if allowed := _ALLOWED.fullmatch(written):
        return Cell(status=int(allowed[1]))
    if refused := _REFUSED.fullmatch(written):
        return Cell(kind=refused[2], is_state=bool(refused[1]))
    message = f"{row} for {caller}: what is {written!r}?"
    raise Unreadable(message)


def rows_of(cells: Cells) -> list[Row]:
    """Return the rows in the page's order."""
    return list(dict.fromkeys(row for row, _ in cells))


def callers_of(cells: Cells) -> list[str]:
    """Return the callers in the page's order."""
    return list(dict.fromkeys(caller for _, caller in cells))


def routes_of(contract: Mapping[str, Any]) -> dict[Row, Mapping[str, Any]]:
    """Return every operation by its route, those for sessions a second time under /bearer."""
    found: dict[Row, Mapping[str, Any]] = {}
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            found[Row(method.upper(), path)] = operation
            if {"session": []} in operation["security"]:
                found[Row(method.upper(), BEARER + path)] = operation
    return found


def route_of(row: Row, routes: Collection[Row]) -> Row | None:
    """Return the route that a row is about; a row may name a path where the route has a parameter."""
    if row in routes:
        return row
    fitting = (route for route in routes if route.method == row.method and _template(route.path).fullmatch(row.path))
    return next(fitting, None)


def _template(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", path)
    greedy = {True: ".+", False: "[^/]+"}
    return re.compile("".join(greedy["+" in part] if part.startswith("{") else re.escape(part) for part in parts))


def scoped_callers(contract: Mapping[str, Any]) -> set[str]:
    """Return a caller for each scope that a token of either kind may have."""
    return {
        f"{kind} {operation['x-paygo-scope']}"
        for operation in routes_of(contract).values()
        for kind in operation.get("x-paygo-callers", ())
    }


def faults(
    cells: Cells, contract: Mapping[str, Any], third_parties: Collection[str], kinds: Collection[str]
) -> Iterator[str]:
    """Say what is missing, or too much.

    Parameters
    ----------
    third_parties
        Those that call the platform.
    kinds
        The problems that there are.
    """
    routes, rows, callers = routes_of(contract), rows_of(cells), callers_of(cells)
    covered = {row: route_of(row, routes) for row in rows}
    for route in routes.keys() - set(covered.values()):
        yield f"{route} has no row"
    for row in rows:
        if covered[row] is None:
            yield f"{row} is no route"
        for caller in callers:
            if (row, caller) not in cells:
                yield f"{row} has no cell for {caller}"
    expected = {*KINDS_OF_CALLER, *third_parties, *scoped_callers(contract)}
    for caller in expected - set(callers):
        yield f"{caller} has no column"
    for caller in set(callers) - expected:
        yield f"{caller} is no caller"
    for (row, caller), cell in cells.items():
        if wrong := _wrong(cell, routes.get(covered[row] or row, {}), kinds):
            yield f"{row} for {caller}: {wrong}"


def _wrong(cell: Cell, operation: Mapping[str, Any], kinds: Collection[str]) -> str | None:
    if not cell.is_good:
        return None if cell.kind in kinds else f"there is no problem {cell.kind}"
    is_known = not operation or str(cell.status) in operation["responses"]
    return None if is_known else f"the route never answers {cell.status}"
