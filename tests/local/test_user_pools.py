"""User pools: which passwords a policy allows, and how a name may be spelt.

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


@pytest.fixture(params=[True, False], ids=["sensitive", "insensitive"])
def is_sensitive(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_a_name_is_the_same_however_it_is_spelt_where_the_pool_says_so(pools: Any, is_sensitive: bool) -> None:
    pool_id = pools.create_user_pool(
        PoolName=f"test-{uuid4().hex}",
        AliasAttributes=["email"],
        UsernameConfiguration={"CaseSensitive": is_sensitive},
    )["UserPool"]["Id"]
    address = [{"Name": "email", "Value": "amina@example.org"}, {"Name": "email_verified", "Value": "true"}]
    pools.admin_create_user(UserPoolId=pool_id, Username="one", UserAttributes=address, MessageAction="SUPPRESS")

    found = {
        name: is_found(pools, pool_id, name) for name in ("one", "ONE", "Amina@Example.org", "another@example.org")
    }
    pools.delete_user_pool(UserPoolId=pool_id)

    assert found == {
        "one": True,
        "ONE": not is_sensitive,
        "Amina@Example.org": not is_sensitive,
        "another@example.org": False,
    }


def is_found(pools: Any, pool_id: str, name: str) -> bool:
    try:
        return bool(pools.admin_get_user(UserPoolId=pool_id, Username=name)["Username"] == "one")
    except pools.exceptions.UserNotFoundException:
        return False
