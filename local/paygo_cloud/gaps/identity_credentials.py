"""Credentials of an identity pool go only to whom AWS gives them.

- An identity that does not exist has none; one without a login has some only when the pool allows it.
- The role is the pool's for that kind of identity, and its trust policy must let Cognito assume it.
- The tokens that the classic flow begins with are made only where the pool allows that flow.
- A principal tag in a developer identity's token becomes a session tag.

AWS: https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html,
https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html,
https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html
"""

import json
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cognito, iam, sts

from paygo_cloud.gaps.developer_identities import COGNITO, TAGS_CLAIM, Request, Response


def install() -> None:
    """Check before MiniStack answers, and finish the session it registers."""
    original_get_id = cognito._get_id
    original_open_id_token = cognito._get_open_id_token
    original_credentials = cognito._get_credentials_for_identity

    def get_id(request: Request) -> Response:
        pool = cognito._identity_pools.get(request.get("IdentityPoolId"))
        answer: Response = _anonymous_refusal(pool, request) or original_get_id(request)
        return answer

    def open_id_token(request: Request) -> Response:
        if COGNITO in (request.get("Logins") or {}):
            return _error("NotAuthorizedException", "Token is not from a supported provider of this identity pool.")
        pool = _pool_of(request.get("IdentityId"))
        refused = _anonymous_refusal(pool, request) or _classic_refusal(pool)
        answer: Response = refused or original_open_id_token(request)
        return answer

    def credentials(request: Request) -> Response:
        refused = _credentials_refusal(request)
        if refused is not None:
            return refused
        answer: Response = original_credentials(request)
        tags = _principal_tags(request)
        if answer[0] == 200 and tags:
            session = sts._sessions[json.loads(answer[2])["Credentials"]["AccessKeyId"]]
            session["SessionTags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        return answer

    cognito._get_id = get_id
    cognito._get_open_id_token = open_id_token
    cognito._get_credentials_for_identity = credentials


def _error(code: str, message: str) -> Response:
    answer: Response = cognito.error_response_json(code, message, 400)
    return answer


def _anonymous_refusal(pool: dict[str, Any] | None, request: Request) -> Response | None:
    if pool is None or request.get("Logins") or pool["AllowUnauthenticatedIdentities"]:
        return None
    return _error("NotAuthorizedException", "Unauthenticated access is not supported for this identity pool.")


def _classic_refusal(pool: dict[str, Any] | None) -> Response | None:
    if pool is None or pool.get("AllowClassicFlow"):
        return None
    return _error("InvalidParameterException", "Basic (classic) flow is not enabled, please use enhanced flow.")


def _credentials_refusal(request: Request) -> Response | None:
    identity_id, logins = request.get("IdentityId"), request.get("Logins") or {}
    pool = _pool_of(identity_id)
    if pool is None:
        return _error("ResourceNotFoundException", f"Identity '{identity_id}' not found.")
    refused: Response | None = cognito._identity_logins_error(pool, identity_id, logins)
    if refused is None:
        refused = _anonymous_refusal(pool, request)
    if refused is None and not _may_assume(pool, identity_id, request):
        message = "Invalid identity pool configuration. Check assigned IAM roles for this pool."
        refused = _error("InvalidIdentityPoolConfigurationException", message)
    return refused


def _pool_of(identity_id: str | None) -> dict[str, Any] | None:
    pools = cognito._identity_pools.values()
    return next((pool for pool in pools if identity_id in pool["_identities"]), None)


def _principal_tags(request: Request) -> dict[str, str]:
    claims = cognito._token_claims((request.get("Logins") or {}).get(COGNITO, ""))
    tags = (claims.get(TAGS_CLAIM) or {}).get("principal_tags") or {}
    return {key: values[0] for key, values in tags.items()}


def _may_assume(pool: dict[str, Any], identity_id: str | None, request: Request) -> bool:
    logins = request.get("Logins") or {}
    role_arn = pool["_roles"].get("authenticated" if logins else "unauthenticated", "")
    role = iam._roles.get(role_arn.rpartition("/")[2])
    if role is None:
        return False
    context = iam_evaluator.EvalContext(
        principal_arn=COGNITO,
        principal_type="FederatedUser",
        principal_account=get_account_id(),
        action="sts:AssumeRoleWithWebIdentity",
        resource_arn=role_arn,
        region=get_region(),
        principal_keys={
            f"{COGNITO}:aud": pool["IdentityPoolId"],
            f"{COGNITO}:sub": identity_id,
            f"{COGNITO}:amr": cognito._identity_login_fields(logins)[0],
        },
    )
    trust = role["AssumeRolePolicyDocument"]
    if not iam_evaluator.evaluate_trust_policy(trust, COGNITO, context):
        return False
    return not _principal_tags(request) or _may_tag(trust)


def _may_tag(trust: Any) -> bool:
    statements = (json.loads(trust) if isinstance(trust, str) else trust).get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        actions = statement.get("Action", [])
        named = [actions] if isinstance(actions, str) else actions
        if statement.get("Effect") == "Allow" and "sts:TagSession" in named:
            return True
    return False
