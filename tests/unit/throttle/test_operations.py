"""Which operation a request calls."""

import pytest

from paygo_cloud.throttle.operations import Request, recognise
from tests.unit.throttle.requests import call, least, model, sent

SERVICES = (
    "apigateway",
    "apigatewayv2",
    "cloudwatch",
    "cognito-identity",
    "cognito-idp",
    "dynamodb",
    "events",
    "iam",
    "iot",
    "lambda",
)


def rest(method: str, path: str, **query: str) -> Request:
    return Request(method, path, {}, b"", {name: [value] for name, value in query.items()})


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_of_a_service_is_recognised_by_what_botocore_makes_of_it(service: str) -> None:
    of = model(service)
    made = {
        operation: sent(service, operation, least(of.operation_model(operation).input_shape))
        for operation in of.operation_names
        if of.operation_model(operation).input_shape is not None
    }

    recognised = {operation: recognise([service], each) for operation, each in made.items()}

    assert len(made) > 10
    mistaken = {
        operation: each for operation, each in recognised.items() if each is None or each.operation != operation
    }
    assert mistaken == {}


@pytest.mark.parametrize(
    ("seen", "operation"),
    [
        (rest("POST", "/restapis"), "CreateRestApi"),
        (rest("POST", "/restapis", mode="import"), "ImportRestApi"),
        (rest("PUT", "/restapis/a1", mode="overwrite"), "PutRestApi"),
        (rest("DELETE", "/restapis/a1"), "DeleteRestApi"),
        (rest("DELETE", "/restapis/a1/"), "DeleteRestApi"),
        (rest("GET", "/tags/arn:aws:apigateway:us-east-1::/restapis/a1"), "GetTags"),
    ],
)
def test_a_rest_call_is_recognised_by_its_path_and_query(seen: Request, operation: str) -> None:
    recognised = recognise(["apigateway", "apigatewayv2"], seen)

    assert recognised is not None
    assert recognised.name == f"apigateway.{operation}"


def test_a_call_of_another_service_at_the_same_endpoint_is_told_apart() -> None:
    recognised = recognise(["apigateway", "apigatewayv2"], rest("DELETE", "/v2/apis/a1"))

    assert recognised is not None
    assert recognised.name == "apigatewayv2.DeleteApi"


def test_a_bucket_is_told_from_its_settings_and_its_objects() -> None:
    bucket, tags, an_object = (
        recognise(["s3"], each)
        for each in (
            rest("PUT", "/bucket"),
            rest("PUT", "/bucket", tagging=""),
            Request("GET", "/bucket/some/key", {}, b"", {}),
        )
    )

    assert bucket is not None
    assert (bucket.operation, bucket.parameter("Bucket")) == ("CreateBucket", "bucket")
    assert tags is not None
    assert tags.operation == "PutBucketTagging"
    assert an_object is not None
    assert (an_object.operation, an_object.labels["Key"]) == ("GetObject", "some/key")


def test_what_is_no_management_call_is_none() -> None:
    assert recognise(["apigateway"], rest("GET", "/")) is None
    assert (
        recognise(["dynamodb"], Request("POST", "/", {"x-amz-target": "DynamoDB_20120810.NoSuch"}, b"{}", {})) is None
    )


@pytest.mark.parametrize(
    ("service", "operation", "by", "name", "value"),
    [
        ("iam", "CreateRole", "", "RoleName", "r"),
        ("dynamodb", "DeleteTable", "", "TableName", "t"),
        ("s3", "CreateBucket", "", "Bucket", "b"),
        ("iot", "DeleteTopicRule", "", "ruleName", "rule"),
        ("events", "DeleteRule", "", "Name", "n"),
        ("cloudwatch", "PutMetricAlarm", "", "AlarmName", "a"),
        ("cloudwatch", "PutMetricAlarm", "query", "AlarmName", "a"),
        ("cloudwatch", "PutMetricAlarm", "json", "AlarmName", "a"),
    ],
)
def test_a_parameter_is_read_in_each_protocol(service: str, operation: str, by: str, name: str, value: str) -> None:
    made = least(model(service).operation_model(operation).input_shape) | {name: value}

    recognised = call(service, operation, by, **made)

    assert recognised.operation == operation
    assert recognised.parameter(name) == value
    assert recognised.parameter("NoSuchParameter") is None
