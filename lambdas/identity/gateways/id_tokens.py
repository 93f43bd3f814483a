"""Verifying the user pool's ID tokens.

Only functions with the layer `tokens` can import this module: the others have no cryptography.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

import jwt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from identity.gateways.verifier import CLOCKS_APART, REREAD_AFTER, verified
from identity.usecases.signing_in import IdTokenRefused, PoolSignIn

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

UNKNOWN_AFTER = timedelta(minutes=1)
"""How long a key that is not known is not asked for: whoever makes up names must not make us ask for each."""

_TIMEOUT_SECONDS = 3


class _IdClaims(BaseModel):
    """What a user pool's ID token says, of which we need little."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    username: str = Field(alias="cognito:username")
    use: str = Field(alias="token_use")
    signed_in_at: AwareDatetime = Field(alias="auth_time")
    issued_at: AwareDatetime = Field(alias="iat")
    expires_at: AwareDatetime = Field(alias="exp")


class IdTokenVerifier:
    """Verifies the ID tokens that a user pool gives its one app client.

    https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
    """

    def __init__(self, keys_url: str, *, issuer: str, client_id: str) -> None:
        self._keys = jwt.PyJWKClient(
            keys_url,
            lifespan=REREAD_AFTER.total_seconds(),
            cooldown_duration=UNKNOWN_AFTER.total_seconds(),
            timeout=_TIMEOUT_SECONDS,
        )
        self._issuer = issuer
        self._client_id = client_id

    @classmethod
    def of_pool(cls, client: "CognitoIdentityProviderClient", pool_id: str, client_id: str) -> Self:
        """Return the verifier of the pool's tokens."""
        issuer = f"https://cognito-idp.{client.meta.region_name}.amazonaws.com/{pool_id}"
        return cls(f"{client.meta.endpoint_url}/{pool_id}/.well-known/jwks.json", issuer=issuer, client_id=client_id)

    def sign_in(self, id_token: str, now: datetime) -> PoolSignIn:
        """Return what the token shows.

        Raises
        ------
        IdTokenRefused
            When the token is not the pool's for this app, or not any more.
        """
        try:
            key = self._keys.get_signing_key_from_jwt(id_token)
            claims = _IdClaims.model_validate(verified(id_token, key, audience=self._client_id, issuer=self._issuer))
        except jwt.PyJWKClientConnectionError:
            raise
        except (jwt.InvalidTokenError, jwt.PyJWKClientError, ValidationError) as error:
            raise IdTokenRefused from error
        if claims.use != "id" or not claims.issued_at - CLOCKS_APART <= now < claims.expires_at:
            raise IdTokenRefused
        return PoolSignIn(claims.username, claims.signed_in_at)
