"""The refusals are real: with a door opened on purpose, the very checks that test them fail."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from demo.journey import NotRefused, eventually
from demo.stage import Stage
from tests.e2e.calls import Answered, Company
from tests.e2e.refusals import AWS_CALLS, World, check_anonymous_cannot_use_aws
from tests.e2e.tables import Deployer
from tests.matrix import PAGE, Row, read_matrix

POLICY = "opened-by-a-test"
ALLOW_EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
BEYOND_THE_BOUNDARY = ("lambda", "sns", "sqs", "iot", "iam")
"""Its stack's own tables and secrets are within it."""
EVERY_ROUTE = "*"
SCOPE = "sessions:read"

CELLS = read_matrix(PAGE.read_text(encoding="utf-8"))


def refused_to(caller: str, *, bearer: bool) -> list[Row]:
    """Return the rows of households' routes that API Gateway itself refuses to the caller."""
    return [
        row
        for (row, whose), cell in CELLS.items()
        if whose == caller
        and cell.kind == "refused"
        and row.is_bearer is bearer
        and (CELLS[row, "own"].is_good or CELLS[row, "approved"].is_good)
    ]


def is_red(company: Company, row: Row, caller: str) -> bool:
    """Tell whether the matrix would fail at the cell."""
    cell = CELLS[row, caller]
    answered: Answered = company.call(row, caller, cell)
    return answered.differs_from(cell)


@pytest.fixture(scope="module")
def embedded(stage: Stage) -> Deployer:
    if stage.access.endpoint_url is None:
        pytest.skip("A door in an AWS account is not opened, not even for a moment.")
    return Deployer(stage)


@pytest.fixture(scope="module")
def role(embedded: Deployer, stage: Stage) -> str:
    """The role of anonymous sessions."""
    pools = embedded.client("cognito-identity")
    roles = pools.get_identity_pool_roles(IdentityPoolId=stage.access.identity_pool_id)["Roles"]
    return str(roles["unauthenticated"].rpartition("/")[2])


@pytest.fixture(scope="module")
def generous(embedded: Deployer, role: str, world: World) -> Iterator[World]:
    """Allow anonymous sessions everything that their role's boundary does, and forbid it again whatever happens."""
    iam = embedded.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=ALLOW_EVERYTHING)
    try:
        yield world
    finally:
        # An answer may get lost and the call be made again; that the role is closed is looked at below.
        with suppress(iam.exceptions.NoSuchEntityException):
            iam.delete_role_policy(RoleName=role, PolicyName=POLICY)
        eventually(
            lambda: is_refused(check_anonymous_cannot_use_aws, world, "dynamodb"),
            bool,
            "The anonymous role's return to what it was",
        )


@pytest.fixture(scope="module")
def opened(embedded: Deployer, role: str, generous: World) -> Iterator[World]:
    """Allow anonymous sessions everything, without a boundary, and bound them again whatever happens."""
    iam = embedded.client("iam")
    boundary = iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
    iam.delete_role_permissions_boundary(RoleName=role)
    try:
        yield generous
    finally:
        iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)


@pytest.fixture(scope="module")
def permissive(embedded: Deployer, stage: Stage, company: Company) -> Iterator[Company]:
    """Let the authorizer open every route to whoever has a scope, and put the right one back whatever happens."""
    # A token whose policy API Gateway does not remember yet, since what it remembers it does not ask for.
    company.cast.sessions["own"] = company.cast.signed_in("own")
    client: Any = embedded.client("lambda")
    name = f"{stage.access.stack}-identity-authorizer"
    right = client.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    variables = embedded.variables(name)
    by_kind = json.loads(variables["SCOPE_ROUTES"])
    wide = {kind: {scope: [EVERY_ROUTE] for scope in scopes} for kind, scopes in by_kind.items()}
    wrong = ""
    try:
        embedded.configure(name, variables | {"SCOPE_ROUTES": json.dumps(wide)})
        wrong = client.publish_version(FunctionName=name)["Version"]
        client.update_alias(FunctionName=name, Name="live", FunctionVersion=wrong)
        yield company
    finally:
        client.update_alias(FunctionName=name, Name="live", FunctionVersion=right)
        embedded.configure(name, variables)
        if wrong:  # or the next deploy would find it the newest and make it live
            client.delete_function(FunctionName=name, Qualifier=wrong)


def is_refused(check: Callable[[World, str], None], world: World, what: str) -> bool:
    try:
        check(world, what)
    except NotRefused:
        return False
    return True


@pytest.mark.parametrize("service", BEYOND_THE_BOUNDARY)
def test_the_boundary_holds_though_the_role_within_it_is_opened(generous: World, service: str) -> None:
    check_anonymous_cannot_use_aws(generous, service)


@pytest.mark.parametrize("row", refused_to("anonymous", bearer=False), ids=str)
def test_the_matrix_turns_red_when_the_anonymous_role_is_opened(opened: World, company: Company, row: Row) -> None:
    assert is_red(company, row, "anonymous")


@pytest.mark.parametrize("service", AWS_CALLS)
def test_the_check_of_aws_itself_turns_red(opened: World, service: str) -> None:
    with pytest.raises(NotRefused):
        check_anonymous_cannot_use_aws(opened, service)


@pytest.mark.parametrize(
    "row", [row for row in refused_to(f"household {SCOPE}", bearer=True) if row.method == "GET"], ids=str
)
def test_the_matrix_turns_red_when_the_authorizer_opens_every_route(permissive: Company, row: Row) -> None:
    assert is_red(permissive, row, f"household {SCOPE}")
