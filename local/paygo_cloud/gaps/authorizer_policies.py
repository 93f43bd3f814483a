"""A statement of an authorizer's policy counts for the action that it names, which has to be that of invoking.

AWS: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
"""

from fnmatch import fnmatchcase
from typing import Any

from ministack.services import apigateway_v1 as v1

INVOKE = "execute-api:Invoke"


def install() -> None:
    """Leave out the statements of other actions."""
    original = v1._evaluate_policy

    def evaluate(document: Any, method_arn: str) -> Any:
        if isinstance(document, dict):
            statements = document.get("Statement") or []
            statements = statements if isinstance(statements, list) else [statements]
            document = document | {"Statement": [one for one in statements if _is_about_invoking(one)]}
        return original(document, method_arn)

    v1._evaluate_policy = evaluate


def _is_about_invoking(statement: Any) -> bool:
    actions = statement.get("Action", []) if isinstance(statement, dict) else []
    named = [actions] if isinstance(actions, str) else actions
    return any(fnmatchcase(INVOKE.lower(), action.lower()) for action in named)
