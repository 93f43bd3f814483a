"""Credentials of an identity pool go only to whom AWS gives them.

- An identity that does not exist has none.
- One without a login has some only when the pool allows it; one with a login must show a valid one.
- A Cognito token is accepted with its own signature, issuer, audience, identity and expiry, and with no other.
- The role is the pool's for that kind of identity, its trust policy must let Cognito assume it, and a principal tag in
  the token becomes a session tag.

AWS: https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html,
https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html,
https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html
"""

import json
import time
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cognito, iam, sts

from paygo_cloud.gaps.developer_identities import COGNITO, TAGS_CLAIM, Request, Response


def install() -> None:
    """Check before MiniStack answers, and finish the session it registers."""
    original_get_id = cognito._get_id
    original_credentials = cognito._get_credentials_for_identity
    original_open_id_token = cognito._get_open_id_token
    original_logins_error = cognito._identity_logins_error
    original_link = cognito._link_logins
    original_fields = cognito._identity_login_fields

    def get_id(request: Request) -> Response:
        pool = cognito._identity_pools.get(request.get("IdentityPoolId"))
        if pool is not None and not request.get("Logins") and not pool["AllowUnauthenticatedIdentities"]:
            return _refuse_unauthenticated()
        answer: Response = original_get_id(request)
        return answer

    def credentials(request: Request) -> Response:
        identity_id, logins = request.get("IdentityId"), request.get("Logins") or {}
        pool = _pool_of(identity_id)
        if pool is None:
            return _error("ResourceNotFoundException", f"Identity '{identity_id}' not found.")
        refused: Response | None = original_or_ours(pool, identity_id, logins)
        if refused is not None:
            return refused
        if not logins and not pool["AllowUnauthenticatedIdentities"]:
            return _refuse_unauthenticated()
        tags = _principal_tags(logins)
        if not _may_assume(pool, identity_id, logins, tags):
            return _error(
                "InvalidIdentityPoolConfigurationException",
                "Invalid identity pool configuration. Check assigned IAM roles for this pool.",
            )
        answer: Response = original_credentials(request)
        _finish_session(answer, tags)
        return answer

    def open_id_token(request: Request) -> Response:
        if COGNITO in (request.get("Logins") or {}):
            return _error("NotAuthorizedException", "Token is not from a supported provider of this identity pool.")
        pool = _pool_of(request.get("IdentityId"))
        if pool is not None and not request.get("Logins") and not pool["AllowUnauthenticatedIdentities"]:
            return _refuse_unauthenticated()
        answer: Response = original_open_id_token(request)
        return answer

    def original_or_ours(pool: dict[str, Any], identity_id: str | None, logins: Any) -> Response | None:
        if not isinstance(logins, dict) or COGNITO not in logins:
            return original_logins_error(pool, identity_id, logins)  # type: ignore[no-any-return]
        problem = _token_problem(pool, identity_id, logins[COGNITO])
        if problem:
            return _error("NotAuthorizedException", problem)
        others = {provider: token for provider, token in logins.items() if provider != COGNITO}
        return original_logins_error(pool, identity_id, others) if others else None

    def link(pool: dict[str, Any], identity_id: str | None, logins: dict[str, str]) -> Any:
        # The developer login is linked when its token is made; the token itself is no login to remember.
        return original_link(pool, identity_id, {key: each for key, each in logins.items() if key != COGNITO})

    def login_fields(logins: dict[str, str]) -> tuple[list[str], list[str]]:
        others = {provider: token for provider, token in logins.items() if provider != COGNITO}
        amr, providers = original_fields(others)
        if COGNITO in logins:
            claims = cognito._token_claims(logins[COGNITO])
            amr = [*claims["amr"], *amr[1:]]
            providers = [",".join(claims["amr"][1:]), *providers]
        return amr, providers

    cognito._get_id = get_id
    cognito._get_credentials_for_identity = credentials
    cognito._get_open_id_token = open_id_token
    cognito._identity_logins_error = original_or_ours
    cognito._link_logins = link
    cognito._identity_login_fields = login_fields


def _error(code: str, message: str) -> Response:
    answer: Response = cognito.error_response_json(code, message, 400)
    return answer


def _refuse_unauthenticated() -> Response:
    return _error("NotAuthorizedException", "Unauthenticated access is not supported for this identity pool.")


def _pool_of(identity_id: str | None) -> dict[str, Any] | None:
    pools = cognito._identity_pools.values()
    return next((pool for pool in pools if identity_id in pool["_identities"]), None)


def _token_problem(pool: dict[str, Any], identity_id: str | None, token: Any) -> str | None:
    claims = cognito._token_claims(token)
    if not claims or token.count(".") != 2:
        return "Invalid login token. Not a valid OpenId Connect identity token."
    if claims.get("iss") != f"https://{COGNITO}":
        return "Invalid login token. Issuer doesn't match providerName"
    if not cognito._signature_valid(token):
        return "Invalid login token. Token signature invalid."
    if claims.get("aud") != pool["IdentityPoolId"]:
        return "Invalid login token. Incorrect token audience."
    if claims.get("exp", 0) <= time.time():
        return f"Invalid login token. Token expired: {int(time.time())} >= {claims.get('exp')}"
    if claims.get("sub") != identity_id or "authenticated" not in claims.get("amr", []):
        return "Logins don't match. Please include at least one valid login for this identity or identity pool."
    linked = (pool["_identities"].get(identity_id) or {}).get("_developer_users", [])
    if not any(str(claims["amr"][-1]).endswith(f":{user}") for user in linked):
        return "Logins don't match. Please include at least one valid login for this identity or identity pool."
    return None


def _principal_tags(logins: dict[str, str]) -> dict[str, str]:
    claims = cognito._token_claims(logins.get(COGNITO, ""))
    tags = (claims.get(TAGS_CLAIM) or {}).get("principal_tags") or {}
    return {key: values[0] for key, values in tags.items()}


def _may_assume(pool: dict[str, Any], identity_id: str | None, logins: dict[str, str], tags: dict[str, str]) -> bool:
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
    return not tags or _may_tag(trust)


def _may_tag(trust: Any) -> bool:
    statements = (json.loads(trust) if isinstance(trust, str) else trust).get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        actions = statement.get("Action", [])
        named = [actions] if isinstance(actions, str) else actions
        if statement.get("Effect") == "Allow" and "sts:TagSession" in named:
            return True
    return False


def _finish_session(answer: Response, tags: dict[str, str]) -> None:
    if answer[0] == 200 and tags:
        session = sts._sessions[json.loads(answer[2])["Credentials"]["AccessKeyId"]]
        session["SessionTags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
