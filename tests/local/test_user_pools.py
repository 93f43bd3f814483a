"""User pools: which passwords a policy allows.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_PasswordPolicyType.html
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import Clients


@pytest.fixture
def pools(deployer: Clients) -> Any:
    return deployer("cognito-idp")


@pytest.fixture
def pool(pools: Any) -> Iterator[str]:
    policy = {"PasswordPolicy": {"MinimumLength": 12, "RequireNumbers": True}}
    pool_id = pools.create_user_pool(PoolName=f"test-{uuid4().hex}", Policies=policy)["UserPool"]["Id"]
    yield pool_id
    pools.delete_user_pool(UserPoolId=pool_id)


def test_what_a_policy_leaves_out_is_not_required(pools: Any, pool: str) -> None:
    pools.admin_create_user(UserPoolId=pool, Username="one", TemporaryPassword="lower case and 9")


@pytest.mark.parametrize("password", ["short 9", "lower case alone"])
def test_what_a_policy_asks_for_is_required(pools: Any, pool: str, password: str) -> None:
    with pytest.raises(pools.exceptions.InvalidPasswordException):
        pools.admin_create_user(UserPoolId=pool, Username="one", TemporaryPassword=password)
