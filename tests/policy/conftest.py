"""The plans that the rules are held against, each made once."""

import pytest

from tests.policy.plan import ADDRESSES, NETWORK, Plan, Planner, given


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "policy" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("policy"))


@pytest.fixture(scope="session")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Planner:
    return Planner(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="session")
def development(planner: Planner) -> Plan:
    return planner.stack(stage="development")


@pytest.fixture(scope="session")
def production(planner: Planner) -> Plan:
    return planner.stack(stage="production", partner_urls=ADDRESSES, secrets=given("production"))


@pytest.fixture(scope="session")
def staging(planner: Planner) -> Plan:
    return planner.stack(stage="staging", partner_urls=ADDRESSES, secrets=given("staging"))


@pytest.fixture(scope="session")
def account(planner: Planner) -> Plan:
    return planner.account()


@pytest.fixture(scope="session")
def walled(planner: Planner) -> Plan:
    """An account with all that one may have."""
    return planner.account(firewall=True, partner_network=NETWORK)
