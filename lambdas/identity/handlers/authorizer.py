"""The authorizer of the routes below `/bearer`.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from identity import composition
from identity.usecases.authorizing import Grant, TokenRefused, authorize
from paygo.audit import Origin
from paygo.composition import callers
from paygo.correlation import follow
from paygo.refusals import tell_refusal

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

VERIFIER = composition.token_verifier()
CALLERS = callers()
ROUTES = composition.scope_routes()

_BEARER = re.compile(r"Bearer ([-0-9A-Za-z_.]+)")
"""https://www.rfc-editor.org/rfc/rfc6750#section-2.1, as far as tokens of ours go."""


def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Return the policy of a token; API Gateway remembers it for a minute."""
    asking = event["requestContext"]
    follow(asking["requestId"], context)
    now = datetime.now(UTC)
    api, method, route = _asked(event["methodArn"])
    headers = {name.lower(): value for name, value in event["headers"].items()}
    try:
        grant = authorize(VERIFIER, CALLERS, ROUTES, _token(headers["authorization"]), now)
    except TokenRefused as refused:
        known = refused.caller
        tell_refusal(
            refused.reason,
            method=method,
            route=route,
            caller={"identity_hash": known.identity_hash, "session_id": known.session_id} if known else {},
            origin=Origin(source_ip=asking["identity"]["sourceIp"], user_agent=headers.get("user-agent")),
            request_id=asking["requestId"],
            time=now,
        )
        # These very words make API Gateway answer 401.
        raise Exception("Unauthorized") from None
    return _answer(grant, api)


def _token(authorization: str) -> str:
    bearer = _BEARER.fullmatch(authorization)
    if bearer is None:
        raise TokenRefused("token-malformed")
    return bearer[1]


def _asked(method_arn: str) -> tuple[str, str, str]:
    """Return the API's stage as an ARN, the method and the path."""
    api, stage, method, *path = method_arn.split("/")
    return f"{api}/{stage}", method, "/" + "/".join(path)


def _answer(grant: Grant, api: str) -> dict[str, Any]:
    effects = {"Allow": grant.allowed, "Deny": grant.denied}
    return {
        "principalId": grant.session.session_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": effect, "Action": "execute-api:Invoke", "Resource": [f"{api}/{route}" for route in routes]}
                for effect, routes in effects.items()
                if routes
            ],
        },
        "context": {
            "identity_hash": grant.caller.identity_hash,
            "session_id": grant.session.session_id,
            "kind": grant.caller.kind.value,
            "scope": " ".join(sorted(grant.caller.scopes or ())),
        },
    }
