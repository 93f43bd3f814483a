"""Identity pools: who gets credentials, for which role, and what API Gateway and IAM then know about them.

https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html and the API reference pages of
GetOpenIdTokenForDeveloperIdentity, LookupDeveloperIdentity, UnlinkDeveloperIdentity, DeleteIdentities, GetId and
GetCredentialsForIdentity.
"""

import base64
import json
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import requests
from requests_aws4auth import AWS4Auth  # type: ignore[import-untyped]

from tests.conftest import Clients, Cloud
from tests.local.conftest import Bench, allow, refusal
from tests.local.test_rest_api_import import ECHO, document, proxied

COGNITO = "cognito-identity.amazonaws.com"
PROVIDER = "local.test"
SIGV4 = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "x-amazon-apigateway-authtype": "awsSigv4",
}


def trust(pool_id: str, kind: str, action: str | list[str] = "sts:AssumeRoleWithWebIdentity") -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": COGNITO},
        "Action": action,
        "Condition": {
            "StringEquals": {f"{COGNITO}:aud": pool_id},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": kind},
        },
    }


@dataclass
class Pool:
    """An identity pool under test and the clients of who may use it."""

    bench: Bench
    id: str
    owner: Any
    anyone: Any

    def attach(self, **roles: str) -> None:
        self.owner.set_identity_pool_roles(IdentityPoolId=self.id, Roles=roles)

    def new_identity(self) -> str:
        identity_id: str = self.anyone.get_id(IdentityPoolId=self.id)["IdentityId"]
        return identity_id

    def credentials(self, identity_id: str, token: str | None = None) -> dict[str, Any]:
        logins = {"Logins": {COGNITO: token}} if token is not None else {}
        answer: dict[str, Any] = self.anyone.get_credentials_for_identity(IdentityId=identity_id, **logins)
        return answer["Credentials"]  # type: ignore[no-any-return]

    def escalate(self, identity_id: str | None, user: str, **more: Any) -> dict[str, Any]:
        given = {"IdentityId": identity_id} if identity_id else {}
        answer: dict[str, Any] = self.owner.get_open_id_token_for_developer_identity(
            IdentityPoolId=self.id, Logins={PROVIDER: user}, **given, **more
        )
        return answer

    def as_caller(self, credentials: dict[str, Any]) -> Clients:
        return self.bench.cloud.session(
            credentials["AccessKeyId"], credentials["SecretKey"], credentials["SessionToken"]
        )


def make_pool(bench: Bench, **more: Any) -> Pool:
    owner = bench.deployer("cognito-identity")
    settings = {"AllowUnauthenticatedIdentities": True, "DeveloperProviderName": PROVIDER, **more}
    pool_id = owner.create_identity_pool(IdentityPoolName=bench.name, **settings)["IdentityPoolId"]
    bench.later(owner.delete_identity_pool, IdentityPoolId=pool_id)
    # These operations carry no signature on AWS: the credentials here are nobody's.
    return Pool(bench, pool_id, owner, bench.cloud.session("AKIANOBODYNOBODYNOBO", "nobody's")("cognito-identity"))


@pytest.fixture
def pool(bench: Bench) -> Pool:
    made = make_pool(bench)
    made.attach(
        unauthenticated=bench.role(trust=trust(made.id, "unauthenticated")),
        authenticated=bench.role(trust=trust(made.id, "authenticated")),
    )
    return made


def role_of(pool: Pool, credentials: dict[str, Any]) -> str:
    arn: str = pool.as_caller(credentials)("sts").get_caller_identity()["Arn"]
    return arn.split("/")[1]


def attached_role(pool: Pool, kind: str) -> str:
    arn: str = pool.owner.get_identity_pool_roles(IdentityPoolId=pool.id)["Roles"][kind]
    return arn.rpartition("/")[2]


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return decoded


def forge(token: str, **changed: Any) -> str:
    head, _, signature = token.split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims(token), **changed}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


def test_an_identity_is_escalated_and_gets_the_other_role(pool: Pool) -> None:
    identity_id = pool.new_identity()
    before = role_of(pool, pool.credentials(identity_id))

    escalated = pool.escalate(identity_id, "session-1")
    after = role_of(pool, pool.credentials(identity_id, escalated["Token"]))

    assert escalated["IdentityId"] == identity_id
    assert before == attached_role(pool, "unauthenticated")
    assert after == attached_role(pool, "authenticated")


def test_a_token_names_its_identity_pool_and_user_and_expires_when_asked_to(pool: Pool) -> None:
    identity_id = pool.new_identity()
    token = claims(pool.escalate(identity_id, "session-1", TokenDuration=60)["Token"])

    assert (token["sub"], token["aud"], token["iss"]) == (identity_id, pool.id, f"https://{COGNITO}")
    assert token["amr"] == ["authenticated", PROVIDER, f"{PROVIDER}:{pool.id}:session-1"]
    assert token["exp"] - token["iat"] == 60


def test_a_token_lives_fifteen_minutes_unless_told_otherwise(pool: Pool) -> None:
    token = claims(pool.escalate(None, "session-1")["Token"])

    assert token["exp"] - token["iat"] == 900


def test_a_developer_user_keeps_the_identity_and_may_not_take_another(pool: Pool) -> None:
    first = pool.escalate(None, "session-1")["IdentityId"]

    assert pool.escalate(None, "session-1")["IdentityId"] == first
    assert refusal(lambda: pool.escalate(pool.new_identity(), "session-1")) == "DeveloperUserAlreadyRegisteredException"


def test_an_identity_that_is_linked_gives_no_unauthenticated_credentials_any_more(pool: Pool) -> None:
    identity_id = pool.new_identity()
    pool.credentials(identity_id)
    pool.escalate(identity_id, "session-1")

    assert refusal(lambda: pool.credentials(identity_id)) == "NotAuthorizedException"


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": int(time.time()) + 9_999},
        {"sub": "us-east-1:00000000-0000-0000-0000-000000000000"},
        {"aud": "us-east-1:00000000-0000-0000-0000-000000000000"},
        {"iss": "https://elsewhere.example"},
    ],
)
def test_a_token_that_was_changed_is_refused(pool: Pool, changed: dict[str, Any]) -> None:
    identity_id = pool.new_identity()
    token = pool.escalate(identity_id, "session-1")["Token"]

    assert refusal(lambda: pool.credentials(identity_id, forge(token, **changed))) == "NotAuthorizedException"


@pytest.mark.parametrize("junk", ["anything", "a.b.c", "e30.e30.e30"])
def test_a_string_that_is_no_token_is_refused(pool: Pool, junk: str) -> None:
    identity_id = pool.new_identity()
    pool.escalate(identity_id, "session-1")

    assert refusal(lambda: pool.credentials(identity_id, junk)) == "NotAuthorizedException"


def test_a_token_of_another_identity_or_pool_is_refused(pool: Pool, bench: Bench) -> None:
    mine = pool.new_identity()
    theirs = pool.escalate(pool.new_identity(), "session-2")["Token"]
    other_pool = make_pool(bench)
    elsewhere = other_pool.escalate(other_pool.new_identity(), "session-1")["Token"]

    refused = [refusal(partial(pool.credentials, mine, token)) for token in (theirs, elsewhere)]
    assert refused == ["NotAuthorizedException"] * 2


def test_a_token_is_refused_once_it_has_expired(pool: Pool) -> None:
    identity_id = pool.new_identity()
    token = pool.escalate(identity_id, "session-1", TokenDuration=1)["Token"]
    time.sleep(1.2)

    assert refusal(lambda: pool.credentials(identity_id, token)) == "NotAuthorizedException"


def test_a_token_is_refused_once_its_user_is_unlinked(pool: Pool) -> None:
    identity_id = pool.new_identity()
    token = pool.escalate(identity_id, "session-1")["Token"]
    pool.owner.unlink_developer_identity(
        IdentityPoolId=pool.id,
        IdentityId=identity_id,
        DeveloperProviderName=PROVIDER,
        DeveloperUserIdentifier="session-1",
    )

    assert refusal(lambda: pool.credentials(identity_id, token)) == "NotAuthorizedException"


def test_a_foreign_provider_or_a_bad_duration_makes_no_token(pool: Pool) -> None:
    make = pool.owner.get_open_id_token_for_developer_identity

    assert refusal(lambda: make(IdentityPoolId=pool.id, Logins={"other": "x"})) == "NotAuthorizedException"
    assert refusal(lambda: pool.escalate(None, "x", TokenDuration=86_401)) == "InvalidParameterException"
    missing = "us-east-1:00000000-0000-0000-0000-000000000000"
    assert refusal(lambda: pool.escalate(missing, "x")) == "ResourceNotFoundException"
    assert refusal(lambda: make(IdentityPoolId=missing, Logins={PROVIDER: "x"})) == "ResourceNotFoundException"


@pytest.mark.parametrize("is_allowed", [False, True], ids=["closed", "open"])
def test_the_classic_flow_begins_only_where_the_pool_allows_it(bench: Bench, is_allowed: bool) -> None:
    pool = make_pool(bench, AllowClassicFlow=is_allowed)
    identity_id = pool.new_identity()

    def begin() -> str:
        token: str = pool.anyone.get_open_id_token(IdentityId=identity_id)["Token"]
        return token

    if is_allowed:
        assert claims(begin())["sub"] == identity_id
    else:
        assert refusal(begin) == "InvalidParameterException"


def test_only_who_may_makes_a_token(pool: Pool, bench: Bench) -> None:
    elsewhere = f"arn:aws:cognito-identity:us-east-1:000000000000:identitypool/{pool.id}x"
    action = "cognito-identity:GetOpenIdTokenForDeveloperIdentity"
    stranger = bench.user(allow(action, elsewhere))("cognito-identity")
    granted = bench.user(allow(action, elsewhere[:-1]))("cognito-identity")

    make = {"IdentityPoolId": pool.id, "Logins": {PROVIDER: "session-1"}}
    assert refusal(lambda: stranger.get_open_id_token_for_developer_identity(**make)) == "AccessDeniedException"
    assert granted.get_open_id_token_for_developer_identity(**make)["Token"]


def test_a_developer_user_is_looked_up_either_way(pool: Pool) -> None:
    identity_id = pool.escalate(None, "session-1")["IdentityId"]
    look_up = pool.owner.lookup_developer_identity

    assert look_up(IdentityPoolId=pool.id, DeveloperUserIdentifier="session-1")["IdentityId"] == identity_id
    by_identity = look_up(IdentityPoolId=pool.id, IdentityId=identity_id)
    assert by_identity["DeveloperUserIdentifierList"] == ["session-1"]
    assert refusal(lambda: look_up(IdentityPoolId=pool.id)) == "InvalidParameterException"
    assert (
        refusal(lambda: look_up(IdentityPoolId=pool.id, DeveloperUserIdentifier="nobody"))
        == "ResourceNotFoundException"
    )
    other = pool.new_identity()
    both = {"IdentityId": other, "DeveloperUserIdentifier": "session-1"}
    assert refusal(lambda: look_up(IdentityPoolId=pool.id, **both)) == "ResourceConflictException"
    assert pool.owner.describe_identity(IdentityId=identity_id)["Logins"] == [PROVIDER]


def test_a_deleted_identity_has_no_credentials(pool: Pool) -> None:
    identity_id = pool.new_identity()
    token = pool.escalate(identity_id, "session-1")["Token"]

    assert pool.owner.delete_identities(IdentityIdsToDelete=[identity_id])["UnprocessedIdentityIds"] == []
    assert refusal(lambda: pool.credentials(identity_id)) == "ResourceNotFoundException"
    assert refusal(lambda: pool.credentials(identity_id, token)) == "ResourceNotFoundException"


def test_an_identity_that_never_was_has_no_credentials(pool: Pool) -> None:
    never = "us-east-1:00000000-0000-0000-0000-000000000000"

    assert refusal(lambda: pool.credentials(never)) == "ResourceNotFoundException"


def test_a_pool_without_anonymous_access_gives_no_identity_and_no_credentials(pool: Pool) -> None:
    identity_id = pool.new_identity()
    pool.owner.update_identity_pool(
        IdentityPoolId=pool.id,
        IdentityPoolName=pool.bench.name,
        AllowUnauthenticatedIdentities=False,
        DeveloperProviderName=PROVIDER,
    )

    assert refusal(pool.new_identity) == "NotAuthorizedException"
    assert refusal(lambda: pool.credentials(identity_id)) == "NotAuthorizedException"


@pytest.mark.parametrize("roles", [{}, {"unauthenticated": "the other kind's"}])
def test_a_pool_whose_role_cognito_may_not_assume_gives_no_credentials(
    pool: Pool, bench: Bench, roles: dict[str, str]
) -> None:
    wrong = bench.role(trust=trust(pool.id, "authenticated"))
    pool.attach(**dict.fromkeys(roles, wrong))

    assert refusal(lambda: pool.credentials(pool.new_identity())) == "InvalidIdentityPoolConfigurationException"


def test_credentials_live_an_hour_and_are_refused_with_a_wrong_secret_or_token(pool: Pool, cloud: Cloud) -> None:
    credentials = pool.credentials(pool.new_identity())

    assert abs(credentials["Expiration"].timestamp() - time.time() - 3600) < 60
    key, secret, token = (credentials[name] for name in ("AccessKeyId", "SecretKey", "SessionToken"))
    for wrong in ((key, secret, None), (key, secret, "not-the-token"), (key, "not-the-secret", token)):
        caller = cloud.session(*wrong)("dynamodb")
        assert refusal(caller.list_tables) != "AccessDeniedException"


def test_a_principal_tag_in_the_token_is_a_policys_variable(pool: Pool, bench: Bench) -> None:
    table = bench.table()
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/household}"]}}
    role = bench.role(
        allow("dynamodb:GetItem", f"arn:aws:dynamodb:us-east-1:*:table/{table}", Condition=own),
        trust=trust(pool.id, "authenticated", ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]),
    )
    pool.attach(authenticated=role)
    escalated = pool.escalate(None, "session-1", PrincipalTags={"household": "h-1"})
    caller = pool.as_caller(pool.credentials(escalated["IdentityId"], escalated["Token"]))("dynamodb")

    caller.get_item(TableName=table, Key={"pk": {"S": "h-1"}, "sk": {"S": "x"}})
    key = {"pk": {"S": "h-2"}, "sk": {"S": "x"}}
    assert refusal(lambda: caller.get_item(TableName=table, Key=key)) == "AccessDeniedException"


def test_api_gateway_checks_the_identitys_role_and_tells_the_function_who_called(pool: Pool, bench: Bench) -> None:
    function = bench.function(ECHO)
    client = bench.deployer("apigateway")
    api_id = client.create_rest_api(name=bench.name)["id"]
    bench.later(client.delete_rest_api, restApiId=api_id)
    signed = proxied(function, security=[{"sigv4": []}])
    body = document(
        {"/new": {"get": signed}, "/known": {"get": signed}}, components={"securitySchemes": {"sigv4": SIGV4}}
    )
    client.put_rest_api(restApiId=api_id, mode="overwrite", body=json.dumps(body))
    client.create_deployment(restApiId=api_id, stageName="v")

    def may_call(path: str) -> dict[str, Any]:
        return allow("execute-api:Invoke", f"arn:aws:execute-api:us-east-1:*:{api_id}/v/GET/{path}")

    pool.attach(
        unauthenticated=bench.role(may_call("new"), trust=trust(pool.id, "unauthenticated")),
        authenticated=bench.role(may_call("known"), trust=trust(pool.id, "authenticated")),
    )

    def get(path: str, credentials: dict[str, Any]) -> requests.Response:
        auth = AWS4Auth(
            credentials["AccessKeyId"],
            credentials["SecretKey"],
            "us-east-1",
            "execute-api",
            session_token=credentials["SessionToken"],
        )
        return requests.get(f"{bench.cloud.endpoint_url}/_aws/execute-api/{api_id}/v/{path}", auth=auth, timeout=20)

    identity_id = pool.new_identity()
    anonymous = pool.credentials(identity_id)
    new = get("new", anonymous)
    assert get("known", anonymous).status_code == 403

    known_credentials = pool.credentials(identity_id, pool.escalate(identity_id, "session-1")["Token"])
    known = get("known", known_credentials)
    assert get("new", known_credentials).status_code == 403

    for answer, kind in ((new, "unauthenticated"), (known, "authenticated")):
        identity = answer.json()["requestContext"]["identity"]
        assert identity["cognitoIdentityId"] == identity_id
        assert identity["cognitoIdentityPoolId"] == pool.id
        assert identity["cognitoAuthenticationType"] == kind
        assert identity["accountId"] == "000000000000"
    assert new.json()["requestContext"]["identity"]["cognitoAuthenticationProvider"] is None
    assert PROVIDER in known.json()["requestContext"]["identity"]["cognitoAuthenticationProvider"]
