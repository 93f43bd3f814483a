"""The operators' routes are refused to everybody else."""

import pytest

from demo.stage import Access, Stage
from operate.access import Access as OperatorAccess
from operate.access import find_stack
from operate.routes import Routes
from tests.e2e.callers import prepare, refused, routes, send, send_signed
from tests.e2e.refusals import AT_THE_GATE, World

OF_AN_OPERATOR = tuple(name for name, route in routes().items() if route.caller == "operator")


@pytest.fixture(scope="session")
def operator(access: Access) -> OperatorAccess:
    return find_stack(access.branch, None, None)


def test_an_operator_reads_letters_and_reports(operator: OperatorAccess) -> None:
    assert isinstance(list(Routes(operator).letters({"service": "none"})), list)
    assert isinstance(list(Routes(operator).reports()), list)


@pytest.mark.parametrize("operation", OF_AN_OPERATOR)
def test_nobody_mends_letters_without_a_signature(stage: Stage, operation: str) -> None:
    refused(send(prepare(stage, routes()[operation])), operation, kinds=AT_THE_GATE)


@pytest.mark.parametrize("operation", OF_AN_OPERATOR)
def test_a_session_mends_no_letters(world: World, operation: str) -> None:
    for session in (world.household, world.anonymous):
        refused(send_signed(world.stage, routes()[operation], session), operation, kinds=AT_THE_GATE)
