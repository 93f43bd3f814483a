"""Refusals in the service's own words: its code, its status and its protocol, as botocore's model has them.

Where a model is silent: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html (Throttling),
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (SlowDown, TooManyBuckets).
"""

import itertools
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import botocore.session

from paygo_cloud.throttle.operations import Call

type Answer = tuple[int, dict[str, str], bytes]

_THROTTLING = ("TooManyRequestsException", "ThrottlingException")


@dataclass(frozen=True, slots=True)
class Error:
    """What a service answers.

    Attributes
    ----------
    shape
        The name of its exception, which is its code unless the model has another.
    status
        The HTTP status, unless the model has another.
    """

    shape: str
    message: str
    status: int = 400


def throttled(call: Call) -> Answer:
    """Answer a call that came too soon."""
    model = _model(call.service)
    for shape in _THROTTLING:
        if shape in model.shape_names:
            is_many = shape == "TooManyRequestsException"
            return refused(call, Error(shape, "Too Many Requests" if is_many else "Rate exceeded"))
    if model.metadata["protocol"] == "rest-xml":
        return refused(call, Error("SlowDown", "Please reduce your request rate.", 503))
    return refused(call, Error("Throttling", "Rate exceeded"))


def refused(call: Call, error: Error) -> Answer:
    """Answer a call with an error."""
    model = _model(call.service)
    modelled = model.shape_for(error.shape).metadata.get("error") if error.shape in model.shape_names else None
    modelled = modelled or {}
    code, status = modelled.get("code", error.shape), modelled.get("httpStatusCode", error.status)
    if call.is_cbor:
        kind = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        legacy = {"x-amzn-query-error": f"{code};Sender"}
        return status, kind | legacy, _cbor({"__type": error.shape, "message": error.message})
    protocol = "json" if call.is_json else model.metadata["protocol"]
    return status, *_ANSWERS.get(protocol, _query)(model, code, error.message)


def _rest_json(_model: Any, code: str, message: str) -> tuple[dict[str, str], bytes]:
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code}
    return headers, json.dumps({"message": message}).encode()


def _json(model: Any, code: str, message: str) -> tuple[dict[str, str], bytes]:
    kind = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.1')}"
    return {"Content-Type": kind}, json.dumps({"__type": code, "message": message}).encode()


def _rest_xml(_model: Any, code: str, message: str) -> tuple[dict[str, str], bytes]:
    body = (
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{uuid.uuid4()}</RequestId></Error>"
    )
    return {"Content-Type": "application/xml"}, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()


def _query(model: Any, code: str, message: str) -> tuple[dict[str, str], bytes]:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    body = (
        f'<ErrorResponse xmlns="{model.metadata["xmlNamespace"]}">{error}'
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return {"Content-Type": "text/xml"}, body.encode()


_ANSWERS = {"rest-json": _rest_json, "json": _json, "rest-xml": _rest_xml}


def _cbor(texts: Mapping[str, str]) -> bytes:
    """Encode a map of texts: a byte tells a map's size, and three the length of a text (RFC 8949, section 3.1)."""
    encoded = bytes([0xA0 | len(texts)])
    for text in itertools.chain.from_iterable(texts.items()):
        encoded += b"\x79" + len(text.encode()).to_bytes(2) + text.encode()
    return encoded


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)
