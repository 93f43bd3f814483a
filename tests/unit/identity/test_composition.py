import boto3
import pytest
import responses

from identity import composition
from identity.model import BankCustomerRefused
from paygo.storage import Table


def test_users_are_kept_in_the_pool_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("cognito-idp")
    pool_id = client.create_user_pool(PoolName="households", AliasAttributes=["email"])["UserPool"]["Id"]
    monkeypatch.setenv("USER_POOL_ID", pool_id)
    composition.users.cache_clear()

    composition.users().keep("household-1", "amina@example.org", "Correct-horse-battery-9!")

    assert [user["Username"] for user in client.list_users(UserPoolId=pool_id)["Users"]] == ["household-1"]
    composition.users.cache_clear()


def test_the_bank_is_the_one_of_the_functions_settings(partner_calls: Table) -> None:
    with responses.RequestsMock() as web:
        web.post("https://bank.example.org/customers/verifications", status=422)

        with pytest.raises(BankCustomerRefused):
            composition.bank().verify("1002003004", "000000", "login-1")

    composition.bank.cache_clear()
