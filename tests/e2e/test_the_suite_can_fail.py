"""The refusals are real: with the anonymous role opened on purpose, the very checks that test them fail."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress

import boto3
import pytest

from demo.journey import NotRefused, eventually
from demo.stage import Stage, home_folder
from tests.e2e.refusals import (
    AWS_CALLS,
    OF_A_HOUSEHOLD,
    World,
    check_anonymous_cannot_use_aws,
    check_anonymous_is_refused_at_the_gate,
)

POLICY = "opened-by-a-test"
ALLOW_EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)


@pytest.fixture(scope="module")
def opened(stage: Stage, world: World) -> Iterator[World]:
    """Allow anonymous sessions everything, and forbid it again whatever happens."""
    if stage.access.endpoint_url is None:
        pytest.skip("A role in an AWS account is not opened, not even for a moment.")
    session = deployer(stage)
    iam = session.client("iam", endpoint_url=stage.access.endpoint_url)
    pools = session.client("cognito-identity", endpoint_url=stage.access.endpoint_url)
    roles = pools.get_identity_pool_roles(IdentityPoolId=stage.access.identity_pool_id)["Roles"]
    role = roles["unauthenticated"].rpartition("/")[2]
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


def deployer(stage: Stage) -> boto3.Session:
    import configparser

    profiles = configparser.ConfigParser()
    profiles.read(home_folder() / "cloud" / "credentials")
    keys = profiles["deployer"]
    return boto3.Session(keys["aws_access_key_id"], keys["aws_secret_access_key"], region_name=stage.access.region)


def is_refused(check: Callable[[World, str], None], world: World, what: str) -> bool:
    try:
        check(world, what)
    except NotRefused:
        return False
    return True


@pytest.mark.parametrize("operation", OF_A_HOUSEHOLD)
def test_the_check_of_a_household_route_turns_red(opened: World, operation: str) -> None:
    with pytest.raises(NotRefused):
        check_anonymous_is_refused_at_the_gate(opened, operation)


@pytest.mark.parametrize("service", AWS_CALLS)
def test_the_check_of_aws_itself_turns_red(opened: World, service: str) -> None:
    with pytest.raises(NotRefused):
        check_anonymous_cannot_use_aws(opened, service)
