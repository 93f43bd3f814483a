"""Unit tests run without a cloud: settings are fixed here, and AWS is moto's in-process copy."""

import base64
import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

STACK = "paygo-test"
SETTINGS = {
    "STACK": STACK,
    "STAGE": "development",
    "API_URL": "https://api.example.org/live",
    "TABLE": STACK,
    "SESSIONS_TABLE": f"{STACK}-sessions",
    "IDEMPOTENCY_TABLE": f"{STACK}-idempotency",
    "TOPIC_ARN": f"arn:aws:sns:us-east-1:123456789012:{STACK}",
    "QUEUE_URL": f"https://sqs.us-east-1.amazonaws.com/123456789012/{STACK}-unit-queue",
    "DEAD_QUEUE_URL": f"https://sqs.us-east-1.amazonaws.com/123456789012/{STACK}-unit-queue-dead",
    "ATTEMPTS_TABLE": f"{STACK}-attempts",
    "PAYLOADS_BUCKET": f"{STACK}-payloads",
    "PARTNER_SECRET_ARN": f"{STACK}/partners/partner",
    "PARTNERS": json.dumps(
        {
            name: {
                "url": f"https://{name}.example.org",
                "secret_arn": f"{STACK}/outbound/{name}",
                "calls_per_second": 1000,
                "inbound_secret_arn": f"{STACK}/partners/{name}",
            }
            for name in ("identity-bureau", "bank", "crm", "mobile-money", "mobile-wallet")
        }
    ),
    "PROXIED": json.dumps(
        {"bank": {"url": "https://bank.example.org", "operations": ["POST /customers/verifications"]}}
    ),
    "PARTNER_CALLS_TABLE": f"{STACK}-partner-calls",
    "BUREAU_SECRET_ARN": f"{STACK}/bureau",
    "BUREAU_URL": "https://bureau.example.org/identity-bureau",
    "USER_POOL_ID": "us-east-1_example",
    "USER_POOL_CLIENT_ID": "example",
    "SESSIONS_PER_ADDRESS": "1000",
    "TOKEN_KEYS": json.dumps(["arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000001"]),
    "SCOPES": json.dumps(
        {
            "anonymous": ["registrations:read", "registrations:write", "sessions:read", "sessions:write"],
            "household": ["devices:read", "devices:write", "sessions:read", "sessions:write"],
        }
    ),
    "IDENTITY_POOL_ID": "us-east-1:00000000-0000-4000-8000-000000000000",
    "DEVELOPER_PROVIDER": "paygo",
    "SCOPE_ROUTES": json.dumps(
        {
            "anonymous": {"sessions:write": ["DELETE/bearer/v1/sessions/current"]},
            "household": {
                "accounts:read": ["GET/bearer/v1/devices/*/credit"],
                "devices:read": ["GET/bearer/v1/devices", "GET/bearer/v1/devices/*"],
                "sessions:write": ["DELETE/bearer/v1/sessions/*", "DELETE/bearer/v1/sessions/current"],
            },
        }
    ),
    "MAIL_SENDER": "no-reply@paygo.example.org",
    "CALLBACKS_QUEUE_URL": f"https://sqs.us-east-1.amazonaws.com/123456789012/{STACK}-callbacks",
    "MOCKS_BUCKET": f"{STACK}-mocks",
    "POWERTOOLS_SERVICE_NAME": "unit",
    "POWERTOOLS_METRICS_NAMESPACE": "Paygo",
    "LOG_LEVEL": "INFO",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}
os.environ.update(SETTINGS)
for endpoint in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
    os.environ.pop(endpoint, None)

import boto3  # noqa: E402 (moto and boto3 read the settings above when they are imported)
import pytest  # noqa: E402
from aws_lambda_powertools.utilities.circuit_breaker import base as circuit_breaker  # noqa: E402
from moto import mock_aws  # noqa: E402

from paygo.secrets import secrets_provider  # noqa: E402
from paygo.storage import Table  # noqa: E402

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass
class LambdaContext:
    """What powertools reads of a function's context."""

    function_name: str = "function"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "00000000-0000-4000-8000-000000000001"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 10_000


@pytest.fixture
def context() -> LambdaContext:
    return LambdaContext()


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """Every test has an AWS account of its own, in memory."""
    with mock_aws():
        secrets_provider.cache_clear()
        yield


@cache
def _dynamodb() -> "DynamoDBClient":
    # Making a client costs more than everything else a test does; the account behind it is each test's own.
    return boto3.client("dynamodb")


OUTBOX = ("unpublished", "unpublished_since")


def _create_table(name: str, *, sort_key: bool = False, index: tuple[str, str] | None = None) -> Table:
    client = _dynamodb()
    keys = {"pk": "HASH"} | ({"sk": "RANGE"} if sort_key else {})
    index_keys = {index[0]: "HASH", index[1]: "RANGE"} if index else {}
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema(keys),
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys | index_keys],
    }
    if index:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index[0],
                "KeySchema": _key_schema(index_keys),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ]
    client.create_table(**request)
    return Table(name, client)


def _key_schema(keys: dict[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What functions log, a JSON object a line."""
    (handler,) = logging.getLogger(SETTINGS["POWERTOOLS_SERVICE_NAME"]).handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


@pytest.fixture
def table(aws: None) -> Table:
    """The service's own table."""
    return _create_table(SETTINGS["TABLE"], sort_key=True, index=OUTBOX)


@pytest.fixture
def sessions(aws: None) -> Table:
    """The sessions that identity writes and everybody reads."""
    return _create_table(SETTINGS["SESSIONS_TABLE"], index=("ending", "ends_at"))


@pytest.fixture
def idempotency(aws: None) -> Table:
    """What happens once: idempotency keys and nonces."""
    return _create_table(SETTINGS["IDEMPOTENCY_TABLE"])


@pytest.fixture
def attempts(aws: None) -> Table:
    """Why messages could not be handled."""
    return _create_table(SETTINGS["ATTEMPTS_TABLE"], sort_key=True)


@pytest.fixture
def payloads(aws: None) -> str:
    """The bucket of the data of large events, by its name."""
    boto3.client("s3").create_bucket(Bucket=SETTINGS["PAYLOADS_BUCKET"])
    return SETTINGS["PAYLOADS_BUCKET"]


@pytest.fixture
def partner_calls(aws: None) -> Table:
    """What the workers share about partners: circuits and rates; and our credential at each, which is `credential`."""
    # What powertools counts in a process outlives a test.
    for counts in (circuit_breaker._LOCAL_FAILURES, circuit_breaker._LOCAL_SUCCESSES):
        counts.clear()
    circuit_breaker._LAST_OBSERVED_STATE.clear()
    secrets = boto3.client("secretsmanager")
    for name in json.loads(SETTINGS["PARTNERS"]):
        secrets.create_secret(Name=f"{STACK}/outbound/{name}", SecretString='{"credential": "credential"}')
    return _create_table(SETTINGS["PARTNER_CALLS_TABLE"])


type EventMaker = Callable[..., dict[str, Any]]


@pytest.fixture
def api_event() -> EventMaker:
    """Make the proxy event of a request, as API Gateway sends it."""

    def make(
        method: str,
        path: str,
        *,
        resource: str | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        identity_id: str | None = None,
        authentication_type: str | None = None,
        authorizer: dict[str, str] | None = None,
        as_base64: bool = False,
    ) -> dict[str, Any]:
        text = body if isinstance(body, str) else None if body is None else json.dumps(body)
        if as_base64 and text is not None:
            text = base64.b64encode(text.encode()).decode()
        headers = headers or {}
        return {
            "resource": resource or path,
            "path": path,
            "httpMethod": method,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
            "pathParameters": None,
            "stageVariables": None,
            "body": text,
            "isBase64Encoded": as_base64,
            "requestContext": {
                "requestId": "request-1",
                "stage": "live",
                "path": f"/live{path}",
                "resourcePath": resource or path,
                "httpMethod": method,
                "identity": {
                    "cognitoIdentityId": identity_id,
                    "cognitoAuthenticationType": authentication_type,
                    "sourceIp": "192.0.2.1",
                    "userAgent": "curl/8.5.0",
                },
            }
            | ({"authorizer": authorizer} if authorizer else {}),
        }

    return make
