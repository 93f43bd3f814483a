"""The authorisation matrix leaves out no route and no caller; `tests/e2e/test_matrix.py` makes each cell a call."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from contracts.document import load
from tests.matrix import (
    PAGE,
    Cell,
    Cells,
    Row,
    Unreadable,
    callers_of,
    faults,
    read_matrix,
    route_of,
    routes_of,
    rows_of,
)

ROOT = Path(__file__).parents[2]
CALLS_US = re.compile(r"^\s*([a-z-]+)\s*=\s*\{ calls_us = true", re.MULTILINE)
KIND = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)

CONTRACT = load()
THIRD_PARTIES = set(CALLS_US.findall((ROOT / "terraform" / "partners.tf").read_text(encoding="utf-8")))
KINDS = {*KIND.findall((ROOT / "docs" / "problems.md").read_text(encoding="utf-8")), "about:blank"}
CELLS = read_matrix(PAGE.read_text(encoding="utf-8"))

DEVICES = Row("GET", "/v1/devices")


def found(cells: Cells = CELLS, contract: dict[str, Any] = CONTRACT) -> list[str]:
    return sorted(faults(cells, contract, THIRD_PARTIES, KINDS))


def without(row: Row | None = None, caller: str | None = None) -> Cells:
    return {
        (each, whose): cell
        for (each, whose), cell in CELLS.items()
        if (row is not None and each != row) or (caller is not None and whose != caller)
    }


def test_the_matrix_has_every_route_and_every_caller() -> None:
    assert found() == []


def test_third_parties_are_found() -> None:
    assert {"supplier", "identity-bureau", "mobile-money", "mobile-wallet"} <= THIRD_PARTIES


def test_every_route_but_those_of_stand_ins_is_open_to_somebody() -> None:
    closed = {row for row in rows_of(CELLS) if not any(_opens(CELLS[row, caller]) for caller in callers_of(CELLS))}

    assert {row.path.split("/")[1] for row in closed} == {"mocks"}


def _opens(cell: Cell) -> bool:
    return cell.is_good or cell.is_state


def test_another_household_finds_nothing_behind_the_ids_of_a_household() -> None:
    with_ids = {row for row in rows_of(CELLS) if "_id}" in row.path and CELLS[row, "own"].is_good}

    assert len(with_ids) == 10
    assert {CELLS[row, "another"] for row in with_ids} == {Cell(kind="not-found")}


@pytest.mark.parametrize("row", [DEVICES, Row("GET", "/bearer/v1/devices")], ids=str)
def test_a_route_without_a_row_is_a_fault(row: Row) -> None:
    assert found(without(row=row)) == [f"{row} has no row"]


def test_a_new_route_of_the_contract_is_a_fault_until_it_has_its_rows() -> None:
    contract = deepcopy(CONTRACT)
    contract["paths"]["/v1/loans"] = {"get": contract["paths"]["/v1/devices"]["get"]}

    assert found(contract=contract) == ["GET /bearer/v1/loans has no row", "GET /v1/loans has no row"]


def test_a_row_without_a_route_is_a_fault() -> None:
    contract = deepcopy(CONTRACT)
    del contract["paths"]["/v1/statement"]

    assert found(contract=contract) == ["GET /bearer/v1/statement is no route", "GET /v1/statement is no route"]


@pytest.mark.parametrize("caller", ["revoked", "mobile-wallet", "household devices:write"])
def test_a_caller_without_a_column_is_a_fault(caller: str) -> None:
    assert found(without(caller=caller)) == [f"{caller} has no column"]


def test_a_new_scope_is_a_fault_until_it_has_a_column() -> None:
    contract = deepcopy(CONTRACT)
    contract["paths"]["/v1/statement"]["get"]["x-paygo-scope"] = "statements:read"

    assert "household statements:read has no column" in found(contract=contract)


def test_a_column_without_a_caller_is_a_fault() -> None:
    cells = {(row, caller.replace("operator", "visitor")): cell for (row, caller), cell in CELLS.items()}

    assert found(cells) == ["operator has no column", "visitor is no caller"]


def test_a_missing_cell_is_a_fault() -> None:
    cells = {place: cell for place, cell in CELLS.items() if place != (DEVICES, "own")}

    assert found(cells) == [f"{DEVICES} has no cell for own"]


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        (Cell(kind="go-away"), "there is no problem go-away"),
        (Cell(status=204), "the route never answers 204"),
    ],
    ids=str,
)
def test_a_cell_says_what_can_be(cell: Cell, fault: str) -> None:
    assert found({**CELLS, (DEVICES, "own"): cell}) == [f"{DEVICES} for own: {fault}"]


TABLE = """
| a cell | means |
| --- | --- |
| `✓ 200` | allowed |

| route | own | nobody |
| --- | --- | --- |
| `GET /v1/devices` | ✓ 200 | refused |
| `GET /v1/devices/{device_id}` | (not-found) | refused |
"""


def test_the_page_is_read_cell_by_cell() -> None:
    one = Row("GET", "/v1/devices/{device_id}")

    assert read_matrix(TABLE) == {
        (DEVICES, "own"): Cell(status=200),
        (DEVICES, "nobody"): Cell(kind="refused"),
        (one, "own"): Cell(kind="not-found", is_state=True),
        (one, "nobody"): Cell(kind="refused"),
    }


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("| `PUT /v1/devices` | ✓ 200 |", "PUT /v1/devices has 1 cells under 2 callers"),
        ("| `PUT /v1/devices` | ✓ 200 | maybe? |", "PUT /v1/devices for nobody: what is 'maybe\\?'"),
        ("| `PUT /v1/devices` | ✓ 200 | |", "PUT /v1/devices for nobody: what is ''"),
        ("| `PUT /v1/devices` | ✓ 200 | (refused |", "PUT /v1/devices for nobody: what is '\\(refused'"),
        ("| `GET /v1/devices` | ✓ 200 | refused |", "GET /v1/devices is written twice for own"),
    ],
)
def test_a_page_that_cannot_be_read_is_told(line: str, sentence: str) -> None:
    with pytest.raises(Unreadable, match=sentence):
        read_matrix(f"{TABLE}{line}\n")


@pytest.mark.parametrize(
    ("row", "route"),
    [
        (Row("DELETE", "/v1/sessions/current"), Row("DELETE", "/v1/sessions/current")),
        (Row("POST", "/partners/mobile-wallet/notifications"), Row("POST", "/partners/{provider}/notifications")),
        (Row("PUT", "/mocks/identity-bureau/checks/7"), Row("PUT", "/mocks/{partner}/{route+}")),
        (Row("GET", "/v1/devices/7/8/credit"), None),
        (Row("GET", "/v1/nowhere"), None),
    ],
    ids=str,
)
def test_a_row_is_about_the_route_that_it_fits(row: Row, route: Row | None) -> None:
    assert route_of(row, routes_of(CONTRACT)) == route


def test_only_routes_of_sessions_have_a_twin_for_bearer_tokens() -> None:
    twins = {route.path for route in routes_of(CONTRACT) if route.is_bearer}

    assert "/bearer/v1/devices" in twins
    assert not twins & {"/bearer/v1/sessions/refresh", "/bearer/operations/redrives", "/bearer/v1/configuration"}
