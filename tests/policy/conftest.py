"""The plans that the rules are held against, each made once."""

import pytest

from tests.policy.plan import ACL, ADDRESSES, ALL_THERE_MAY_BE, PLACE, Plan, Planner, given


@pytest.fixture(scope="session")
def planner(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Planner:
    assert pytestconfig.cache
    return Planner(tmp_path_factory.mktemp("policy"), kept=pytestconfig.cache.mkdir("plans"))


@pytest.fixture(scope="session")
def development(planner: Planner) -> Plan:
    return planner.stack(stage="development")


@pytest.fixture(scope="session")
def shared_roles(planner: Planner) -> Plan:
    """A stack for development with a role a service."""
    return planner.stack(stage="development", roles="service")


@pytest.fixture(scope="session")
def production(planner: Planner) -> Plan:
    return planner.stack(stage="production", partner_urls=ADDRESSES, secrets=given("production"))


@pytest.fixture(scope="session")
def staging(planner: Planner) -> Plan:
    """A stack of an account with all that one may have."""
    return planner.stack(
        stage="staging",
        partner_urls=ADDRESSES,
        secrets=given("staging"),
        partner_network=PLACE,
        web_acl_arn=ACL,
    )


@pytest.fixture(scope="session")
def account(planner: Planner) -> Plan:
    return planner.account()


@pytest.fixture(scope="session")
def walled(planner: Planner) -> Plan:
    """An account with all that one may have."""
    return planner.account(**ALL_THERE_MAY_BE)
