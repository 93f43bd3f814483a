"""Callers that nobody here wrote, against the deployed stack: curl, pycognito, PyJWT and the AWS CLI."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import jwt
import pytest
import requests
from botocore import UNSIGNED
from botocore.config import Config
from pycognito.aws_srp import AWSSRP  # type: ignore[import-untyped]

from demo.stage import Stage, home_folder
from paygo_client import Configuration, SessionDetails, SessionState
from tests.e2e.outside import Ended, aws, curl
from tests.e2e.refusals import REFUSED_BY_IAM, World


@pytest.fixture(scope="module")
def configuration(world: World) -> Configuration:
    return world.story.app.configuration()


def test_curl_opens_a_session_and_signs_with_its_credentials(stage_url: str) -> None:
    opened = curl(f"{stage_url}/v1/sessions", method="POST")
    session = SessionDetails.model_validate(opened.body)

    own = curl(f"{stage_url}/v1/sessions/current", session)
    devices = curl(f"{stage_url}/v1/devices", session)

    assert opened.status == 201
    assert (own.status, own.body["state"]) == (200, "anonymous")
    assert (devices.status, devices.body["type"]) == (403, "urn:paygo:problem:refused")


def test_curl_registers_a_household_with_a_signed_body(stage_url: str) -> None:
    session = SessionDetails.model_validate(curl(f"{stage_url}/v1/sessions", method="POST").body)
    applicant = {
        "kind": "own",
        "email": f"curl.{uuid4().hex}@example.org",
        "password": "correct-horse-battery-9",
        "given_name": "Amina",
        "family_name": "Otieno Ngũgĩ",
        "date_of_birth": "1990-05-17",
        "phone": "+254700000001",
    }

    answer = curl(
        f"{stage_url}/v1/registrations",
        session,
        method="POST",
        body=applicant,
        headers={"Idempotency-Key": uuid4().hex},
    )

    assert (answer.status, answer.body["state"]) == (202, "unconfirmed")


def test_curl_calls_as_a_household_signed_and_by_bearer_token(world: World, stage_url: str) -> None:
    token = {"Authorization": f"Bearer {world.household.bearer.token}"}

    signed = curl(f"{stage_url}/v1/devices", world.household)
    by_token = curl(f"{stage_url}/bearer/v1/devices", headers=token)

    assert signed.status == by_token.status == 200
    assert [device["serial_number"] for device in signed.body["items"]] == [world.story.kit.serial_number]
    assert by_token.body == signed.body


def test_curl_with_another_secret_is_refused(world: World, stage_url: str) -> None:
    keys = world.household.credentials.model_copy(update={"secret_access_key": "x" * 40})
    forged = world.household.model_copy(update={"credentials": keys})

    answer = curl(f"{stage_url}/v1/devices", forged)

    assert (answer.status, answer.body["type"]) == (403, "urn:paygo:problem:refused")


def sign_in_at_the_pool(stage: Stage, configuration: Configuration, email: str, password: str) -> dict[str, str]:
    pool = boto3.client(
        "cognito-idp",
        region_name=configuration.region,
        endpoint_url=stage.access.endpoint_url,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    srp = AWSSRP(email, password, configuration.user_pool_id, configuration.user_pool_client_id, client=pool)
    tokens: dict[str, str] = srp.authenticate_user()["AuthenticationResult"]
    return tokens


def test_pycognito_signs_in_and_curl_exchanges_the_id_token(
    world: World, configuration: Configuration, stage_url: str
) -> None:
    household = world.story.household
    anonymous = SessionDetails.model_validate(curl(f"{stage_url}/v1/sessions", method="POST").body)

    tokens = sign_in_at_the_pool(world.stage, configuration, household.email, household.password)
    exchange = {"kind": "own", "id_token": tokens["IdToken"]}
    answer = curl(f"{stage_url}/v1/sign-ins", anonymous, method="POST", body=exchange)

    session = SessionDetails.model_validate(answer.body)
    assert answer.status == 200
    assert (session.state, session.household_id) == (SessionState.AUTHENTICATED, world.household.household_id)
    assert session.identity_id == anonymous.identity_id != world.household.identity_id
    assert curl(f"{stage_url}/v1/devices", session).status == 200


def test_an_access_token_of_the_pool_is_exchanged_for_nothing(
    world: World, configuration: Configuration, stage_url: str
) -> None:
    household = world.story.household
    anonymous = SessionDetails.model_validate(curl(f"{stage_url}/v1/sessions", method="POST").body)
    tokens = sign_in_at_the_pool(world.stage, configuration, household.email, household.password)

    exchange = {"kind": "own", "id_token": tokens["AccessToken"]}
    answer = curl(f"{stage_url}/v1/sign-ins", anonymous, method="POST", body=exchange)

    assert (answer.status, answer.body["type"]) == (401, "urn:paygo:problem:sign-in-refused")


def verified(configuration: Configuration, token: str, **more: Any) -> dict[str, Any]:
    """Verify a token as any resource server would, knowing nothing but the published configuration."""
    key = jwt.PyJWKClient(configuration.jwks_uri).get_signing_key_from_jwt(token)
    expected = {"audience": configuration.audience, "issuer": configuration.issuer} | more
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], **expected)
    return claims


@pytest.mark.parametrize("kind", ["anonymous", "household"])
def test_pyjwt_verifies_a_token_by_the_published_keys(world: World, configuration: Configuration, kind: str) -> None:
    session: SessionDetails = getattr(world, kind)

    claims = verified(configuration, session.bearer.token)

    assert jwt.get_unverified_header(session.bearer.token)["typ"] == "at+jwt"
    assert (claims["sid"], claims["kind"]) == (str(session.session_id), kind)
    assert claims["sub"] == str(session.household_id or session.session_id)
    assert set(claims["scope"].split()) == session.bearer.scopes
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["exp"] == int(session.bearer.expires_at.timestamp())


def test_pyjwt_refuses_a_token_that_was_changed_or_is_for_others(world: World, configuration: Configuration) -> None:
    token = world.household.bearer.token
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode(claims | {"scope": "everything:write"}, "not-the-key-but-a-long-enough-text").split(".")[1]

    with pytest.raises(jwt.InvalidSignatureError):
        verified(configuration, f"{head}.{forged}.{signature}")
    with pytest.raises(jwt.InvalidAudienceError):
        verified(configuration, token, audience="another-stack")
    with pytest.raises(jwt.InvalidIssuerError):
        verified(configuration, token, issuer="https://elsewhere.example.org")
    assert body != forged


def test_the_published_keys_are_public_keys_only(configuration: Configuration) -> None:
    keys = requests.get(configuration.jwks_uri, timeout=30).json()["keys"]

    assert keys
    assert all(set(key) == {"kty", "use", "alg", "kid", "n", "e"} for key in keys)


COMMANDS = {
    "read the sessions": ["dynamodb", "scan", "--table-name", "{stack}-sessions", "--max-items", "1"],
    "read a household": ["dynamodb", "get-item", "--table-name", "{stack}-identity", "--key", "{key}"],
    "change an account": ["dynamodb", "put-item", "--table-name", "{stack}-ledger", "--item", "{key}"],
    "list tables": ["dynamodb", "list-tables"],
    "list roles": ["iam", "list-roles", "--max-items", "1"],
    "make a user": ["iam", "create-user", "--user-name", "{stack}-intruder"],
    "list things": ["iot", "list-things"],
    "make a certificate": ["iot", "create-keys-and-certificate", "--set-as-active"],
}
HARMLESS = [name for name in COMMANDS if name.split()[0] in {"read", "list"}]


def command(stage: Stage, name: str) -> list[str]:
    key = json.dumps({"pk": {"S": "OUTSIDE#1"}, "sk": {"S": "OUTSIDE"}})
    return [part.replace("{stack}", stage.access.stack).replace("{key}", key) for part in COMMANDS[name]]


@pytest.mark.parametrize("kind", ["anonymous", "household"])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_aws_cli_with_a_sessions_credentials_is_refused(world: World, name: str, kind: str, tmp_path: Path) -> None:
    session: SessionDetails = getattr(world, kind)

    ended = aws(command(world.stage, name), world.stage.access, session.credentials, tmp_path)

    assert ended.code in REFUSED_BY_IAM, ended


@pytest.mark.parametrize("name", HARMLESS)
def test_the_same_commands_work_for_the_deployer(stage: Stage, name: str, tmp_path: Path) -> None:
    if stage.access.endpoint_url is None:
        pytest.skip("On AWS the deployer's credentials are not in a file of ours.")

    assert aws(command(stage, name), stage.access, deployer_keys(), tmp_path) == Ended(0, "")


def deployer_keys() -> dict[str, str]:
    import configparser

    profiles = configparser.ConfigParser()
    profiles.read(home_folder() / "cloud" / "credentials")
    return {name.upper(): value for name, value in profiles["deployer"].items()}
