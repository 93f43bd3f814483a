"""Runs inside the functions' runtime: the platform and a bare handler answer one request over and over, in turn.

Called by `bench.warm`; prints the differences in milliseconds as a JSON list.
"""

import hashlib
import hmac
import importlib
import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse, HeadersDict

type Json = dict[str, Any]

KEY = "bench-signing-key"
API_KEY = "bench-api-key"
PAYMENT = {
    "reference": "BENCH",
    "account": "SHS-000001",
    "amount": {"amount": 25_000, "currency": "KES"},
    "paid_at": "2026-11-21T10:05:00Z",
}
SESSION = {
    "pk": {"S": f"SESSION#{hashlib.sha256(b'us-east-1:bench').hexdigest()}"},
    "identity_id": {"S": "us-east-1:bench"},
    "session_id": {"S": "0b9f4f1e-3c83-4f0e-a0ad-0a3a0b2b5c11"},
    "state": {"S": "authenticated"},
    "household_id": {"S": "7f1c3c9c-6a4e-4a39-8f0c-1c3f5d3b9a01"},
    "opened_at": {"S": datetime.now(UTC).isoformat()},
    "ends_at": {"S": (datetime.now(UTC) + timedelta(days=1)).isoformat()},
}
CONTEXT = SimpleNamespace(
    function_name="bench",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bench",
    aws_request_id="bench",
    get_remaining_time_in_millis=lambda: 10_000,
)
WARMING = 50
SECRET = {"api_key": API_KEY, "keys": {"current": KEY, "previous": ""}}


class Cloud:
    """Answers boto3 inside the process and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Json]] = []
        session: Any = botocore.session.get_session()
        session.register("provide-client-params.*.*", self._remember)
        session.register("before-send.*.*", self._answer)
        # Every client comes from this session, also those of libraries that make a session of their own.
        botocore.session.get_session = lambda *_: session

    def _remember(self, params: Json, model: Any, **_: Any) -> None:
        self.calls.append((model.service_model.service_name, model.name, params))

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        body = json.dumps(self._body(operation, json.loads(request.body))).encode()
        headers: Any = HeadersDict({"Content-Type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, 200, headers, SimpleNamespace(stream=lambda: iter([body])))

    @staticmethod
    def _body(operation: str, asked: Json) -> Json:
        match operation:
            case "GetSecretValue":
                return {"Name": "bench", "SecretString": json.dumps(SECRET)}
            case "GetItem" if asked["Key"]["pk"]["S"].startswith("SESSION#"):
                return {"Item": SESSION}
            case "Query":
                return {"Items": [], "Count": 0, "ScannedCount": 0}
            case _:
                return {}


def event(method: str, path: str, number: int) -> Json:
    """Return what API Gateway hands over; a signed request carries a nonce of its own."""
    body = json.dumps(PAYMENT) if method == "POST" else None
    headers = {"Content-Type": "application/json", **(_signed(method, path, body, number) if body else {})}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": f"bench-{number}",
            "stage": "v",
            "path": f"/v{path}",
            "resourcePath": path,
            "httpMethod": method,
            "identity": {
                "cognitoIdentityId": "us-east-1:bench",
                "cognitoAuthenticationType": "authenticated",
                "sourceIp": "192.0.2.1",
            },
        },
    }


def _signed(method: str, path: str, body: str, number: int) -> dict[str, str]:
    headers = {
        "X-Api-Key": API_KEY,
        "X-Paygo-Timestamp": str(int(time.time())),
        "X-Paygo-Nonce": f"bench-nonce-{number:08}",
    }
    return headers | {"X-Paygo-Signature": _signature(method, path, body, headers)}


def _signature(method: str, path: str, body: str, headers: dict[str, str]) -> str:
    body_hash = hashlib.sha256(body.encode()).hexdigest()
    text = "\n".join([method, path, "", headers["X-Paygo-Timestamp"], headers["X-Paygo-Nonce"], body_hash])
    return "v1=" + hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def bare_handler(calls: list[tuple[str, str, Json]], answer: str) -> Callable[[Json, object], Json]:
    """Return a handler that reads and checks the request, makes the same calls, logs a line and answers the same."""
    make_client: Any = boto3.client  # its types know each service by a name of its own
    clients = {service: make_client(service) for service, _, _ in calls}
    methods = [(getattr(clients[service], _method(operation)), params) for service, operation, params in calls]

    def handler(event: Json, _context: object) -> Json:
        json.loads(event["body"] or "{}")
        if event["body"]:
            sent = event["headers"]["X-Paygo-Signature"]
            made = _signature(event["httpMethod"], event["path"], event["body"], event["headers"])
            if not hmac.compare_digest(sent, made):
                sys.exit("the bare handler does not sign as the platform does")
        for call, params in methods:
            call(**params)
        print(json.dumps({"level": "INFO", "message": "Answered", "status": 200}))
        return {"statusCode": 200, "headers": {}, "body": json.dumps(json.loads(answer))}

    return handler


def _method(operation: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")


def main() -> None:
    """Measure what the argument says."""
    asked = json.loads(sys.argv[1])
    sys.path[:0] = asked["folders"]
    cloud = Cloud()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        platform: Callable[[Json, object], Json] = importlib.import_module(asked["module"]).handler
        events = (event(asked["method"], asked["path"], number) for number in itertools.count())
        for _ in range(WARMING):
            answered = platform(next(events), CONTEXT)
        cloud.calls.clear()
        answered = platform(next(events), CONTEXT)
        if answered["statusCode"] != HTTPStatus.OK:
            sys.exit(f"it answered {answered['statusCode']}: {answered['body']}")
        bare = bare_handler(list(cloud.calls), answered["body"])
        differences = []
        for _ in range(WARMING):
            bare(next(events), CONTEXT)
        for _ in range(asked["rounds"]):
            request = next(events)
            differences.append(1000 * (_seconds(platform, request) - _seconds(bare, request)))
    print(json.dumps(differences))


def _seconds(handler: Callable[[Json, object], Json], request: Json) -> float:
    # Nothing here waits, so the thread's own time is the request's, whatever else the machine does.
    began = time.thread_time()
    handler(request, CONTEXT)
    return time.thread_time() - began


if __name__ == "__main__":
    main()
