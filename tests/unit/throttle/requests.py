"""Requests as botocore sends them, answers as it reads them."""

from typing import Any
from urllib.parse import urlencode

import botocore.session
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from paygo_cloud.throttle.operations import Call, Request, recognise
from paygo_cloud.throttle.refusals import Answer

SESSION: Any = botocore.session.get_session()


def model(service: str) -> Any:
    return SESSION.get_service_model(service)


def protocol(service: str) -> str:
    return str(model(service).metadata["protocol"])


def sent(service: str, operation: str, parameters: dict[str, Any], by: str = "") -> Request:
    """Serialize a request as the server gets it."""
    serializer: Any = create_serializer(by or protocol(service), include_validation=False)
    made = serializer.serialize_to_request(parameters, model(service).operation_model(operation))
    headers = {name.lower(): str(value) for name, value in made["headers"].items()}
    body = made["body"]
    path, _, query_text = made["url_path"].partition("?")
    if isinstance(body, dict):
        headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
        body = urlencode(body)
    query = {name: [str(value)] for name, value in dict(made["query_string"]).items()}
    query |= {name: [value] for name, _, value in (each.partition("=") for each in query_text.split("&") if each)}
    content = body.encode() if isinstance(body, str) else bytes(body)
    return Request(made["method"], path, headers, content, query)


def call(service: str, operation: str, by: str = "", **parameters: Any) -> Call:
    recognised = recognise([service], sent(service, operation, parameters, by))
    assert recognised is not None
    return recognised


def understood(of: Call, answer: Answer, by: str = "") -> tuple[int, str, str]:
    """Read an answer as boto3 does: status, code, message."""
    status, headers, body = answer
    parser: Any = create_parser(by or protocol(of.service))
    shape = model(of.service).operation_model(of.operation).output_shape
    read = parser.parse({"status_code": status, "headers": headers, "body": body}, shape)
    return status, read["Error"]["Code"], read["Error"]["Message"]


def least(shape: Any) -> Any:
    """Make up a value with what a shape requires."""
    if shape.type_name == "structure":
        return {name: least(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [least(shape.member)]
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "name"
    return {
        "map": {},
        "boolean": True,
        "timestamp": "2026-11-30T00:00:00Z",
        "blob": b"x",
    }.get(shape.type_name, 1)
