"""Answers, request bodies and idempotency keys of the functions behind the API."""

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paygo.audit import Origin
from paygo.correlation import follow
from paygo.identities import identity_hash
from paygo.problems import CONTENT_TYPE, Place, Problem, invalid_request, not_found, unexpected
from paygo.refusals import tell_refusal
from paygo.storage import InvalidCursor

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient

type Handler = Callable[[dict[str, Any], "LambdaContext"], dict[str, Any]]

IDEMPOTENCY_SECONDS = 24 * 60 * 60
"""How long an answer is remembered under its Idempotency-Key."""
_IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9._:-]{8,128}")

BEARER = "/bearer"
"""What the contract's paths stand below once more, for callers with a bearer token."""

REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
"""The statuses of problems that somebody has to answer for."""

logger = Logger()


class WireModel(BaseModel):
    """A request or an answer of the contract: exactly its fields, nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Paging(WireModel):
    """Which page of a list the caller asks for."""

    model_config = ConfigDict(extra="ignore")

    cursor: Annotated[str | None, Field(max_length=1024)] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


def api() -> APIGatewayRestResolver:
    """Return a resolver on which every exception becomes a problem."""
    app = APIGatewayRestResolver(strip_prefixes=[BEARER])

    def tell(problem: Problem) -> Response[str]:
        if problem.status in REFUSALS:
            _note_refusal(app.current_event, problem.kind)
        return _refusal(app, problem)

    def tell_invalid_cursor(_: InvalidCursor) -> Response[str]:
        return _refusal(app, invalid_request(Place("/cursor", "is not a cursor that this list returned")))

    def tell_unexpected(error: Exception) -> Response[str]:
        logger.exception("A request failed unexpectedly", exc_info=error)
        return _refusal(app, unexpected())

    def tell_no_route(_: Exception) -> Response[str]:
        return _refusal(app, not_found("route"))

    app.exception_handler(Problem)(tell)
    app.exception_handler(InvalidCursor)(tell_invalid_cursor)
    app.exception_handler(Exception)(tell_unexpected)
    app.not_found(tell_no_route)
    return app


def entry_point(app: APIGatewayRestResolver) -> Handler:
    """Return the Lambda handler of `app`: it answers, and logs one line a request."""

    def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
        follow(event["requestContext"]["requestId"], context)
        answered = app.resolve(event, context)
        logger.info("Answered", route=event["resource"], method=event["httpMethod"], status=answered["statusCode"])
        return answered

    return handler


def answer(
    status: HTTPStatus, body: BaseModel | None = None, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """Return an answer of the contract."""
    return Response(
        status_code=int(status),
        content_type="application/json" if body is not None else None,
        body=body.model_dump_json() if body is not None else "",
        headers=dict(headers or {}),
    )


def location(event: "APIGatewayProxyEvent", path: str) -> str:
    """Return the contract's path as this caller reaches it: below `/bearer` when it came that way."""
    return (BEARER if event.resource.startswith(f"{BEARER}/") else "") + path.removeprefix(BEARER)


def origin(event: "APIGatewayProxyEvent") -> Origin:
    """Return where the request came from."""
    identity = event.request_context.identity
    return Origin(source_ip=identity.source_ip, user_agent=identity.user_agent)


def raw_body(event: "APIGatewayProxyEvent") -> bytes:
    """Return the body's bytes as they were sent, which is what a signature covers."""
    body = event.body or ""
    return base64.b64decode(body) if event.is_base64_encoded else body.encode()


def parse[Model: BaseModel](event: "APIGatewayProxyEvent", model: type[Model]) -> Model:
    """Return the request's JSON body as `model`; raise the problem that names each wrong place."""
    try:
        return model.model_validate_json(raw_body(event))
    except ValidationError as error:
        raise invalid_body(error) from error


def paging(event: "APIGatewayProxyEvent") -> Paging:
    """Return the page that the query string asks for."""
    return query(event, Paging)


def query[Model: BaseModel](event: "APIGatewayProxyEvent", model: type[Model]) -> Model:
    """Return the query string as `model`; raise the problem that names each wrong place."""
    try:
        return model.model_validate(event.query_string_parameters)
    except ValidationError as error:
        raise invalid_body(error) from error


def answer_once(
    store: "DynamoDBPersistenceLayer",
    event: "APIGatewayProxyEvent",
    context: "LambdaContext",
    *,
    caller: str,
    intent: Mapping[str, Any],
    work: Callable[[], Response[str]],
) -> Response[str]:
    """Do `work` once for the caller's Idempotency-Key and answer the same ever after.

    Parameters
    ----------
    caller
        Whose key it is: two callers may choose the same one.
    intent
        What the request asks for, without secrets; the same key with another intent is refused.

    Raises
    ------
    Problem
        400 without a key, 409 while the first request is still at work, 422 when the key was used for something else.
    """
    # Imported here because only routes that change something should pay for it in a cold start.
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
    from aws_lambda_powertools.utilities.idempotency.exceptions import (
        IdempotencyAlreadyInProgressError,
        IdempotencyValidationError,
    )

    key = event.headers.get("Idempotency-Key", "")
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        wanted = "make one key of 8 to 128 letters, digits or . _ : - for each intent"
        raise invalid_request(Place("/Idempotency-Key", wanted))
    config = IdempotencyConfig(
        event_key_jmespath="key",
        payload_validation_jmespath="intent",
        expires_after_seconds=IDEMPOTENCY_SECONDS,
        hash_function="sha256",
        lambda_context=context,
    )

    def do(*, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 (powertools reads the key and intent from it)
        done = work()
        return {
            "status": done.status_code,
            "type": done.content_type,
            "body": done.body,
            "headers": done.headers,
        }

    remembered = idempotent_function(do, data_keyword_argument="request", persistence_store=store, config=config)
    # A caller may repeat a request with its token that it signed first: it is the same request.
    route = event.resource.removeprefix(BEARER)
    try:
        done = remembered(request={"key": [caller, event.http_method, route, key], "intent": dict(intent)})
    except IdempotencyAlreadyInProgressError as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "request-in-progress",
            "The first request with this key is still at work",
            "Wait a moment and send the same request again.",
        ) from error
    except IdempotencyValidationError as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "The Idempotency-Key belongs to another request",
            "Make a new key for each intent and keep it for the retries of that one only.",
        ) from error
    headers = {name: location(event, value) if name == "Location" else value for name, value in done["headers"].items()}
    return Response(status_code=done["status"], content_type=done["type"], body=done["body"], headers=headers)


def idempotency_store(table_name: str, client: "DynamoDBClient") -> "DynamoDBPersistenceLayer":
    """Return powertools' store over the stack's table of things that happen once."""
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

    return DynamoDBPersistenceLayer(table_name=table_name, key_attr="pk", expiry_attr="expires_at", boto3_client=client)


def _note_refusal(event: "APIGatewayProxyEvent", reason: str) -> None:
    context, told = event.request_context, event.request_context.authorizer
    signed_by = context.identity.cognito_identity_id
    tell_refusal(
        reason,
        method=event.http_method,
        route=event.resource,
        caller={
            "identity_hash": identity_hash(signed_by) if signed_by else told.get("identity_hash"),
            "session_id": told.get("session_id"),
            "api_key_id": context.identity.api_key_id,
        },
        origin=origin(event),
        request_id=context.request_id,
        time=datetime.now(UTC),
    )


def _refusal(app: APIGatewayRestResolver, problem: Problem) -> Response[str]:
    request_id = app.current_event.request_context.request_id or "unknown"
    return Response(
        status_code=int(problem.status),
        content_type=CONTENT_TYPE,
        body=json.dumps(problem.document(request_id)),
        # https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
        headers={"Retry-After": str(math.ceil(problem.retry_in.total_seconds()))} if problem.retry_in else {},
    )


def invalid_body(error: ValidationError) -> Problem:
    """Return the problem that names each wrong place, by its name on the wire, and repeats nothing of what was sent."""
    return invalid_request(
        *(
            Place("".join(f"/{step}" for step in wrong["loc"]) or "/", wrong["msg"])
            for wrong in error.errors(include_url=False, include_context=False, include_input=False)
        )
    )
