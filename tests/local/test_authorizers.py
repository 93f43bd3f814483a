"""Lambda authorizers of a REST API, and the keys that sign what they verify.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html,
https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

import base64
import json
from typing import Any
from uuid import UUID

import pytest
import requests

from tests.local.conftest import ACCOUNT, Bench, refusal
from tests.local.test_rest_api_import import ECHO, Api, document, proxied

# The token is the policy: `allow`, another action, an error; and each answer counts how often it was asked.
AUTHORIZER = """
asked = 0

def handler(event, context):
    global asked
    asked += 1
    request = event["requestContext"]
    print(event["type"], "asked")
    scheme, _, token = event["headers"]["authorization"].partition(" ")
    if scheme != "Bearer" or token in ("", "Unauthorized", "not a token"):
        raise Exception("Unauthorized")
    if token == "broken":
        raise Exception(token)
    api = "/".join(event["methodArn"].split("/")[:2])
    action = "execute-api:ManageConnections" if token == "another" else "execute-api:Invoke"
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": [f"{api}/GET/things", f"{api}/GET/things/*"]},
        {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": f"{api}/GET/things/*/secret"},
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    told = {"ip": request["identity"]["sourceIp"], "id": request["requestId"]}
    return {"principalId": "me", "policyDocument": document, "context": {"asked": asked, "sure": True, **told}}
"""


ITS_AUTHORIZERS = "arn:aws:execute-api:us-east-1:{account}:{api}/authorizers/*"


def guarded(bench: Bench, source_arn: str = ITS_AUTHORIZERS, qualifier: str = "live") -> str:
    """Deploy an API whose routes ask an authorizer, and return its URL."""
    api, function = Api(bench), bench.function(AUTHORIZER, Publish=True)
    client = bench.deployer("lambda")
    authorizer = client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")["AliasArn"]
    if source_arn:
        client.add_permission(
            FunctionName=function,
            Qualifier=qualifier,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=source_arn.format(account=ACCOUNT, api=api.id),
        )
    echo = proxied(bench.function(ECHO), security=[{"bearer": []}])
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{authorizer}/invocations"
    unauthorized = {
        "statusCode": "401",
        "responseParameters": {"gatewayresponse.header.WWW-Authenticate": "'Bearer'"},
        "responseTemplates": {"application/json": '{"title": "Who are you?"}'},
    }
    api.put(
        document(
            {
                "/things": {"get": echo, "post": echo},
                "/things/{id}": {"get": echo},
                "/things/{id}/secret": {"get": echo},
            },
            components={
                "securitySchemes": {
                    "bearer": {
                        "type": "apiKey",
                        "name": "Authorization",
                        "in": "header",
                        "x-amazon-apigateway-authtype": "custom",
                        "x-amazon-apigateway-authorizer": {
                            "type": "request",
                            "identitySource": "method.request.header.Authorization",
                            "authorizerUri": uri,
                            "authorizerResultTtlInSeconds": 60,
                        },
                    }
                }
            },
            **{"x-amazon-apigateway-gateway-responses": {"UNAUTHORIZED": unauthorized}},
        )
    )
    return api.deploy()


def call(url: str, route: str, token: str | None, method: str = "GET") -> requests.Response:
    headers = {} if token is None else {"Authorization": token}
    return requests.request(method, f"{url}{route}", headers=headers, timeout=20)


def test_an_authorizers_policy_is_used_again_for_all_that_its_token_calls(bench: Bench) -> None:
    url = guarded(bench)
    first, second = call(url, "/things", "Bearer allow"), call(url, "/things/1", "Bearer allow")

    assert (first.status_code, second.status_code) == (200, 200)
    told: list[dict[str, Any]] = [answer.json()["requestContext"]["authorizer"] for answer in (first, second)]
    assert [(one["principalId"], one["asked"], one["sure"]) for one in told] == [("me", "1", "true")] * 2
    assert told[0]["ip"] == "127.0.0.1"
    assert UUID(told[0]["id"])
    assert call(url, "/things", "Bearer allow", "POST").status_code == 403
    assert call(url, "/things/1/secret", "Bearer allow").status_code == 403
    assert call(url, "/things", "Bearer other").json()["requestContext"]["authorizer"]["asked"] == "2"


@pytest.mark.parametrize(
    "token", [None, "", "allow", "Bearer ", "Bearer not a token", "Basic allow", "Bearer Unauthorized"]
)
def test_who_brings_no_token_and_whose_is_not_valid_is_told_how_to_make_itself_known(
    bench: Bench, token: str | None
) -> None:
    refused = call(guarded(bench), "/things", token)

    assert (refused.status_code, refused.json()) == (401, {"title": "Who are you?"})
    assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_an_authorizer_that_fails_is_no_refusal(bench: Bench) -> None:
    assert call(guarded(bench), "/things", "Bearer broken").status_code == 500


def test_a_statement_of_another_action_allows_nothing(bench: Bench) -> None:
    assert call(guarded(bench), "/things", "Bearer another").status_code == 403


@pytest.mark.parametrize(
    ("source_arn", "qualifier"),
    [
        ("", "live"),
        ("arn:aws:execute-api:us-east-1:{account}:another/authorizers/*", "live"),
        ("arn:aws:execute-api:us-east-1:{account}:{api}/v/GET/things", "live"),
        (ITS_AUTHORIZERS, "1"),
    ],
    ids=["no permission", "of another API", "of a route", "of another version"],
)
def test_an_authorizer_that_does_not_let_the_api_ask_answers_nobody(
    bench: Bench, source_arn: str, qualifier: str
) -> None:
    assert call(guarded(bench, source_arn, qualifier), "/things", "Bearer allow").status_code == 500


def test_the_public_half_of_a_key_is_given_while_the_key_is_enabled(bench: Bench) -> None:
    kms = bench.deployer("kms")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    bench.later(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    assert kms.get_public_key(KeyId=key)["PublicKey"]

    kms.disable_key(KeyId=key)
    assert refusal(lambda: kms.get_public_key(KeyId=key)) == "DisabledException"
    kms.enable_key(KeyId=key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert refusal(lambda: kms.get_public_key(KeyId=key)) == "KMSInvalidStateException"


def test_what_kms_signs_is_verified_by_the_public_half(bench: Bench) -> None:
    import jwt
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    kms = bench.deployer("kms")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    bench.later(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    header, claims = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "RS256"}, {"sub": "me"})
    )
    signature = kms.sign(
        KeyId=key,
        Message=f"{header}.{claims}".encode(),
        MessageType="RAW",
        SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
    )["Signature"]
    token = f"{header}.{claims}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    public: Any = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    assert jwt.decode(token, public, algorithms=["RS256"]) == {"sub": "me"}
