import boto3
import pytest

from identity import composition


def test_users_are_kept_in_the_pool_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("cognito-idp")
    pool_id = client.create_user_pool(PoolName="households", AliasAttributes=["email"])["UserPool"]["Id"]
    monkeypatch.setenv("USER_POOL_ID", pool_id)
    composition.users.cache_clear()

    composition.users().keep("household-1", "amina@example.org", "Correct-horse-battery-9!")

    assert [user["Username"] for user in client.list_users(UserPoolId=pool_id)["Users"]] == ["household-1"]
    composition.users.cache_clear()
