"""What somebody makes up, copies, keeps or steals, and that it opens nothing."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from demo.stage import Stage
from paygo.identities import identity_hash
from paygo_client import Credentials, PaygoProblem, Session, SessionDetails
from tests.e2e import tokens
from tests.e2e.calls import Actor, Answered, Company, bearing, signing
from tests.e2e.tokens import Part
from tests.matrix import BEARER, PAGE, Row, read_matrix, rows_of

ROWS = rows_of(read_matrix(PAGE.read_text(encoding="utf-8")))
OF_SESSIONS = [row for row in ROWS if Row(row.method, BEARER + row.path) in ROWS]
BEARER_ROWS = [row for row in ROWS if row.is_bearer]

type Told = tuple[int, str | None]

CURRENT = Row("GET", "/v1/sessions/current")
BEARER_CURRENT = Row("GET", "/bearer/v1/sessions/current")
BEARER_DEVICES = Row("GET", "/bearer/v1/devices")
BEARER_STATEMENT = Row("GET", "/bearer/v1/statement")
REFRESH = Row("POST", "/v1/sessions/refresh")
UNAUTHORIZED: Told = (401, "unauthorized")
SESSION_REFUSED: Told = (403, "session-refused")
REFUSED: Told = (403, "refused")
REFRESH_REFUSED: Told = (401, "refresh-refused")
HOUR = 3600


def told(answer: Answered) -> Told:
    return answer.status, answer.kind


def send(company: Company, row: Row, prove: Callable[[requests.PreparedRequest], object]) -> Answered:
    return company.send(row, Actor(prove, company.cast.belongings("own")))


def refreshed(company: Company, refresh_token: str) -> Answered:
    named = replace(company.cast.belongings("own"), refresh_token=refresh_token)
    return company.send(REFRESH, Actor(lambda _: None, named))


# Bearer tokens.


@dataclass(frozen=True)
class Genuine:
    """A token of the household `own`, and the key that it is signed with."""

    token: str
    header: dict[str, Any]
    claims: dict[str, Any]
    jwk: dict[str, Any]
    kms: Any

    def signed(self, header: Part | None = None, claims: Part | None = None) -> str:
        """Return what the deployer could sign: the token with some of its header and claims replaced."""
        return tokens.signed_by_kms(
            self.kms, self.header | dict(header or {}), self.claims | dict(claims or {}), key=self.header["kid"]
        )


@pytest.fixture(scope="module")
def genuine(company: Company) -> Genuine:
    token = company.cast.signed_in("own").bearer.token
    header, claims = tokens.read(token)
    answer = requests.get(f"{company.cast.api_url}/.well-known/jwks.json", timeout=10)
    jwk = next(key for key in answer.json()["keys"] if key["kid"] == header["kid"])
    return Genuine(token, header, claims, jwk, company.cast.deployer.client("kms"))


def test_a_token_that_is_signed_as_ours_are_is_accepted(company: Company, genuine: Genuine) -> None:
    # What follows would be refused for a mistake in these tests otherwise.
    assert send(company, BEARER_CURRENT, bearing(genuine.token)).status == 200
    assert send(company, BEARER_CURRENT, bearing(genuine.signed())).status == 200


SIGNED_AS_OURS: dict[str, tuple[Part, Part]] = {
    "another stack's": ({}, {"iss": "https://another.example.org/v", "aud": "paygo-another"}),
    "wrong aud": ({}, {"aud": "paygo-another"}),
    "our aud among others": ({}, {"aud": ["paygo-another", "paygo-third"]}),
    "wrong iss": ({}, {"iss": "https://another.example.org/v"}),
    "no aud": ({}, {"aud": None}),
    "no iss": ({}, {"iss": None}),
    "no exp": ({}, {"exp": None}),
    "expired": ({}, {"iat": int(time.time()) - 2 * HOUR, "exp": int(time.time()) - HOUR}),
    "expired a second ago": ({}, {"exp": int(time.time()) - 1}),
    "not valid yet": ({}, {"iat": int(time.time()) + HOUR}),
    "unknown kid": ({"kid": str(uuid4())}, {}),
    "a kid that is a path": ({"kid": "../../../../dev/null"}, {}),
    "no kid": ({"kid": None}, {}),
    "another type": ({"typ": "JWT"}, {}),
    "an invented identity": ({}, {"identity_hash": identity_hash(f"us-east-1:{uuid4()}")}),
    "an invented session": ({}, {"sid": str(uuid4())}),
    "no session": ({}, {"sid": None}),
    "an anonymous session's kind": ({}, {"kind": "anonymous"}),
    "an unknown kind": ({}, {"kind": "operator"}),
    "no scope": ({}, {"scope": ""}),
    "an unknown scope": ({}, {"scope": "operations:write"}),
    "a scope that is a pattern": ({}, {"scope": "*"}),
}


@pytest.mark.parametrize("forgery", SIGNED_AS_OURS)
def test_a_token_that_says_otherwise_is_refused_whoever_signed_it(
    company: Company, genuine: Genuine, forgery: str
) -> None:
    header, claims = SIGNED_AS_OURS[forgery]
    said = {name: value for name, value in (genuine.claims | dict(claims)).items() if value is not None}
    headed = {name: value for name, value in (genuine.header | dict(header)).items() if value is not None}
    token = tokens.signed_by_kms(genuine.kms, headed, said, key=genuine.header["kid"])

    assert told(send(company, BEARER_CURRENT, bearing(token))) == UNAUTHORIZED


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_a_token_without_a_signature_is_refused(company: Company, genuine: Genuine, algorithm: str) -> None:
    text = tokens.unsigned(genuine.header | {"alg": algorithm}, genuine.claims)
    signature = genuine.token.rpartition(".")[2]

    for token in (f"{text}.", f"{text}.{signature}", text):
        assert told(send(company, BEARER_CURRENT, bearing(token))) == UNAUTHORIZED


def test_a_token_that_is_signed_with_the_public_key_as_a_secret_is_refused(company: Company, genuine: Genuine) -> None:
    key = tokens.public_key(genuine.jwk)

    for name, secret in tokens.as_secrets(key, genuine.jwk).items():
        token = tokens.signed_by_secret(genuine.header | {"alg": "HS256"}, genuine.claims, secret)
        assert told(send(company, BEARER_CURRENT, bearing(token))) == UNAUTHORIZED, name


def test_a_token_that_is_signed_with_a_key_of_the_forgers_own_is_refused(company: Company, genuine: Genuine) -> None:
    key = tokens.new_key()
    jwk = tokens.as_jwk(key)
    headers: dict[str, Part] = {
        "our kid": {},
        "its own kid": {"kid": "mine"},
        "its key in the header": {"jwk": jwk},
        "its key elsewhere": {"jku": "https://forger.example.org/jwks.json", "x5u": "https://forger.example.org/x"},
    }

    for name, header in headers.items():
        token = tokens.signed_by(key, genuine.header | dict(header), genuine.claims)
        assert told(send(company, BEARER_CURRENT, bearing(token))) == UNAUTHORIZED, name


def test_a_token_whose_scopes_were_widened_is_refused(company: Company) -> None:
    narrow = company.token(company.cast.sessions["own"], "sessions:read")
    header, claims = tokens.read(narrow)
    widened = tokens.unsigned(header, claims | {"scope": "sessions:read devices:read"})

    assert told(send(company, BEARER_DEVICES, bearing(f"{widened}.{narrow.rpartition('.')[2]}"))) == UNAUTHORIZED


def test_a_token_whose_signature_was_altered_is_refused(company: Company, genuine: Genuine) -> None:
    text, _, signature = genuine.token.rpartition(".")
    altered = bytearray(base64.urlsafe_b64decode(signature + "=="))
    altered[7] ^= 1

    for made in (tokens.encoded(bytes(altered)), tokens.encoded(bytes(256)), signature[:-4], "AAAA"):
        assert told(send(company, BEARER_CURRENT, bearing(f"{text}.{made}"))) == UNAUTHORIZED


@pytest.mark.parametrize("text", ["x", "x.y.z", "....", "e30.e30.e30", "a" * 4000, "bearer", "null"])
def test_what_is_no_token_is_refused(company: Company, text: str) -> None:
    assert told(send(company, BEARER_CURRENT, bearing(text))) == UNAUTHORIZED


def test_the_user_pools_id_token_is_no_bearer_token(company: Company) -> None:
    assert told(send(company, BEARER_CURRENT, bearing(company.cast.id_token("own")))) == UNAUTHORIZED


@pytest.mark.parametrize("row", BEARER_ROWS, ids=str)
def test_a_signature_opens_no_route_for_tokens(company: Company, row: Row) -> None:
    assert told(send(company, row, signing(company.cast.sessions["own"]))) == UNAUTHORIZED


@pytest.mark.parametrize("row", OF_SESSIONS, ids=str)
def test_a_token_opens_no_route_for_signatures(company: Company, row: Row) -> None:
    assert told(send(company, row, bearing(company.cast.sessions["own"].bearer.token))) == REFUSED


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if not row.is_bearer and row not in OF_SESSIONS],
    ids=str,
)
def test_only_routes_of_sessions_are_there_for_tokens(company: Company, row: Row) -> None:
    answer = send(company, Row(row.method, BEARER + row.path), bearing(company.cast.sessions["own"].bearer.token))

    assert told(answer) == REFUSED


def test_a_token_leads_to_no_wider_one(company: Company) -> None:
    narrow = company.token(company.cast.sessions["own"], "sessions:write")
    actor = Actor(bearing(narrow), company.cast.belongings("own"))
    row = Row("POST", "/bearer/v1/sessions/current/tokens")

    answers = {
        scope: company.send(row, replace(actor, scopes=(scope,))) for scope in ("sessions:write", "devices:write")
    }

    assert answers["sessions:write"].status == 201
    assert told(answers["devices:write"]) == (400, "invalid-request")


def test_an_anonymous_session_gets_no_token_of_a_household(company: Company) -> None:
    details = company.cast.sessions["anonymous"]
    actor = Actor(signing(details), company.cast.belongings("anonymous"), scopes=("devices:read",))

    assert told(company.send(Row("POST", "/v1/sessions/current/tokens"), actor)) == (400, "invalid-request")


# Sessions that are over.


def test_a_token_is_refused_at_once_after_signing_out_though_the_authorizers_answer_is_remembered(
    company: Company,
) -> None:
    details = company.cast.signed_in("own")
    token = bearing(details.bearer.token)
    before = [send(company, row, token).status for row in (BEARER_CURRENT, BEARER_DEVICES)]

    assert (
        company.send(
            Row("DELETE", "/v1/sessions/current"), Actor(signing(details), company.cast.belongings("own"))
        ).status
        == 204
    )
    after = [told(send(company, row, token)) for row in (BEARER_CURRENT, BEARER_DEVICES, BEARER_STATEMENT)]

    assert before == [200, 200]
    assert all(answer in {SESSION_REFUSED, UNAUTHORIZED} for answer in after), after


def test_iam_credentials_are_refused_with_the_next_request_after_signing_out(company: Company) -> None:
    details = company.cast.signed_in("own")
    assert send(company, CURRENT, signing(details)).status == 200

    assert send(company, Row("DELETE", "/bearer/v1/sessions/current"), bearing(details.bearer.token)).status == 204

    assert told(send(company, CURRENT, signing(details))) == SESSION_REFUSED
    assert told(send(company, Row("GET", "/v1/devices"), signing(details))) == SESSION_REFUSED
    assert told(refreshed(company, details.refresh_token)) == REFRESH_REFUSED


def test_a_session_that_another_one_ended_is_refused_with_its_next_request(company: Company) -> None:
    details, other = company.cast.signed_in("own"), company.cast.sessions["own"]
    assert send(company, BEARER_DEVICES, bearing(details.bearer.token)).status == 200
    named = replace(company.cast.belongings("own"), session_id=details.session_id)

    assert company.send(Row("DELETE", "/v1/sessions/{session_id}"), Actor(signing(other), named)).status == 204

    assert told(send(company, Row("GET", "/v1/devices"), signing(details))) == SESSION_REFUSED
    assert told(send(company, BEARER_DEVICES, bearing(details.bearer.token))) in {SESSION_REFUSED, UNAUTHORIZED}


def test_the_remembered_answer_of_the_authorizer_opens_all_that_the_token_may_and_nothing_else(
    company: Company,
) -> None:
    with Session.resume(company.cast.api_url, company.cast.sessions["own"]) as session:
        token = session.token(["devices:read", "sessions:read"]).token
    first = send(company, BEARER_CURRENT, bearing(token))
    rows = [BEARER_DEVICES, Row("GET", "/bearer/v1/devices/{device_id}"), Row("GET", "/bearer/v1/sessions")]

    others = [send(company, row, bearing(token)).status for row in rows]
    beyond = [
        told(send(company, row, bearing(token)))
        for row in (BEARER_STATEMENT, Row("GET", "/bearer/v1/devices/{device_id}/credit"))
    ]

    assert first.status == 200
    assert others == [200, 200, 200]
    assert beyond == [REFUSED, REFUSED]


# Identities.


@pytest.fixture(scope="module")
def pools(stage: Stage) -> Iterator[Any]:
    client = boto3.client(
        "cognito-identity",
        region_name=stage.access.region,
        endpoint_url=stage.access.endpoint_url,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


def credentials_of(pools: Any, identity_id: str) -> Credentials:
    made = pools.get_credentials_for_identity(IdentityId=identity_id)["Credentials"]
    return Credentials(
        access_key_id=made["AccessKeyId"],
        secret_access_key=made["SecretKey"],
        session_token=made["SessionToken"],
        expires_at=made["Expiration"],
    )


def test_an_identity_that_was_made_with_cognito_directly_has_no_session(
    company: Company, stage: Stage, pools: Any
) -> None:
    identity_id = pools.get_id(IdentityPoolId=stage.access.identity_pool_id)["IdentityId"]
    details = company.cast.sessions["own"].model_copy(
        update={"identity_id": identity_id, "credentials": credentials_of(pools, identity_id)}
    )

    answers = {row: told(send(company, row, signing(details))) for row in OF_SESSIONS}

    assert set(answers.values()) == {SESSION_REFUSED, REFUSED}
    assert answers[CURRENT] == answers[Row("POST", "/v1/registrations")] == SESSION_REFUSED


def test_nobody_has_credentials_of_an_identity_that_was_escalated_from_cognito_itself(
    company: Company, pools: Any
) -> None:
    with pytest.raises(ClientError) as refused:
        credentials_of(pools, company.cast.sessions["own"].identity_id)

    assert refused.value.response["Error"]["Code"] == "NotAuthorizedException"


def test_nobody_has_credentials_of_an_invented_identity(company: Company, pools: Any) -> None:
    region = company.cast.stage.access.region

    with pytest.raises(ClientError) as refused:
        credentials_of(pools, f"{region}:{uuid4()}")

    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_the_classic_flow_is_closed(company: Company, pools: Any) -> None:
    with pytest.raises(ClientError) as refused:
        pools.get_open_id_token(IdentityId=company.cast.sessions["anonymous"].identity_id)

    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.parametrize("row", OF_SESSIONS, ids=str)
def test_the_credentials_from_before_an_escalation_open_nothing(company: Company, row: Row) -> None:
    assert told(send(company, row, signing(company.cast.before_escalation))) in {REFUSED, SESSION_REFUSED}


@pytest.mark.parametrize("row", BEARER_ROWS, ids=str)
def test_the_token_from_before_an_escalation_opens_nothing(company: Company, row: Row) -> None:
    answer = told(send(company, row, bearing(company.cast.before_escalation.bearer.token)))

    assert answer in {UNAUTHORIZED, REFUSED, SESSION_REFUSED}


# Refresh tokens.


def after_reuse(company: Company, details: SessionDetails, used: str, follower: Answered) -> list[Told]:
    """Use a refresh token that was used, and then everything else that the session has."""
    newest = SessionDetails.model_validate_json(follower.text)
    return [
        told(refreshed(company, used)),
        told(send(company, CURRENT, signing(details))),
        told(send(company, CURRENT, signing(newest))),
        told(refreshed(company, newest.refresh_token)),
        told(send(company, BEARER_CURRENT, bearing(newest.bearer.token))),
    ]


ENDED = [REFRESH_REFUSED, SESSION_REFUSED, SESSION_REFUSED, REFRESH_REFUSED, UNAUTHORIZED]


def test_a_refresh_token_that_is_used_twice_ends_the_session(company: Company) -> None:
    details = company.cast.signed_in("own")
    follower = refreshed(company, details.refresh_token)
    assert follower.status == 200

    assert after_reuse(company, details, details.refresh_token, follower) == ENDED


def test_the_refresh_token_from_before_an_escalation_ends_the_session_once_its_credentials_were_used(
    company: Company,
) -> None:
    with company.cast.open() as app:
        before = app.details
        answer = app.request(
            "POST",
            "/v1/sign-ins",
            body=json.dumps({"kind": "own", "id_token": company.cast.id_token("own")}).encode(),
            headers={"Content-Type": "application/json"},
        )
    details = SessionDetails.model_validate_json(answer.content)
    assert send(company, CURRENT, signing(details)).status == 200

    assert told(refreshed(company, before.refresh_token)) == REFRESH_REFUSED
    assert told(send(company, CURRENT, signing(details))) == SESSION_REFUSED


def test_an_invented_refresh_token_is_refused_and_ends_nothing(company: Company) -> None:
    own = company.cast.sessions["own"]
    identity_id, _, secret = own.refresh_token.partition(".")
    invented = [
        f"{own.identity_id}.{'A' * 43}",
        f"{company.cast.stage.access.region}:{uuid4()}.{secret}",
        f"{company.cast.sessions['another'].identity_id}.{secret}",
    ]

    assert identity_id == own.identity_id
    assert {told(refreshed(company, token)) for token in invented} == {REFRESH_REFUSED}
    assert send(company, CURRENT, signing(own)).status == 200


# Signing in.


def altered_claims(id_token: str, **claims: str) -> str:
    header, said = tokens.read(id_token)
    return f"{tokens.unsigned(header, said | claims)}.{id_token.rpartition('.')[2]}"


def unsigned_id_token(id_token: str) -> str:
    header, said = tokens.read(id_token)
    return f"{tokens.unsigned(header | {'alg': 'none'}, said)}."


ID_TOKENS: dict[str, Callable[[Company], str]] = {
    "of another user by name": lambda company: altered_claims(
        company.cast.id_token("another"),
        **{"cognito:username": str(company.cast.sessions["own"].household_id), "sub": str(uuid4())},
    ),
    "without a signature": lambda company: unsigned_id_token(company.cast.id_token("own")),
    "signed by the forger": lambda company: tokens.signed_by(
        tokens.new_key(), *tokens.read(company.cast.id_token("own"))
    ),
    "one of ours": lambda company: company.cast.sessions["own"].bearer.token,
    "nothing of the kind": lambda _: "x" * 40,
}


@pytest.mark.parametrize("forgery", ID_TOKENS)
def test_a_forged_id_token_signs_nobody_in(company: Company, forgery: str) -> None:
    with company.cast.open() as app:
        body = json.dumps({"kind": "own", "id_token": ID_TOKENS[forgery](company)}).encode()
        with pytest.raises(PaygoProblem) as refused:
            app.request("POST", "/v1/sign-ins", body=body, headers={"Content-Type": "application/json"})

        assert (refused.value.status, refused.value.kind) == (401, "sign-in-refused")
        assert app.status().household_id is None


# The proxy into a partner's network.


@dataclass(frozen=True)
class Proxy:
    """The proxy function, invoked as the one function that may."""

    client: Any
    name: str

    def __call__(self, **asked: Any) -> dict[str, Any]:
        """Ask for something that is almost what it forwards."""
        request = {
            "partner": "bank",
            "method": "POST",
            "path": "/customers/verifications",
            "headers": {"Content-Type": "application/json"},
            "body": base64.b64encode(b"{}").decode(),
        }
        answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(request | asked).encode())
        said: dict[str, Any] = json.loads(answer["Payload"].read())
        return said


@pytest.fixture(scope="module")
def proxy(company: Company) -> Proxy:
    stack = company.cast.stage.access.stack
    return Proxy(company.cast.deployer.client("lambda"), f"{stack}-partners-proxy:live")


def test_the_proxy_forwards_what_it_is_there_for(proxy: Proxy) -> None:
    # Without the bank's credential the bank refuses, which is an answer of the bank's.
    assert proxy()["status"] == 401


def test_neither_an_operator_nor_a_household_invokes_the_proxy(company: Company, stage: Stage, proxy: Proxy) -> None:
    household = company.cast.sessions["own"].credentials
    sessions = [
        stage.session,
        boto3.Session(household.access_key_id, household.secret_access_key, household.session_token),
    ]

    for session in sessions:
        client = session.client("lambda", region_name=stage.access.region, endpoint_url=stage.access.endpoint_url)
        with pytest.raises(ClientError) as refused:
            Proxy(client, proxy.name)()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


NOT_FORWARDED: dict[str, tuple[dict[str, Any], str]] = {
    "another partner": ({"partner": "crm"}, "unknown-partner"),
    "an unknown partner": ({"partner": "nobody"}, "unknown-partner"),
    "an address for a partner": ({"partner": "http://169.254.169.254"}, "unknown-partner"),
    "another method": ({"method": "GET"}, "unknown-operation"),
    "another path": ({"path": "/customers"}, "unknown-operation"),
    "a path below": ({"path": "/customers/verifications/7"}, "unknown-operation"),
    "a path above": ({"path": "/customers/verifications/../../admin"}, "unknown-operation"),
    "an encoded path above": ({"path": "/customers/verifications/%2e%2e/%2e%2e/admin"}, "unknown-operation"),
    "another query": ({"path": "/customers/verifications?all=true"}, "unknown-operation"),
    "another host": ({"path": "https://forger.example.org/customers/verifications"}, "unknown-operation"),
    "another host without a scheme": ({"path": "//forger.example.org/customers/verifications"}, "unknown-operation"),
    "another host after an at": ({"path": "@forger.example.org/customers/verifications"}, "unknown-operation"),
    "a link-local address": ({"path": "http://169.254.169.254/latest/meta-data/"}, "unknown-operation"),
    "this machine": ({"path": "http://localhost/customers/verifications"}, "unknown-operation"),
    "another line": ({"path": "/customers/verifications HTTP/1.1\r\nHost: forger.example.org"}, "unknown-operation"),
    "another line at its end": ({"path": "/customers/verifications\n"}, "unknown-operation"),
    "another Host": ({"headers": {"Host": "forger.example.org"}}, "header-not-forwarded"),
    "a header with another line": ({"headers": {"Accept": "x\r\nHost: forger.example.org"}}, "header-not-forwarded"),
    "a body that is too large": ({"body": base64.b64encode(bytes(257 * 1024)).decode()}, "request-too-large"),
}


@pytest.mark.parametrize("asked", NOT_FORWARDED)
def test_the_proxy_forwards_nothing_else(proxy: Proxy, asked: str) -> None:
    request, refusal = NOT_FORWARDED[asked]

    assert proxy(**request) == {"refused": refusal}


LINK_LOCAL = ("http://169.254.169.254/latest", "http://[fe80::1]", "http://[fd00:ec2::254]/latest", "http://0.0.0.0")


def test_the_proxy_leads_to_no_link_local_address_even_if_it_is_told_that_a_partner_is_there(
    company: Company, proxy: Proxy
) -> None:
    if company.cast.stage.access.endpoint_url is None:
        pytest.skip("A function in an AWS account is not configured otherwise, not even for a moment.")
    name = proxy.name.removesuffix(":live")
    variables = company.cast.deployer.variables(name)
    operations = json.loads(variables["PROXIED"])["bank"]["operations"]
    said = []
    try:
        for url in LINK_LOCAL:
            # Nobody calls the version that is changed here: callers name the alias.
            company.cast.deployer.configure(
                name, variables | {"PROXIED": json.dumps({"bank": {"url": url, "operations": operations}})}
            )
            said.append(Proxy(proxy.client, name)())
    finally:
        company.cast.deployer.configure(name, variables)

    assert said == [{"refused": "address-not-allowed"}] * len(LINK_LOCAL)
