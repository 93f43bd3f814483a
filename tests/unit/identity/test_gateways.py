import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest
import responses
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from identity.gateways.bank import HttpBank
from identity.gateways.bureau import HttpBureau
from identity.gateways.credentials import COGNITO, CognitoCredentials
from identity.gateways.users import UserPool
from identity.model import BankCustomer, BankCustomerRefused, Outcome, UnusableEmail, WeakPassword
from identity.usecases.ports import Users
from identity.usecases.sessions import CredentialMaker
from paygo.outcomes import NotReady
from paygo.partners import PartnerRefused, PartnerUnavailable, api_key, bearer, partner
from paygo.storage import Table
from tests.unit.identity.fakes import FakeCredentials, FakeUsers
from tests.unit.identity.stage import AMINA, PASSWORD

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp.type_defs import PasswordPolicyTypeTypeDef

PROVIDER = "paygo"
CHECKS = "https://identity-bureau.example.org/checks"
VERIFICATIONS = "https://bank.example.org/customers/verifications"


class Named(Users, Protocol):
    def names(self) -> list[str]: ...


class MotoUsers(UserPool):
    """The real adapter over a user pool like the stack's own."""

    def __init__(self) -> None:
        client = boto3.client("cognito-idp")
        policy: PasswordPolicyTypeTypeDef = {
            "MinimumLength": 12,
            "RequireUppercase": False,
            "RequireLowercase": True,
            "RequireNumbers": True,
            "RequireSymbols": False,
        }
        made = client.create_user_pool(PoolName="users", AliasAttributes=["email"], Policies={"PasswordPolicy": policy})
        self.id = made["UserPool"]["Id"]
        self.client = client
        super().__init__(client, self.id)

    def names(self) -> list[str]:
        return [user["Username"] for user in self.client.list_users(UserPoolId=self.id)["Users"]]


@pytest.fixture(params=[MotoUsers, FakeUsers])
def user_pool(aws: None, request: pytest.FixtureRequest) -> Named:
    made: Named = request.param()
    return made


def test_a_user_is_made(user_pool: Named) -> None:
    user_pool.keep("household-1", AMINA.email, PASSWORD)

    assert user_pool.names() == ["household-1"]


def test_a_user_is_made_once(user_pool: Named) -> None:
    user_pool.keep("household-1", AMINA.email, PASSWORD)
    user_pool.keep("household-1", AMINA.email, PASSWORD + "2")

    assert user_pool.names() == ["household-1"]


def test_a_password_against_the_policy_is_refused(user_pool: Named) -> None:
    with pytest.raises(WeakPassword):
        user_pool.keep("household-1", AMINA.email, "aaaaaaaaaaaa")


def test_a_user_is_removed_however_often_it_is_asked(user_pool: Named) -> None:
    user_pool.keep("household-1", AMINA.email, PASSWORD)

    for _ in range(2):
        user_pool.remove("household-1")

    assert user_pool.names() == []


def test_a_user_is_confirmed_and_its_address_is_not_yet_verified() -> None:
    users = MotoUsers()

    users.keep("household-1", AMINA.email, PASSWORD)

    user = users.client.admin_get_user(UserPoolId=users.id, Username="household-1")
    attributes = {each["Name"]: each["Value"] for each in user["UserAttributes"]}
    assert user["UserStatus"] == "CONFIRMED"
    assert attributes["email"] == AMINA.email
    assert attributes.get("email_verified", "false") == "false"


def test_a_user_who_is_admitted_signs_in_by_the_address(user_pool: Named) -> None:
    user_pool.keep("household-1", AMINA.email, PASSWORD)

    for _ in range(2):
        user_pool.admit("household-1", AMINA.email)

    assert user_pool.names() == ["household-1"]


def test_an_admitted_users_address_is_verified() -> None:
    users = MotoUsers()
    users.keep("household-1", AMINA.email, PASSWORD)

    users.admit("household-1", AMINA.email)

    user = users.client.admin_get_user(UserPoolId=users.id, Username="household-1")
    assert {"Name": "email_verified", "Value": "true"} in user["UserAttributes"]


def test_a_user_that_was_made_with_another_address_is_admitted_by_the_one_it_confirmed() -> None:
    users = MotoUsers()
    users.keep("household-1", "somebody.else@example.org", PASSWORD)
    users.keep("household-1", AMINA.email, PASSWORD)

    users.admit("household-1", AMINA.email)

    user = users.client.admin_get_user(UserPoolId=users.id, Username="household-1")
    attributes = {each["Name"]: each["Value"] for each in user["UserAttributes"]}
    assert (attributes["email"], attributes["email_verified"]) == (AMINA.email, "true")


def test_a_weak_password_is_refused_before_there_is_a_user() -> None:
    client = boto3.client("cognito-idp")
    expected = {
        "UserPoolId": "us-east-1_pool",
        "Username": "household-1",
        "TemporaryPassword": "aaaaaaaaaaaa",
        "UserAttributes": [{"Name": "email", "Value": AMINA.email}],
        "MessageAction": "SUPPRESS",
    }
    with Stubber(client) as stub:
        stub.add_client_error("admin_create_user", "InvalidPasswordException", expected_params=expected)
        with pytest.raises(WeakPassword):
            UserPool(client, "us-east-1_pool").keep("household-1", AMINA.email, "aaaaaaaaaaaa")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Invalid email address format.", UnusableEmail),
        (
            "1 validation error detected: Value at 'temporaryPassword' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: ^[\S]+.*[\S]+$",
            WeakPassword,
        ),
        ("Username must not be empty.", ClientError),
    ],
)
def test_an_address_or_password_that_cognito_does_not_take_is_told_from_other_mistakes(
    message: str, expected: type[Exception]
) -> None:
    client = boto3.client("cognito-idp")
    with Stubber(client) as stub:
        stub.add_client_error("admin_create_user", "InvalidParameterException", message)
        with pytest.raises(expected):
            UserPool(client, "us-east-1_pool").keep("household-1", "amina.@example.org", PASSWORD)


def cognito_credentials() -> CognitoCredentials:
    client = boto3.client("cognito-identity")
    pool = client.create_identity_pool(
        IdentityPoolName="sessions", AllowUnauthenticatedIdentities=True, DeveloperProviderName=PROVIDER
    )
    return CognitoCredentials(client, pool["IdentityPoolId"], PROVIDER)


@pytest.fixture(params=[cognito_credentials, FakeCredentials])
def identity_pool(aws: None, request: pytest.FixtureRequest) -> CredentialMaker:
    made: CredentialMaker = request.param()
    return made


def test_each_identity_is_a_new_one(identity_pool: CredentialMaker) -> None:
    assert identity_pool.new_identity() != identity_pool.new_identity()


def test_credentials_of_both_kinds_end(identity_pool: CredentialMaker) -> None:
    identity_id = identity_pool.new_identity()

    for made in (identity_pool.anonymous(identity_id), identity_pool.authenticated(identity_id, "session-1")):
        assert made.access_key_id
        assert made.expires_at > datetime.now(UTC)


def test_authenticated_credentials_are_made_with_the_sessions_developer_login() -> None:
    client = boto3.client("cognito-identity")
    ends = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
    with Stubber(client) as stub:
        stub.add_response(
            "get_open_id_token_for_developer_identity",
            {"IdentityId": "us-east-1:identity", "Token": "the-token"},
            {
                "IdentityPoolId": "us-east-1:pool",
                "IdentityId": "us-east-1:identity",
                "Logins": {PROVIDER: "session-1"},
            },
        )
        stub.add_response(
            "get_credentials_for_identity",
            {
                "IdentityId": "us-east-1:identity",
                "Credentials": {"AccessKeyId": "a", "SecretKey": "b", "SessionToken": "c", "Expiration": ends},
            },
            {"IdentityId": "us-east-1:identity", "Logins": {COGNITO: "the-token"}},
        )

        made = CognitoCredentials(client, "us-east-1:pool", PROVIDER).authenticated("us-east-1:identity", "session-1")

    assert (made.access_key_id, made.secret_access_key, made.session_token, made.expires_at) == ("a", "b", "c", ends)


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def bureau(partner_calls: Table) -> HttpBureau:
    return HttpBureau(partner("identity-bureau", api_key), "https://api.example.org/live/partners/results")


def test_the_bureau_is_asked_with_our_key_and_told_where_to_answer(
    bureau: HttpBureau, web: responses.RequestsMock
) -> None:
    web.post(CHECKS, status=202, json={"reference": "registration-1", "state": "pending"})

    bureau.ask("registration-1", AMINA, "event-1")

    [call] = web.calls
    assert json.loads(call.request.body or b"") == {
        "reference": "registration-1",
        "given_name": "Amina",
        "family_name": "Odhiambo",
        "date_of_birth": "1990-05-17",
        "phone": "+254700000001",
        "callback_url": "https://api.example.org/live/partners/results",
    }
    assert call.request.headers["X-Api-Key"] == "credential"
    assert call.request.headers["Idempotency-Key"] == "event-1"


def test_a_bureau_that_is_away_is_waited_for(bureau: HttpBureau, web: responses.RequestsMock) -> None:
    web.post(CHECKS, status=503)

    with pytest.raises(NotReady, match="identity-bureau is not available"):
        bureau.ask("registration-1", AMINA, "event-1")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 400},
        {"status": 401},
        {"status": 200, "json": {"reference": "registration-1", "state": "pending"}},
        {"status": 202, "json": {"reference": "registration-1", "state": "Amina"}},
        {"status": 202, "json": {"state": "pending"}},
        {"status": 202, "body": "<html>"},
    ],
)
def test_an_answer_of_the_bureau_that_its_contract_does_not_have_is_an_error_that_names_no_person(
    bureau: HttpBureau, web: responses.RequestsMock, answer: dict[str, Any]
) -> None:
    web.post(CHECKS, **answer)

    with pytest.raises(PartnerRefused, match=f"identity-bureau answered {answer['status']}") as error:
        bureau.ask("registration-1", AMINA, "event-1")

    assert AMINA.given_name not in str(error.value)
    assert AMINA.phone not in str(error.value)


@pytest.mark.parametrize(("state", "outcome"), [("pending", None), *((each.value, each) for each in Outcome)])
def test_the_bureau_says_what_it_found(
    bureau: HttpBureau, web: responses.RequestsMock, state: str, outcome: Outcome | None
) -> None:
    web.get(f"{CHECKS}/registration-1", json={"reference": "registration-1", "state": state})

    assert bureau.outcome("registration-1") is outcome


@pytest.fixture
def bank(partner_calls: Table) -> HttpBank:
    return HttpBank(partner("bank", bearer))


WANJIRU = {
    "customer_id": "BANK-1002003004",
    "given_name": "Wanjiru",
    "family_name": "Kamau",
    "email": "wanjiru.kamau@example.org",
    "phone": "+254711000002",
}


def test_a_bank_tells_who_its_customer_is(bank: HttpBank, web: responses.RequestsMock) -> None:
    web.post(VERIFICATIONS, json=WANJIRU | {"branch": "Westlands"})

    assert bank.verify("1002003004", "493817", "login-1") == BankCustomer.model_validate(WANJIRU)

    [call] = web.calls
    assert json.loads(call.request.body or b"") == {"customer_number": "1002003004", "one_time_code": "493817"}
    assert call.request.headers["Authorization"] == "Bearer credential"
    assert call.request.headers["Idempotency-Key"] == "login-1"


def test_a_customer_whose_code_the_bank_refuses_is_refused(bank: HttpBank, web: responses.RequestsMock) -> None:
    web.post(VERIFICATIONS, status=422, json={"type": "https://bank.example.org/problems/code-refused"})

    with pytest.raises(BankCustomerRefused):
        bank.verify("1002003004", "000000", "login-1")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401},
        {"status": 201, "json": WANJIRU},
        {"status": 200, "json": WANJIRU | {"phone": "0711 000 002"}},
        {"status": 200, "json": WANJIRU | {"email": "wanjiru"}},
        {"status": 200, "json": WANJIRU | {"customer_id": ""}},
        {"status": 200, "json": {}},
    ],
)
def test_any_other_answer_of_the_bank_is_an_error_that_names_no_person(
    bank: HttpBank, web: responses.RequestsMock, answer: dict[str, Any]
) -> None:
    web.post(VERIFICATIONS, **answer)

    with pytest.raises(PartnerRefused) as error:
        bank.verify("1002003004", "493817", "login-1")

    assert "Wanjiru" not in str(error.value)
    assert "0711" not in str(error.value)


def test_a_bank_that_is_away_is_not_available(bank: HttpBank, web: responses.RequestsMock) -> None:
    web.post(VERIFICATIONS, status=500)

    with pytest.raises(PartnerUnavailable):
        bank.verify("1002003004", "493817", "login-1")
