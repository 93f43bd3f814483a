"""Refusals, read by botocore as those of AWS."""

import json
from typing import Any

import pytest

from paygo_cloud.throttle.operations import Call
from paygo_cloud.throttle.refusals import Error, refused, throttled
from tests.unit.throttle.requests import call, understood

LIMIT = Error("LimitExceededException", "Enough.")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "status", "code"),
    [
        ("apigateway", "DeleteRestApi", {"restApiId": "a1"}, 429, "TooManyRequestsException"),
        ("apigatewayv2", "DeleteApi", {"ApiId": "a1"}, 429, "TooManyRequestsException"),
        ("lambda", "DeleteFunction", {"FunctionName": "f"}, 429, "TooManyRequestsException"),
        ("cognito-idp", "DeleteUserPool", {"UserPoolId": "p"}, 400, "TooManyRequestsException"),
        ("dynamodb", "DeleteTable", {"TableName": "t"}, 400, "ThrottlingException"),
        ("events", "DeleteRule", {"Name": "n"}, 400, "ThrottlingException"),
        ("iot", "DeleteThing", {"thingName": "t"}, 400, "ThrottlingException"),
        ("iam", "DeleteRole", {"RoleName": "r"}, 400, "Throttling"),
        ("s3", "DeleteBucket", {"Bucket": "b"}, 503, "SlowDown"),
    ],
)
def test_a_call_that_came_too_soon_is_refused_in_its_services_way(
    service: str, operation: str, parameters: dict[str, Any], status: int, code: str
) -> None:
    made = call(service, operation, **parameters)

    assert understood(made, throttled(made))[:2] == (status, code)


@pytest.mark.parametrize(
    ("made", "error", "status", "code"),
    [
        (call("iam", "CreateRole", RoleName="r", AssumeRolePolicyDocument="{}"), LIMIT, 409, "LimitExceeded"),
        (call("apigateway", "CreateRestApi", name="a"), LIMIT, 429, "LimitExceededException"),
        (call("dynamodb", "DeleteTable", TableName="t"), LIMIT, 400, "LimitExceededException"),
        (call("cognito-identity", "ListIdentityPools", MaxResults=1), LIMIT, 400, "LimitExceededException"),
        (call("s3", "CreateBucket", Bucket="b"), Error("TooManyBuckets", "Enough."), 400, "TooManyBuckets"),
    ],
)
def test_a_quota_s_refusal_has_the_service_s_code(made: Call, error: Error, status: int, code: str) -> None:
    assert understood(made, refused(made, error)) == (status, code, "Enough.")


@pytest.mark.parametrize("by", ["smithy-rpc-v2-cbor", "json", "query"])
def test_an_alarm_too_many_is_refused_in_the_protocol_it_was_asked_in(by: str) -> None:
    made = call("cloudwatch", "DeleteAlarms", by, AlarmNames=["a"])

    status, code, message = understood(made, refused(made, Error("LimitExceededFault", "Enough.")), by)

    assert (status, message) == (400, "Enough.")
    assert code in {"LimitExceeded", "LimitExceededFault"}


def test_api_gateway_names_its_error_in_a_header_as_seen_on_aws() -> None:
    status, headers, body = throttled(call("apigateway", "DeleteRestApi", restApiId="a1"))

    assert (status, headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert json.loads(body) == {"message": "Too Many Requests"}


def test_what_a_caller_sends_does_not_get_into_the_markup() -> None:
    made = call("iam", "DeleteRole", RoleName="r")

    assert understood(made, refused(made, Error("Throttling", "a < b & c")))[2] == "a < b & c"
