"""A developer identity's token is accepted with its own signature, issuer, audience, identity and expiry, and no other.

MiniStack takes any string for a login of ``cognito-identity.amazonaws.com``.

AWS: https://docs.aws.amazon.com/cognito/latest/developerguide/developer-authenticated-identities.html,
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html
"""

import time
from typing import Any

from ministack.services import cognito

from paygo_cloud.gaps.developer_identities import COGNITO, Response

_MISMATCH = "Logins don't match. Please include at least one valid login for this identity or identity pool."


def install() -> None:
    """Check such a login apart from the others, and say what it is instead of what its claims happen to look like."""
    original_error = cognito._identity_logins_error
    original_link = cognito._link_logins
    original_fields = cognito._identity_login_fields

    def logins_error(pool: dict[str, Any], identity_id: str | None, logins: Any) -> Response | None:
        if not isinstance(logins, dict) or COGNITO not in logins:
            return original_error(pool, identity_id, logins)  # type: ignore[no-any-return]
        problem = _problem(pool, identity_id, logins[COGNITO])
        if problem:
            return cognito.error_response_json("NotAuthorizedException", problem, 400)  # type: ignore[no-any-return]
        others = _without_ours(logins)
        return original_error(pool, identity_id, others) if others else None

    def link(pool: dict[str, Any], identity_id: str | None, logins: dict[str, str]) -> Any:
        # The developer user is linked when the token is made; the token itself is no login to remember.
        return original_link(pool, identity_id, _without_ours(logins))

    def login_fields(logins: dict[str, str]) -> tuple[list[str], list[str]]:
        amr, providers = original_fields(_without_ours(logins))
        if COGNITO in logins:
            ours = cognito._token_claims(logins[COGNITO])["amr"]
            amr, providers = [*ours, *amr[1:]], [",".join(ours[1:]), *providers]
        return amr, providers

    cognito._identity_logins_error = logins_error
    cognito._link_logins = link
    cognito._identity_login_fields = login_fields


def _without_ours(logins: dict[str, str]) -> dict[str, str]:
    return {provider: token for provider, token in logins.items() if provider != COGNITO}


def _problem(pool: dict[str, Any], identity_id: str | None, token: Any) -> str | None:
    claims = cognito._token_claims(token)
    users = (pool["_identities"].get(identity_id) or {}).get("_developer_users", [])
    prefix = f"{pool['DeveloperProviderName']}:{pool['IdentityPoolId']}:"
    named = str((claims.get("amr") or [""])[-1]).removeprefix(prefix)
    checks = (
        (bool(claims) and token.count(".") == 2, "Invalid login token. Not a valid OpenId Connect identity token."),
        (claims.get("iss") == f"https://{COGNITO}", "Invalid login token. Issuer doesn't match providerName"),
        (bool(claims) and cognito._signature_valid(token), "Invalid login token. Token signature invalid."),
        (claims.get("aud") == pool["IdentityPoolId"], "Invalid login token. Incorrect token audience."),
        (claims.get("exp", 0) > time.time(), f"Invalid login token. Token expired: {claims.get('exp')}"),
        (claims.get("sub") == identity_id, _MISMATCH),
        (named in users, _MISMATCH),
    )
    return next((message for is_right, message in checks if not is_right), None)
