"""API Gateway asks an authorizer's function only if that lets it, and calls an API without that right misconfigured.

AWS: https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from fnmatch import fnmatchcase
from typing import Any

from ministack.services import apigateway_v1 as v1
from ministack.services import lambda_svc

INVOKER = {"Service": "apigateway.amazonaws.com"}


def install() -> None:
    """Look for the permission before the function is invoked."""
    original = v1._invoke_authorizer_lambda

    async def invoke(authorizer: dict[str, Any], event: dict[str, Any], account_id: str, region: str) -> Any:
        if not authorizer.get("authorizerCredentials") and not _is_allowed(authorizer, event, account_id, region):
            return None  # as if it could not be reached
        return await original(authorizer, event, account_id, region)

    v1._invoke_authorizer_lambda = invoke


def _is_allowed(authorizer: dict[str, Any], event: dict[str, Any], account_id: str, region: str) -> bool:
    function = v1._extract_lambda_ref_from_integration_uri(authorizer.get("authorizerUri", ""))
    # The function keeps the permissions of its versions and aliases, each of which names its resource.
    name = ":".join(function.split(":")[:7])
    record, *_ = lambda_svc._get_func_record_for_ref_in_scope(name, account_id=account_id, region=region)
    api_id = event["methodArn"].split(":")[5].partition("/")[0]
    source = f"arn:aws:execute-api:{region}:{account_id}:{api_id}/authorizers/{authorizer['id']}"
    return any(
        statement["Principal"] == INVOKER
        and statement["Action"] in {"lambda:InvokeFunction", "lambda:*"}
        and statement["Resource"] == function
        and fnmatchcase(source, statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "*"))
        for statement in (record or {}).get("policy", {}).get("Statement", [])
    )
