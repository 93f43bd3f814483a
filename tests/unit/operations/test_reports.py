"""What every keeper of reports does: the fake of the other tests and the table."""

from typing import TYPE_CHECKING

import pytest

from operations.model import Contended, ErrorReport
from operations.repository import REPORTED, ReportTable
from paygo.storage import Table
from tests.unit.operations.fakes import FakeReports
from tests.unit.operations.makers import NOW, seen_error

if TYPE_CHECKING:
    from operations.usecases import Reports


def report(group: str = "a", *, version: int = 1, count: int = 1) -> ErrorReport:
    return ErrorReport(
        group=group,
        service="ledger",
        type="CurrencyMismatch",
        place="ledger/usecases.py:88",
        count=count,
        first_seen=NOW,
        latest=seen_error(),
        version=version,
    )


@pytest.fixture(params=["fake", "table"])
def reports(request: pytest.FixtureRequest, table: Table) -> "Reports":
    return FakeReports() if request.param == "fake" else ReportTable(table)


def test_a_written_report_is_found(reports: "Reports") -> None:
    assert reports.find("a") is None

    reports.write(None, report())

    assert reports.find("a") == report()


def test_a_report_is_written_over_the_one_that_was_read(reports: "Reports") -> None:
    reports.write(None, report())

    reports.write(report(), report(version=2, count=5))

    assert reports.find("a") == report(version=2, count=5)


def test_a_report_that_changed_since_it_was_read_stays(reports: "Reports") -> None:
    reports.write(None, report())
    reports.write(report(), report(version=2, count=5))

    for before in (None, report()):
        with pytest.raises(Contended):
            reports.write(before, report(version=2, count=9))

    assert reports.find("a") == report(version=2, count=5)


def test_reports_come_in_pages(reports: "Reports") -> None:
    for group in "cab":
        reports.write(None, report(group))

    first = reports.page(limit=2, cursor=None)
    rest = reports.page(limit=2, cursor=first.next_cursor)

    assert [one.group for one in first.reports + rest.reports] == ["a", "b", "c"]
    assert rest.next_cursor is None


def test_a_report_goes_some_time_after_its_error_was_seen_last(table: Table) -> None:
    ReportTable(table).write(None, report())

    item = table.get(pk="REPORTS", sk="REPORT#a")
    assert item is not None
    assert item["expires_at"] == int((NOW + REPORTED).timestamp())
