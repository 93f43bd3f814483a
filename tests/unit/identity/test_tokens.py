"""Bearer tokens: made, signed by KMS, verified, and what the authorizer lets them open."""

import base64
import http.server
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any
from unittest.mock import ANY

import boto3
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from identity import composition
from identity.gateways.id_tokens import IdTokenVerifier
from identity.gateways.tokens import KmsSigner, key_id
from identity.gateways.verifier import REREAD_AFTER, KmsKeys, TokenVerifier
from identity.tokens import TOKENS_FOR, BearerToken, ScopeRefused, TokenMaker, make_token
from identity.usecases.authorizing import Routes, TokenRefused, authorize
from identity.usecases.signing_in import IdTokenRefused, PoolSignIn
from paygo.identities import identity_hash
from paygo.security import Callers, Kind, Session, SessionState, session_key
from paygo.storage import Table

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ISSUER = "https://api.example.org/live"
AUDIENCE = "paygo-test"
IDENTITY = "us-east-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e"
SCOPES = {
    Kind.ANONYMOUS: ["sessions:write"],
    Kind.HOUSEHOLD: ["accounts:read", "devices:read", "sessions:write"],
}
ROUTES: Routes = {
    Kind.ANONYMOUS: {"sessions:write": ["DELETE/bearer/v1/sessions/current", "POST/bearer/v1/sign-ins"]},
    Kind.HOUSEHOLD: {
        "accounts:read": ["GET/bearer/v1/devices/*/credit"],
        "devices:read": ["GET/bearer/v1/devices", "GET/bearer/v1/devices/*"],
        "sessions:write": ["DELETE/bearer/v1/sessions/*", "DELETE/bearer/v1/sessions/current"],
    },
}


def session(state: SessionState = SessionState.AUTHENTICATED, **changes: Any) -> Session:
    return Session.model_validate(
        {
            "identity_id": IDENTITY,
            "session_id": "s-1",
            "state": state,
            "opened_at": NOW,
            "ends_at": NOW + timedelta(days=1),
            "household_id": "h-1",
        }
        | changes
    )


class Kms:
    """KMS with a number of keys."""

    def __init__(self) -> None:
        self.client = boto3.client("kms")
        self.calls = 0
        self.client.meta.events.register("before-call.kms.GetPublicKey", self._count)

    def key(self, spec: Any = "RSA_2048") -> str:
        made = self.client.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
        return made["KeyMetadata"]["Arn"]

    def _count(self, **_: Any) -> None:
        self.calls += 1


_generate = rsa.generate_private_key


@cache
def _generated(number: int) -> rsa.RSAPrivateKey:
    return _generate(65537, 2048)


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a key takes longer than all else: the first key of every test is the same, and so on."""
    numbers = count()
    monkeypatch.setattr(rsa, "generate_private_key", lambda *_, **__: _generated(next(numbers)))


@pytest.fixture
def kms(aws: None) -> Kms:
    return Kms()


@pytest.fixture
def key(kms: Kms) -> str:
    return kms.key()


@pytest.fixture
def maker(kms: Kms, key: str) -> TokenMaker:
    return TokenMaker(KmsSigner(kms.client, key), ISSUER, AUDIENCE, SCOPES)


@pytest.fixture
def verifier(kms: Kms, key: str) -> TokenVerifier:
    return TokenVerifier(KmsKeys(kms.client, [key]), issuer=ISSUER, audience=AUDIENCE)


def says(token: BearerToken) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token.token, options={"verify_signature": False})
    return claims


def test_a_token_names_the_session_and_its_household(maker: TokenMaker, key: str) -> None:
    token = make_token(maker, session(), None, NOW)

    said = says(token)
    assert said.pop("jti")
    assert said == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "h-1",
        "sid": "s-1",
        "identity_hash": identity_hash(IDENTITY),
        "kind": "household",
        "scope": "accounts:read devices:read sessions:write",
        "iat": NOW.timestamp(),
        "exp": (NOW + timedelta(hours=1)).timestamp(),
    }
    assert jwt.get_unverified_header(token.token) == {"alg": "RS256", "typ": "at+jwt", "kid": key_id(key)}
    assert (token.expires_at, token.scopes) == (
        NOW + timedelta(hours=1),
        ("accounts:read", "devices:read", "sessions:write"),
    )


@pytest.mark.parametrize("household_id", [None, "h-1"])
def test_a_token_of_a_session_that_is_no_households_yet_is_about_the_session(
    maker: TokenMaker, household_id: str | None
) -> None:
    token = make_token(maker, session(SessionState.APPROVED, household_id=household_id), None, NOW)

    assert says(token)["sub"] == "s-1"
    assert (says(token)["kind"], token.scopes) == ("anonymous", ("sessions:write",))


def test_no_two_tokens_are_the_same(maker: TokenMaker) -> None:
    assert says(make_token(maker, session(), None, NOW))["jti"] != says(make_token(maker, session(), None, NOW))["jti"]


def test_a_token_ends_with_its_session(maker: TokenMaker) -> None:
    token = make_token(maker, session(ends_at=NOW + timedelta(minutes=10, microseconds=5)), None, NOW)

    assert token.expires_at == NOW + timedelta(minutes=10)
    assert says(token)["exp"] == token.expires_at.timestamp()


def test_a_token_may_be_for_less_than_the_session_may_do(maker: TokenMaker) -> None:
    assert make_token(maker, session(), ["devices:read"], NOW).scopes == ("devices:read",)


@pytest.mark.parametrize(
    ("state", "held"),
    [
        (SessionState.ANONYMOUS, None),
        (SessionState.AUTHENTICATED, ["sessions:write"]),
        (SessionState.AUTHENTICATED, []),
    ],
)
def test_nobody_has_a_token_for_more_than_they_may_do(
    maker: TokenMaker, state: SessionState, held: list[str] | None
) -> None:
    with pytest.raises(ScopeRefused):
        make_token(maker, session(state), ["devices:read"], NOW, held=held)


def test_a_token_made_by_a_token_is_for_no_more_than_that(maker: TokenMaker) -> None:
    assert make_token(maker, session(), None, NOW, held=["sessions:write"]).scopes == ("sessions:write",)


def test_a_token_is_not_shown_where_it_is_logged(maker: TokenMaker) -> None:
    token = make_token(maker, session(), None, NOW)

    assert token.token not in repr(token)


def test_a_token_is_verified_until_it_ends(maker: TokenMaker, verifier: TokenVerifier) -> None:
    token = make_token(maker, session(), ["devices:read"], NOW).token

    caller = verifier.verify(token, NOW + TOKENS_FOR - timedelta(seconds=1)).caller()

    assert (caller.identity_hash, caller.session_id) == (identity_hash(IDENTITY), "s-1")
    assert (caller.kind, caller.scopes) == (Kind.HOUSEHOLD, frozenset({"devices:read"}))
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(token, NOW + TOKENS_FOR)
    assert (refused.value.reason, refused.value.caller) == ("token-expired", caller)


@pytest.mark.parametrize(("ahead", "taken"), [(60, True), (61, False)])
def test_a_clock_may_be_a_minute_ahead(maker: TokenMaker, verifier: TokenVerifier, ahead: int, *, taken: bool) -> None:
    token = make_token(maker, session(), None, NOW + timedelta(seconds=ahead)).token

    if taken:
        assert verifier.verify(token, NOW)
    else:
        with pytest.raises(TokenRefused):
            verifier.verify(token, NOW)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(token: str, kms: Kms, key: str, how: str) -> str:
    header, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    kept = {"typ": "at+jwt", "kid": key_id(key)}
    public = kms.client.get_public_key(KeyId=key)["PublicKey"]
    own = rsa.generate_private_key(65537, 2048)
    forgeries: dict[str, Callable[[], str]] = {
        "no signature": lambda: f"{header}.{claims}.",
        "altered signature": lambda: f"{header}.{claims}.{signature[:-8]}AAAAAAAA",
        "altered claims": lambda: f"{header}.{part(said | {'sub': 'h-2'})}.{signature}",
        "none": lambda: f"{part(kept | {'alg': 'none'})}.{claims}.",
        "the public key as HS256": lambda: _hs256(said, public, kept),
        "a key of the forger's own": lambda: jwt.encode(said, own, "RS256", kept),
        "a key that the token brings": lambda: jwt.encode(
            said, own, "RS256", kept | {"jwk": RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)}
        ),
        "an unknown key": lambda: jwt.encode(said, own, "RS256", kept | {"kid": "unknown"}),
        "no key": lambda: jwt.encode(said, own, "RS256", {"typ": "at+jwt"}),
        "a key that is no name": lambda: f"{part(kept | {'alg': 'RS256', 'kid': ['a']})}.{claims}.{signature}",
        "another type": lambda: f"{part(kept | {'alg': 'RS256', 'typ': 'JWT'})}.{claims}.{signature}",
        "no JSON": lambda: "e30.e30",
        "nothing": lambda: "",
    }
    return forgeries[how]()


def _hs256(said: dict[str, Any], public: bytes, headers: dict[str, str]) -> str:
    import hashlib
    import hmac

    signed = f"{part(headers | {'alg': 'HS256'})}.{part(said)}"
    made = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "how",
    [
        "no signature",
        "altered signature",
        "altered claims",
        "none",
        "the public key as HS256",
        "a key of the forger's own",
        "a key that the token brings",
        "an unknown key",
        "no key",
        "a key that is no name",
        "another type",
        "no JSON",
        "nothing",
    ],
)
def test_a_forged_token_is_refused(maker: TokenMaker, verifier: TokenVerifier, kms: Kms, key: str, how: str) -> None:
    token = make_token(maker, session(), None, NOW).token

    with pytest.raises(TokenRefused):
        verifier.verify(forged(token, kms, key, how), NOW)


@pytest.mark.parametrize("other", [{"issuer": "https://other.example.org"}, {"audience": "paygo-other"}])
def test_a_token_of_another_stack_with_the_same_keys_is_refused(kms: Kms, key: str, other: dict[str, str]) -> None:
    here = {"issuer": ISSUER, "audience": AUDIENCE}
    token = make_token(TokenMaker(KmsSigner(kms.client, key), scopes=SCOPES, **here | other), session(), None, NOW)

    with pytest.raises(TokenRefused):
        TokenVerifier(KmsKeys(kms.client, [key]), **here).verify(token.token, NOW)


@pytest.mark.parametrize("without", ["sid", "identity_hash", "kind", "scope", "iat", "exp", "iss", "aud"])
def test_a_token_that_says_too_little_is_refused(kms: Kms, key: str, verifier: TokenVerifier, without: str) -> None:
    signer = KmsSigner(kms.client, key)
    said = says(make_token(TokenMaker(signer, ISSUER, AUDIENCE, SCOPES), session(), None, NOW))
    del said[without]

    with pytest.raises(TokenRefused):
        verifier.verify(signer.sign(said), NOW)


def test_keys_rotate_without_an_outage(kms: Kms) -> None:
    old, new = kms.key(), kms.key()
    by_old = make_token(TokenMaker(KmsSigner(kms.client, old), ISSUER, AUDIENCE, SCOPES), session(), None, NOW).token
    by_new = make_token(TokenMaker(KmsSigner(kms.client, new), ISSUER, AUDIENCE, SCOPES), session(), None, NOW).token

    for keys in ([old, new], [new, old]):
        verifier = TokenVerifier(KmsKeys(kms.client, keys), issuer=ISSUER, audience=AUDIENCE)
        assert verifier.verify(by_old, NOW)
        assert verifier.verify(by_new, NOW)
    with pytest.raises(TokenRefused):
        TokenVerifier(KmsKeys(kms.client, [new]), issuer=ISSUER, audience=AUDIENCE).verify(by_old, NOW)


def test_keys_are_read_once_in_a_while_and_not_for_each_name_that_somebody_makes_up(
    kms: Kms, key: str, maker: TokenMaker
) -> None:
    keys = KmsKeys(kms.client, [key])
    verifier = TokenVerifier(keys, issuer=ISSUER, audience=AUDIENCE)
    token = make_token(maker, session(), None, NOW).token
    for _ in range(3):
        verifier.verify(token, NOW)
        with pytest.raises(TokenRefused):
            verifier.verify(forged(token, Kms(), key, "an unknown key"), NOW)

    assert kms.calls == 1
    keys.by_id(NOW + REREAD_AFTER)
    assert kms.calls == 2


@pytest.mark.parametrize("error", ["DisabledException", "KMSInvalidStateException", "NotFoundException"])
def test_a_key_that_was_withdrawn_in_kms_is_none(
    kms: Kms, key: str, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    def refuse(**_: Any) -> None:
        raise getattr(kms.client.exceptions, error)({"Error": {"Code": error}}, "GetPublicKey")

    monkeypatch.setattr(kms.client, "get_public_key", refuse)

    assert KmsKeys(kms.client, [key]).by_id(NOW) == {}


def test_a_key_of_another_kind_is_a_mistake_of_ours(kms: Kms) -> None:
    with pytest.raises(TypeError, match="TOKEN_KEYS"):
        KmsKeys(kms.client, [kms.key("ECC_NIST_P256")]).by_id(NOW)


def keep(sessions: Table, kept: Session) -> None:
    sessions.put(session_key(IDENTITY) | kept.model_dump(mode="json"))


@pytest.fixture
def callers(sessions: Table, idempotency: Table) -> Callers:
    return Callers(sessions, idempotency)


def test_a_token_opens_all_routes_of_its_scopes_and_no_other(
    maker: TokenMaker, verifier: TokenVerifier, callers: Callers, sessions: Table
) -> None:
    keep(sessions, session())
    token = make_token(maker, session(), ["devices:read"], NOW).token

    grant = authorize(verifier, callers, ROUTES, token, NOW)

    assert grant.allowed == ("GET/bearer/v1/devices", "GET/bearer/v1/devices/*")
    assert grant.denied == ("GET/bearer/v1/devices/*/credit",)


def test_what_another_scope_of_the_token_opens_is_not_denied(
    maker: TokenMaker, verifier: TokenVerifier, callers: Callers, sessions: Table
) -> None:
    keep(sessions, session())
    token = make_token(maker, session(), ["devices:read", "accounts:read"], NOW).token

    assert authorize(verifier, callers, ROUTES, token, NOW).denied == ()


def test_the_narrower_route_does_not_open_the_wider(
    maker: TokenMaker, verifier: TokenVerifier, callers: Callers, sessions: Table
) -> None:
    keep(sessions, session())
    token = make_token(maker, session(), ["accounts:read"], NOW).token

    grant = authorize(verifier, callers, ROUTES, token, NOW)

    assert (grant.allowed, grant.denied) == (("GET/bearer/v1/devices/*/credit",), ())


def refusal(verifier: TokenVerifier, callers: Callers, token: str, now: datetime = NOW) -> str:
    with pytest.raises(TokenRefused) as refused:
        authorize(verifier, callers, ROUTES, token, now)
    return refused.value.reason


@pytest.mark.parametrize(
    "kept",
    [
        session(SessionState.REVOKED),
        session(ends_at=NOW),
        session(session_id="s-2"),
        session(SessionState.ANONYMOUS),
    ],
    ids=["revoked", "over", "another", "not escalated"],
)
def test_a_token_opens_nothing_once_its_session_is_not_what_it_was(
    maker: TokenMaker, verifier: TokenVerifier, callers: Callers, sessions: Table, kept: Session
) -> None:
    keep(sessions, kept)

    assert refusal(verifier, callers, make_token(maker, session(), None, NOW).token) == "session-refused"


def test_a_token_without_a_session_opens_nothing(
    maker: TokenMaker, verifier: TokenVerifier, callers: Callers, sessions: Table
) -> None:
    assert refusal(verifier, callers, make_token(maker, session(), None, NOW).token) == "session-refused"


@pytest.mark.parametrize("scopes", [[], ["devices:read"]])
def test_a_token_of_a_kind_that_has_none_of_its_scopes_opens_nothing(
    maker: TokenMaker, verifier: TokenVerifier, callers: Callers, sessions: Table, scopes: list[str]
) -> None:
    maker = replace(maker, scopes={Kind.ANONYMOUS: scopes})
    anonymous = session(SessionState.ANONYMOUS, household_id=None)
    keep(sessions, anonymous)

    assert refusal(verifier, callers, make_token(maker, anonymous, None, NOW).token) == "token-without-scope"


def test_the_token_from_before_the_escalation_fetches_the_new_one_again_until_that_is_used(
    maker: TokenMaker, verifier: TokenVerifier, callers: Callers, sessions: Table
) -> None:
    before = make_token(maker, session(SessionState.APPROVED), None, NOW).token
    escalated = session(fetchable_until=NOW + timedelta(minutes=5))
    keep(sessions, escalated)

    assert authorize(verifier, callers, ROUTES, before, NOW).allowed == tuple(ROUTES[Kind.ANONYMOUS]["sessions:write"])

    callers.mark_used(escalated, NOW)
    assert refusal(verifier, callers, before) == "session-refused"


type Authorize = Callable[..., dict[str, Any]]

ARN = "arn:aws:execute-api:us-east-1:123456789012:abc123"


@pytest.fixture
def answers(
    verifier: TokenVerifier, sessions: Table, idempotency: Table, monkeypatch: pytest.MonkeyPatch, context: Any
) -> Authorize:
    from identity.handlers import authorizer

    now = datetime.now(UTC)
    keep(sessions, session(opened_at=now, ends_at=now + timedelta(days=1)))
    monkeypatch.setattr(authorizer, "VERIFIER", verifier)

    def ask(token: str, scheme: str = "Bearer ", header: str = "Authorization") -> dict[str, Any]:
        return authorizer.handler(
            {
                "type": "REQUEST",
                "methodArn": f"{ARN}/v/GET/bearer/v1/devices/d-1",
                "headers": {header: f"{scheme}{token}", "User-Agent": "paygo-client/1.0"},
                "requestContext": {"requestId": "request-1", "identity": {"sourceIp": "192.0.2.1"}},
            },
            context,
        )

    return ask


def test_the_authorizer_answers_with_the_policy_of_the_token_and_tells_whose_it_is(
    answers: Authorize, maker: TokenMaker
) -> None:
    now = datetime.now(UTC)
    token = make_token(maker, session(ends_at=now + timedelta(days=1)), ["devices:read", "sessions:write"], now).token

    assert answers(token) == {
        "principalId": "s-1",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "execute-api:Invoke",
                    "Resource": [
                        f"{ARN}/v/DELETE/bearer/v1/sessions/*",
                        f"{ARN}/v/DELETE/bearer/v1/sessions/current",
                        f"{ARN}/v/GET/bearer/v1/devices",
                        f"{ARN}/v/GET/bearer/v1/devices/*",
                    ],
                },
                {
                    "Effect": "Deny",
                    "Action": "execute-api:Invoke",
                    "Resource": [f"{ARN}/v/GET/bearer/v1/devices/*/credit"],
                },
            ],
        },
        "context": {
            "identity_hash": identity_hash(IDENTITY),
            "session_id": "s-1",
            "kind": "household",
            "scope": "devices:read sessions:write",
        },
    }


def test_a_policy_denies_nothing_where_nothing_overlaps(answers: Authorize, maker: TokenMaker) -> None:
    now = datetime.now(UTC)
    token = make_token(maker, session(ends_at=now + timedelta(days=1)), ["accounts:read"], now).token

    assert [statement["Effect"] for statement in answers(token)["policyDocument"]["Statement"]] == ["Allow"]


def test_the_authorizer_refuses_in_the_words_that_api_gateway_knows_and_tells_the_audit(
    answers: Authorize, maker: TokenMaker, log: io.StringIO
) -> None:
    old = make_token(maker, session(), None, datetime.now(UTC) - timedelta(hours=2)).token
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        answers(old)

    audit = json.loads(log.getvalue().splitlines()[-1])["audit"]
    assert audit == {
        "act": "request-refused",
        "time": ANY,
        "source_ip": "192.0.2.1",
        "user_agent": "paygo-client/1.0",
        "request_id": "request-1",
        "reason": "token-expired",
        "method": "GET",
        "route": "/bearer/v1/devices/d-1",
        "caller": {"identity_hash": identity_hash(IDENTITY), "session_id": "s-1"},
    }
    assert old not in log.getvalue()


def test_headers_are_read_however_their_names_are_spelt(answers: Authorize, maker: TokenMaker) -> None:
    now = datetime.now(UTC)
    token = make_token(maker, session(ends_at=now + timedelta(days=1)), ["accounts:read"], now).token

    assert answers(token, header="authorization")["principalId"] == "s-1"


@pytest.mark.parametrize("scheme", ["", "Basic ", "bearer", "Bearer  "])
def test_a_token_that_is_not_borne_is_refused(
    answers: Authorize, maker: TokenMaker, log: io.StringIO, scheme: str
) -> None:
    now = datetime.now(UTC)
    token = make_token(maker, session(ends_at=now + timedelta(days=1)), ["accounts:read"], now).token

    with pytest.raises(Exception, match=r"^Unauthorized$"):
        answers(token, scheme)

    assert json.loads(log.getvalue().splitlines()[-1])["audit"]["reason"] == "token-malformed"


def test_a_token_that_says_nothing_of_its_caller_is_refused_alike(answers: Authorize, log: io.StringIO) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        answers("e30.e30.e30")

    assert json.loads(log.getvalue().splitlines()[-1])["audit"]["caller"] == {}


type Get = Callable[[str], dict[str, Any]]


@pytest.fixture
def get(kms: Kms, key: str, api_event: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> Get:
    from identity.handlers import discovery

    monkeypatch.setattr(discovery, "KEYS", KmsKeys(kms.client, [key, kms.key()]))

    def call(path: str) -> dict[str, Any]:
        answered = discovery.handler(api_event("GET", path), context)
        assert answered["statusCode"] == 200
        assert answered["multiValueHeaders"]["Cache-Control"] == ["public, max-age=300"]
        read: dict[str, Any] = json.loads(answered["body"])
        return read

    return call


def test_anybody_may_verify_a_token_with_the_published_keys(get: Get, maker: TokenMaker, key: str) -> None:
    now = datetime.now(UTC)
    token = make_token(maker, session(ends_at=now + timedelta(days=1)), None, now).token

    published = get("/.well-known/jwks.json")

    assert len(published["keys"]) == 2
    found = jwt.PyJWKSet.from_dict(published)[key_id(key)]
    assert jwt.decode(token, found, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)["sub"] == "h-1"


def test_an_app_finds_what_it_needs_to_sign_in(get: Get) -> None:
    assert get("/v1/configuration") == {
        "region": "us-east-1",
        "user_pool_id": "us-east-1_example",
        "user_pool_client_id": "example",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
    }


class UserPool:
    """A user pool that publishes its keys, and signs with one of them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = rsa.generate_private_key(65537, 2048)
        self.published: list[dict[str, Any]] = [self.jwk()]
        self.asked = 0

    def jwk(self) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"kid": "k-1", "use": "sig", "alg": "RS256"} | public

    def token(self, kid: str = "k-1", **changes: Any) -> str:
        said = {
            "sub": "u-1",
            "cognito:username": "h-1",
            "iss": "https://issuer",
            "aud": "app",
            "token_use": "id",
            "auth_time": int((NOW - timedelta(minutes=1)).timestamp()),
            "iat": int(NOW.timestamp()),
            "exp": int((NOW + timedelta(hours=1)).timestamp()),
        } | changes
        return jwt.encode(said, self.key, "RS256", {"kid": kid})

    def verifier(self) -> IdTokenVerifier:
        return IdTokenVerifier(self.url, issuer="https://issuer", client_id="app")


@pytest.fixture
def pool() -> Iterator[UserPool]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": served.published}).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = UserPool(f"http://127.0.0.1:{server.server_port}/keys")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield served
        server.shutdown()


def test_an_id_token_of_the_pool_tells_who_signed_in_and_when(pool: UserPool) -> None:
    assert pool.verifier().sign_in(pool.token(), NOW) == PoolSignIn("h-1", NOW - timedelta(minutes=1))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://another"},
        {"aud": "another"},
        {"token_use": "access"},
        {"exp": int(NOW.timestamp())},
        {"iat": int(NOW.timestamp()) + 61},
        {"cognito:username": None},
        {"auth_time": None},
        {"kid": "k-2"},
    ],
    ids=str,
)
def test_another_id_token_is_refused(pool: UserPool, changes: dict[str, Any]) -> None:
    with pytest.raises(IdTokenRefused):
        pool.verifier().sign_in(pool.token(**changes), NOW)


@pytest.mark.parametrize("how", ["forged", "no token"])
def test_a_forged_id_token_is_refused(pool: UserPool, how: str) -> None:
    verifier = pool.verifier()
    verifier.sign_in(pool.token(), NOW)
    pool.key = rsa.generate_private_key(65537, 2048)

    with pytest.raises(IdTokenRefused):
        verifier.sign_in(pool.token() if how == "forged" else "no token", NOW)


def test_made_up_keys_are_not_asked_for_again_and_again(pool: UserPool) -> None:
    verifier = pool.verifier()
    for number in range(5):
        with pytest.raises(IdTokenRefused):
            verifier.sign_in(pool.token(f"made-up-{number}"), NOW)

    assert pool.asked == 1


def test_a_pool_that_does_not_answer_refuses_nobody(pool: UserPool) -> None:
    verifier = IdTokenVerifier("http://127.0.0.1:9/keys", issuer="https://issuer", client_id="app")

    with pytest.raises(jwt.PyJWKClientConnectionError):
        verifier.sign_in(pool.token(), NOW)


def test_the_keys_of_a_pool_are_where_aws_has_them() -> None:
    verifier = IdTokenVerifier.of_pool(boto3.client("cognito-idp"), "us-east-1_abc", "app")

    assert verifier._keys.uri == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc/.well-known/jwks.json"
    assert verifier._issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc"


def test_the_stack_signs_with_the_first_key_and_knows_all(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [kms.key(), kms.key()]
    monkeypatch.setenv("TOKEN_KEYS", json.dumps(keys))
    for made in (composition.tokens, composition.token_keys, composition.token_verifier, composition.id_tokens):
        made.cache_clear()

    token = make_token(composition.tokens(), session(), None, NOW)

    assert composition.token_verifier().verify(token.token, NOW).session_id == "s-1"
    assert jwt.get_unverified_header(token.token)["kid"] == key_id(keys[0])
    assert list(composition.token_keys().by_id(NOW)) == [key_id(key) for key in keys]
    assert composition.scope_routes()[Kind.HOUSEHOLD]["devices:read"] == [
        "GET/bearer/v1/devices",
        "GET/bearer/v1/devices/*",
    ]
    assert composition.id_tokens()
    for made in (composition.tokens, composition.token_keys, composition.token_verifier, composition.id_tokens):
        made.cache_clear()
