"""What deploy takes a stack to need is what a plan of it says."""

import pytest

from deploy import needs
from tests.policy.needs import of
from tests.policy.plan import ADDRESSES, Plan, Planner, given


@pytest.mark.parametrize("kind", ["development", "production"])
def test_the_recorded_needs_are_the_plans(kind: str, request: pytest.FixtureRequest) -> None:
    recorded = needs.recorded()[kind]
    plan: Plan = request.getfixturevalue(kind)

    assert {resource: count for resource, count in recorded.items() if resource != needs.CODE} == of(plan), (
        "run `make needs` and commit what changed"
    )


def test_the_recorded_needs_with_a_role_a_service_are_the_plans(shared_roles: Plan) -> None:
    recorded = needs.recorded()[needs.kind("development", "service")]

    assert {resource: count for resource, count in recorded.items() if resource != needs.CODE} == of(shared_roles)


def test_the_recorded_needs_of_staging_are_the_plans(planner: Planner) -> None:
    recorded = needs.recorded()["staging"]

    assert {resource: count for resource, count in recorded.items() if resource != needs.CODE} == of(
        planner.stack(stage="staging", partner_urls=ADDRESSES, secrets=given("staging"))
    )
