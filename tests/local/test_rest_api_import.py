"""PutRestApi and ImportRestApi: https://docs.aws.amazon.com/apigateway/latest/api/API_PutRestApi.html."""

import json
import uuid
from typing import Any

import pytest
import requests
import yaml
from requests_aws4auth import AWS4Auth  # type: ignore[import-untyped]

from tests.conftest import Clients, Cloud
from tests.local.conftest import ACCOUNT, Bench, allow, refusal

ECHO = """
import json
def handler(event, context):
    print("called")
    return {"statusCode": 200, "body": json.dumps(event)}
"""
MOCK = {
    "x-amazon-apigateway-integration": {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": '{"mocked": true}'}}},
    },
    "responses": {"200": {"description": "Mocked."}},
}


def document(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.0.3", "info": {"title": "imported", "version": "7"}, "paths": paths, **more}


def proxied(function_arn: str, **operation: Any) -> dict[str, Any]:
    return {
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations",
            "passthroughBehavior": "when_no_match",
            "timeoutInMillis": 15000,
            "credentials": None,
        },
        "responses": {"200": {"description": "Echoed."}},
        **operation,
    }


class Api:
    """One REST API under test."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.client = bench.deployer("apigateway")
        self.id: str = self.client.create_rest_api(name=bench.name, tags={"Stack": "kept"})["id"]
        bench.later(self.client.delete_rest_api, restApiId=self.id)

    def put(self, body: dict[str, Any], mode: str = "overwrite", **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.put_rest_api(
            restApiId=self.id, mode=mode, body=json.dumps(body).encode(), **more
        )
        return answer

    def deploy(self) -> str:
        self.client.create_deployment(restApiId=self.id, stageName="v")
        return f"{self.bench.cloud.endpoint_url}/_aws/execute-api/{self.id}/v"

    def method(self, path: str, method: str = "GET") -> dict[str, Any]:
        resources = self.client.get_resources(restApiId=self.id, limit=500)["items"]
        found = next(each for each in resources if each["path"] == path)
        answer: dict[str, Any] = self.client.get_method(restApiId=self.id, resourceId=found["id"], httpMethod=method)
        return answer

    def paths(self) -> set[str]:
        return {each["path"] for each in self.client.get_resources(restApiId=self.id, limit=500)["items"]}


@pytest.fixture
def api(bench: Bench) -> Api:
    return Api(bench)


def test_a_document_becomes_resources_methods_and_integrations(api: Api, bench: Bench) -> None:
    function = bench.function(ECHO)
    put = api.put(
        document(
            {
                "/things/{id}": {
                    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                    "get": proxied(
                        function,
                        operationId="readThing",
                        parameters=[{"$ref": "#/components/parameters/Page"}],
                    ),
                },
            },
            components={"parameters": {"Page": {"name": "page", "in": "query", "schema": {"type": "string"}}}},
        )
    )
    method = api.method("/things/{id}")

    assert (put["id"], put["name"], put["version"]) == (api.id, "imported", "7")
    assert put["tags"] == {"Stack": "kept"}
    assert method["operationName"] == "readThing"
    assert method["requestParameters"] == {
        "method.request.path.id": True,
        "method.request.querystring.page": False,
    }
    assert method["methodIntegration"]["type"] == "AWS_PROXY"
    assert method["methodIntegration"]["passthroughBehavior"] == "WHEN_NO_MATCH"
    assert method["methodIntegration"]["timeoutInMillis"] == 15000

    event = requests.get(f"{api.deploy()}/things/7?page=x", timeout=20).json()
    assert event["resource"] == "/things/{id}"
    assert event["pathParameters"] == {"id": "7"}


def test_yaml_is_read_like_json(api: Api) -> None:
    api.client.put_rest_api(restApiId=api.id, mode="overwrite", body=yaml.safe_dump(document({"/a": {"get": MOCK}})))

    assert api.paths() == {"/", "/a"}


def test_overwriting_removes_what_the_document_lacks_and_merging_keeps_it(api: Api) -> None:
    api.put(document({"/old": {"get": MOCK}}))
    api.put(document({"/more": {"get": MOCK}}), mode="merge")
    assert api.paths() == {"/", "/old", "/more"}

    api.put(document({"/new": {"get": MOCK}}))
    assert api.paths() == {"/", "/new"}


def test_settings_in_the_document_are_kept_and_overwriting_resets_the_others(api: Api) -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    api.put(
        document(
            {"/a": {"get": MOCK}},
            info={"title": "named", "version": "1", "description": "described"},
            **{
                "x-amazon-apigateway-binary-media-types": ["image/png"],
                "x-amazon-apigateway-policy": policy,
                "x-amazon-apigateway-api-key-source": "AUTHORIZER",
                "x-amazon-apigateway-minimum-compression-size": 1024,
            },
        )
    )
    kept = api.client.get_rest_api(restApiId=api.id)
    assert (kept["name"], kept["description"], kept["version"]) == ("named", "described", "1")
    assert kept["binaryMediaTypes"] == ["image/png"]
    assert kept["apiKeySource"] == "AUTHORIZER"
    assert kept["minimumCompressionSize"] == 1024
    assert json.loads(kept["policy"].replace('\\"', '"')) == policy

    reset = api.put(document({"/a": {"get": MOCK}}))
    assert reset.get("binaryMediaTypes", []) == []
    assert not reset.get("policy")
    assert not reset.get("description")


def test_a_key_is_required_where_the_document_says_so(api: Api, bench: Bench) -> None:
    keyed: dict[str, Any] = {"security": [{"key": []}]}
    api.put(
        document(
            {"/keyed": {"get": proxied(bench.function(ECHO), **keyed)}},
            components={"securitySchemes": {"key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
        )
    )
    url = api.deploy()
    client = api.client
    key = client.create_api_key(name=bench.name, enabled=True)
    bench.later(client.delete_api_key, apiKey=key["id"])
    plan = client.create_usage_plan(name=bench.name, apiStages=[{"apiId": api.id, "stage": "v"}])["id"]
    bench.later(client.delete_usage_plan, usagePlanId=plan)

    assert requests.get(f"{url}/keyed", timeout=20).status_code == 403
    # A key outside of every usage plan of the stage opens nothing.
    assert requests.get(f"{url}/keyed", headers={"x-api-key": key["value"]}, timeout=20).status_code == 403

    client.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    answer = requests.get(f"{url}/keyed", headers={"x-api-key": key["value"]}, timeout=20)
    assert answer.status_code == 200
    assert requests.get(f"{url}/keyed", headers={"x-api-key": "false"}, timeout=20).status_code == 403


def test_signed_methods_are_refused_unsigned_and_checked_against_the_callers_policy(api: Api, bench: Bench) -> None:
    function = bench.function(ECHO)
    signed: dict[str, Any] = {"security": [{"sigv4": []}]}
    api.put(
        document(
            {"/open": {"get": proxied(function, **signed)}, "/shut": {"get": proxied(function, **signed)}},
            components={
                "securitySchemes": {
                    "sigv4": {
                        "type": "apiKey",
                        "name": "Authorization",
                        "in": "header",
                        "x-amazon-apigateway-authtype": "awsSigv4",
                    }
                }
            },
        )
    )
    url = api.deploy()
    assert api.method("/open")["authorizationType"] == "AWS_IAM"

    iam = bench.deployer("iam")
    name = f"{bench.name}-caller"
    iam.create_user(UserName=name)
    bench.later(iam.delete_user, UserName=name)
    iam.put_user_policy(
        UserName=name,
        PolicyName="one-route",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [allow("execute-api:Invoke", f"arn:aws:execute-api:us-east-1:*:{api.id}/v/GET/open")],
            }
        ),
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    auth = AWS4Auth(key["AccessKeyId"], key["SecretAccessKey"], "us-east-1", "execute-api")
    forged = AWS4Auth(key["AccessKeyId"], "not-the-secret", "us-east-1", "execute-api")

    assert requests.get(f"{url}/open", timeout=20).status_code == 403
    assert requests.get(f"{url}/open", auth=forged, timeout=20).status_code == 403
    assert requests.get(f"{url}/shut", auth=auth, timeout=20).status_code == 403
    assert requests.get(f"{url}/open", auth=auth, timeout=20).status_code == 200


def test_a_lambda_authorizer_decides(api: Api, bench: Bench) -> None:
    authorizer = bench.function(
        "def handler(event, context):\n"
        "    print('asked')\n"
        "    effect = 'Allow' if event['authorizationToken'] == 'let me in' else 'Deny'\n"
        "    statement = {'Action': 'execute-api:Invoke', 'Effect': effect, 'Resource': event['methodArn']}\n"
        "    document = {'Version': '2012-10-17', 'Statement': [statement]}\n"
        "    return {'principalId': 'me', 'policyDocument': document, 'context': {'who': 'me'}}\n"
    )
    bench.deployer("lambda").add_permission(
        FunctionName=authorizer,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.id}/authorizers/*",
    )
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{authorizer}/invocations"
    api.put(
        document(
            {"/asked": {"get": proxied(bench.function(ECHO), security=[{"token": []}])}},
            components={
                "securitySchemes": {
                    "token": {
                        "type": "apiKey",
                        "name": "Authorization",
                        "in": "header",
                        "x-amazon-apigateway-authtype": "custom",
                        "x-amazon-apigateway-authorizer": {
                            "type": "token",
                            "authorizerUri": uri,
                            "authorizerResultTtlInSeconds": 0,
                        },
                    }
                }
            },
        )
    )
    url = f"{api.deploy()}/asked"

    assert requests.get(url, timeout=20).status_code == 401
    assert requests.get(url, headers={"Authorization": "please"}, timeout=20).status_code == 403
    allowed = requests.get(url, headers={"Authorization": "let me in"}, timeout=20)
    assert allowed.json()["requestContext"]["authorizer"]["who"] == "me"


def test_request_validators_and_gateway_responses_shape_a_refusal(api: Api, bench: Bench) -> None:
    required = [{"name": "page", "in": "query", "required": True, "schema": {"type": "string"}}]
    api.put(
        document(
            {"/checked": {"get": proxied(bench.function(ECHO), parameters=required)}},
            **{
                "x-amazon-apigateway-request-validators": {
                    "parameters": {"validateRequestParameters": True, "validateRequestBody": False}
                },
                "x-amazon-apigateway-request-validator": "parameters",
                "x-amazon-apigateway-gateway-responses": {
                    "BAD_REQUEST_PARAMETERS": {
                        "statusCode": "422",
                        "responseParameters": {"gatewayresponse.header.Content-Type": "'application/problem+json'"},
                        "responseTemplates": {"application/json": '{"title": $context.error.messageString}'},
                    }
                },
            },
        )
    )
    refused = requests.get(f"{api.deploy()}/checked", timeout=20)

    assert refused.status_code == 422
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert "page" in refused.json()["title"]


def test_models_are_made_from_schemas_and_bound_to_bodies(api: Api) -> None:
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    api.put(
        document(
            {"/things": {"post": {**MOCK, "requestBody": body}}},
            components={"schemas": {"Thing": {"type": "object"}}},
        )
    )

    assert api.method("/things", "POST")["requestModels"] == {"application/json": "Thing"}
    assert api.client.get_model(restApiId=api.id, modelName="Thing")["name"] == "Thing"


@pytest.mark.parametrize(
    ("broken", "part"),
    [
        ({"openapi": "3.1.0"}, "3.1.0"),
        ({"info": {}}, "title"),
        ({"paths": {"/a/{x}": {"get": MOCK}, "/a/{y}/b": {"get": MOCK}}}, "sibling"),
        ({"paths": {"/a": {"get": {**MOCK, "parameters": [{"$ref": "#/components/parameters/None"}]}}}}, "reference"),
    ],
)
def test_a_document_that_aws_refuses_changes_nothing(api: Api, broken: dict[str, Any], part: str) -> None:
    api.put(document({"/kept": {"get": MOCK}}))

    with pytest.raises(api.client.exceptions.BadRequestException, match=part):
        api.put(document({"/a": {"get": MOCK}}) | broken)

    assert api.paths() == {"/", "/kept"}


def test_warnings_are_answered_and_fail_when_asked_to(api: Api) -> None:
    warned = document({"/a": {"get": {**MOCK, "security": [{"nowhere": []}]}}})

    assert any("nowhere" in warning for warning in api.put(warned)["warnings"])
    assert refusal(lambda: api.put(warned, failOnWarnings=True)) == "BadRequestException"


def test_importing_makes_an_api_that_putting_would_have_made(api: Api, bench: Bench, deployer: Clients) -> None:
    client = deployer("apigateway")
    imported = client.import_rest_api(
        body=json.dumps(document({"/a": {"get": MOCK}})), parameters={"endpointConfigurationTypes": "REGIONAL"}
    )
    bench.later(client.delete_rest_api, restApiId=imported["id"])
    api.put(document({"/a": {"get": MOCK}}))

    assert (imported["name"], imported["version"]) == ("imported", "7")
    assert imported["endpointConfiguration"]["types"] == ["REGIONAL"]
    theirs = {each["path"] for each in client.get_resources(restApiId=imported["id"])["items"]}
    assert theirs == api.paths()


def test_putting_into_an_api_that_does_not_exist_is_refused(cloud: Cloud, deployer: Clients) -> None:
    client = deployer("apigateway")
    missing = uuid.uuid4().hex[:10]

    assert refusal(lambda: client.put_rest_api(restApiId=missing, body=b"{}")) == "NotFoundException"
