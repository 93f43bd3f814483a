"""A service's functions may share a role, which then allows what theirs did and nothing else."""

import json
import re
from collections import defaultdict

import pytest

from tests.policy.plan import STACK, Plan, Planner
from tests.policy.rules import resources, roles, wiring
from tests.policy.test_rules import OF_DEVELOPMENT, OF_EVERY_STACK, Rule, named

# What these say of a function's role is what sharing gives up.
OF_A_FUNCTIONS_ROLE = (
    roles.the_audit_is_only_added_to,
    resources.functions_have_a_role_and_a_log_group_of_their_own,
    wiring.mappings_may_read_their_source,
    wiring.messages_stay_with_their_worker,
    wiring.unattended_failures_are_kept,
    wiring.dead_letters_are_archived,
)

type Right = tuple[str, str, str]


def rights(plan: Plan) -> dict[str, set[Right]]:
    """Who may do what on what, by module."""
    found: dict[str, set[Right]] = defaultdict(set)
    for policy in plan.of("aws_iam_role_policy"):
        module = re.sub(r"\.aws_iam_role_policy\.this\[.*", "", policy.address)
        for statement in policy.document("policy")["Statement"]:
            condition = json.dumps(statement.get("Condition"), sort_keys=True)
            for action in statement["Action"]:
                on = statement["Resource"]
                for resource in [on] if isinstance(on, str) else on:
                    found[module].add((action, resource, condition))
    return found


@pytest.mark.parametrize(
    "rule", [rule for rule in OF_EVERY_STACK + OF_DEVELOPMENT if rule not in OF_A_FUNCTIONS_ROLE], ids=named
)
def test_a_stack_with_a_role_a_service_keeps(rule: Rule, shared_roles: Plan) -> None:
    assert list(rule(shared_roles)) == []


def test_a_services_role_allows_what_its_functions_roles_did(shared_roles: Plan, development: Plan) -> None:
    assert rights(shared_roles) == rights(development)


def test_no_two_services_share_a_role(shared_roles: Plan) -> None:
    names = [role.values["name"] for role in shared_roles.of("aws_iam_role")]

    assert len(set(names)) == len(names)
    assert {f"{STACK}-identity", f"{STACK}-operations", f"{STACK}-partners", f"{STACK}-mocks"} <= set(names)
    assert not set(names) & {function.values["function_name"] for function in shared_roles.of("aws_lambda_function")}


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_only_a_stack_for_development_shares_roles(stage: str, planner: Planner) -> None:
    assert "Only a stack for development" in planner.refusal(stage=stage, roles="service")
