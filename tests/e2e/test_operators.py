"""What an operator may read; who may not is in docs/authorisation.md."""

from operate.access import Access as OperatorAccess
from operate.routes import Routes


def test_an_operator_reads_letters_and_reports(operator: OperatorAccess) -> None:
    assert isinstance(list(Routes(operator).letters({"service": "none"})), list)
    assert isinstance(list(Routes(operator).reports()), list)
