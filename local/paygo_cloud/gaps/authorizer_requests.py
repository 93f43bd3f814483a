"""An authorizer of the type REQUEST is told the id of the request, the one that a refusal is answered with.

AWS: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
"""

from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway_v1 as v1

_request_id: ContextVar[str] = ContextVar("request_id")


def install() -> None:
    """Hand the id from the request to its authorizer's event."""
    execute, invoke = v1._execute_in_scope, v1._invoke_authorizer_lambda

    async def executed(request: dict[str, Any], *more: Any) -> Any:
        _request_id.set(request["request_id"])
        return await execute(request, *more)

    async def invoked(authorizer: Any, event: dict[str, Any], *more: Any) -> Any:
        if "requestContext" in event:
            event["requestContext"]["requestId"] = _request_id.get()
        return await invoke(authorizer, event, *more)

    v1._execute_in_scope = executed
    v1._invoke_authorizer_lambda = invoked
