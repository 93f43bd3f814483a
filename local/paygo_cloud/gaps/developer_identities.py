"""Developer-authenticated identities: their tokens, looking them up, unlinking and deleting them.

A token is signed, names its identity, pool and developer user, and expires; what accepts it is in
``identity_credentials``.

AWS: https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetOpenIdTokenForDeveloperIdentity.html,
API_LookupDeveloperIdentity.html, API_UnlinkDeveloperIdentity.html and API_DeleteIdentities.html beside it.
"""

import time
from typing import TYPE_CHECKING, Any

from ministack.services import cognito

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

type Request = dict[str, Any]
type Response = tuple[int, dict[str, str], bytes]

COGNITO = "cognito-identity.amazonaws.com"
TAGS_CLAIM = "https://aws.amazon.com/tags"
_DEFAULT_SECONDS, _MAX_SECONDS = 15 * 60, 24 * 60 * 60
_MAX_DELETED = 60


def install() -> None:
    """Answer the operations before MiniStack refuses or ignores them."""
    operations: dict[str, Callable[[Request], Response]] = {
        "DeleteIdentities": _delete,
        "GetOpenIdTokenForDeveloperIdentity": _token,
        "LookupDeveloperIdentity": _look_up,
        "UnlinkDeveloperIdentity": _unlink,
    }
    original: Callable[[str, Request], Awaitable[Response]] = cognito._dispatch_identity

    async def dispatch(action: str, request: Request) -> Response:
        if action in operations:
            try:
                return operations[action](request)
            except _RefusedError as refused:
                return _error(*refused.args)
        return await original(action, request)

    cognito._dispatch_identity = dispatch


class _RefusedError(Exception):
    """The error code and message an operation answers."""


def _error(code: str, message: str) -> Response:
    answer: Response = cognito.error_response_json(code, message, 400)
    return answer


def _answer(body: dict[str, Any]) -> Response:
    answer: Response = cognito.json_response(body)
    return answer


def _token(request: Request) -> Response:
    pool = _pool(request)
    provider, user = _developer_login(pool, request.get("Logins") or {})
    seconds = int(request.get("TokenDuration") or _DEFAULT_SECONDS)
    if not 1 <= seconds <= _MAX_SECONDS:
        raise _RefusedError("InvalidParameterException", "Please provide a valid tokenDuration.")
    identity = _identity_for(pool, provider, user, request.get("IdentityId"))
    now = int(time.time())
    claims: dict[str, Any] = {
        "sub": identity["IdentityId"],
        "aud": pool["IdentityPoolId"],
        "amr": ["authenticated", provider, f"{provider}:{pool['IdentityPoolId']}:{user}"],
        "iss": f"https://{COGNITO}",
        "iat": now,
        "exp": now + seconds,
    }
    if request.get("PrincipalTags"):
        tags = {key: [value] for key, value in request["PrincipalTags"].items()}
        claims[TAGS_CLAIM] = {"principal_tags": tags}
    return _answer({"IdentityId": identity["IdentityId"], "Token": cognito._signed_jwt(claims)})


def _developer_login(pool: dict[str, Any], logins: dict[str, str]) -> tuple[str, str]:
    provider = pool.get("DeveloperProviderName")
    if not provider or provider not in logins:
        raise _RefusedError("NotAuthorizedException", "Token is not from a supported provider of this identity pool.")
    return provider, logins[provider]


def _identity_for(pool: dict[str, Any], provider: str, user: str, wanted: str | None) -> dict[str, Any]:
    identities = pool["_identities"]
    if wanted is not None and wanted not in identities:
        raise _RefusedError("ResourceNotFoundException", f"Identity '{wanted}' not found.")
    owner = _owner(pool, user)
    if owner is not None and wanted not in (None, owner):
        raise _RefusedError(
            "DeveloperUserAlreadyRegisteredException",
            "The provided developer user identifier is already registered with Cognito under a different identity ID.",
        )
    identity_id = wanted or owner or cognito._identity_id(pool["IdentityPoolId"])
    now = cognito._now_epoch()
    identity = identities.setdefault(
        identity_id, {"IdentityId": identity_id, "Logins": {}, "CreationDate": now, "LastModifiedDate": now}
    )
    if owner is None:
        identity.setdefault("_developer_users", []).append(user)
        identity["Logins"] = {**(identity.get("Logins") or {}), provider: user}
        identity["LastModifiedDate"] = now
    return identity  # type: ignore[no-any-return]


def _look_up(request: Request) -> Response:
    pool = _pool(request)
    identity_id, user = request.get("IdentityId"), request.get("DeveloperUserIdentifier")
    if not identity_id and not user:
        raise _RefusedError("InvalidParameterException", "Either IdentityId or DeveloperUserIdentifier must be given.")
    owner = _owner(pool, user) if user else identity_id
    users = (pool["_identities"].get(owner) or {}).get("_developer_users") or []
    if not users:
        raise _RefusedError("ResourceNotFoundException", "No developer identity was found.")
    if identity_id and owner != identity_id:
        raise _RefusedError("ResourceConflictException", "The developer user belongs to another identity.")
    return _answer({"IdentityId": owner, "DeveloperUserIdentifierList": users})


def _unlink(request: Request) -> Response:
    pool = _pool(request)
    user, identity_id = request.get("DeveloperUserIdentifier"), request.get("IdentityId")
    identity = pool["_identities"].get(identity_id)
    if identity is None or user not in identity.get("_developer_users", []):
        raise _RefusedError("ResourceNotFoundException", "No developer identity was found.")
    identity["_developer_users"].remove(user)
    if not identity["_developer_users"]:
        identity["Logins"].pop(pool["DeveloperProviderName"], None)
    identity["LastModifiedDate"] = cognito._now_epoch()
    return _answer({})


def _delete(request: Request) -> Response:
    doomed = request.get("IdentityIdsToDelete") or []
    if not 1 <= len(doomed) <= _MAX_DELETED:
        raise _RefusedError("InvalidParameterException", "IdentityIdsToDelete must have 1 to 60 members.")
    for identity_id in doomed:
        for pool in cognito._identity_pools.values():
            pool["_identities"].pop(identity_id, None)
    return _answer({"UnprocessedIdentityIds": []})


def _pool(request: Request) -> dict[str, Any]:
    pool_id = request.get("IdentityPoolId")
    pool: dict[str, Any] | None = cognito._identity_pools.get(pool_id)
    if pool is None:
        raise _RefusedError("ResourceNotFoundException", f"IdentityPool '{pool_id}' not found.")
    return pool


def _owner(pool: dict[str, Any], user: str) -> str | None:
    return next((key for key, each in pool["_identities"].items() if user in each.get("_developer_users", [])), None)
