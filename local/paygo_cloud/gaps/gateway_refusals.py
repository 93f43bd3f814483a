"""A caller whom IAM refuses a REST API's route is answered by the API's own ACCESS_DENIED gateway response.

AWS: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from typing import Any

from ministack import app
from ministack.core.iam_evaluator import AuthError
from ministack.services import apigateway_v1 as v1

DENIED = "AccessDeniedException"


def install() -> None:
    """Answer IAM's refusals as those of a signature are answered."""
    original = app._enforce_execute_api
    v1._AUTHENTICATION_GATEWAY_ERRORS[DENIED] = ("ACCESS_DENIED", DENIED)

    def enforce(*call: Any, **more: Any) -> Any:
        refused = original(*call, **more)
        if refused is None or not _is_denial(refused):
            return refused
        api_id, stage, _method, _path, headers, query = call[:6]
        error = AuthError(DENIED, "User is not authorized to access this resource")
        return v1.authentication_error_response(api_id, stage, error, headers, query) or refused

    app._enforce_execute_api = enforce


def _is_denial(answer: Any) -> bool:
    headers = {name.lower(): str(value) for name, value in answer[1].items()}
    return answer[0] == 403 and headers.get("x-amzn-errortype", "").startswith(DENIED)
