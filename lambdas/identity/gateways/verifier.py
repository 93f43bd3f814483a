"""Verifying our own tokens, which KMS signs.

Only functions with the layer `tokens` can import this module: the others have no cryptography.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jwt.algorithms import RSAAlgorithm
from pydantic import ValidationError

from identity.gateways.tokens import ALGORITHM, TYPE, key_id
from identity.usecases.authorizing import Claims, TokenRefused

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

REREAD_AFTER = timedelta(minutes=5)
"""For how long public keys are used without asking for them again."""

CLOCKS_APART = timedelta(minutes=1)
"""How far ahead of ours the clock may be by which a token was issued."""


class KmsKeys:
    """The public halves of the keys that sign tokens.

    A key that was disabled, waits for its deletion or is deleted is none any more: KMS does not give its public half
    either. So a stack that was told of a key which its account has since removed goes on with the others.
    """

    def __init__(self, client: "KMSClient", arns: Sequence[str]) -> None:
        self._client = client
        self._arns = tuple(arns)
        self._known: Mapping[str, RSAPublicKey] = {}
        self._read_at: datetime | None = None

    def by_id(self, now: datetime) -> Mapping[str, RSAPublicKey]:
        """Return the keys by their ids, in the order in which they are configured."""
        if self._read_at is None or self._read_at + REREAD_AFTER <= now:
            self._known = {key_id(arn): key for arn in self._arns if (key := self._read(arn))}
            self._read_at = now
        return self._known

    def numbers(self, now: datetime) -> Mapping[str, tuple[str, str]]:
        """Return the keys' moduli and exponents by their ids, as JSON Web Keys have them (RFC 7518)."""
        published = {kid: RSAAlgorithm.to_jwk(key, as_dict=True) for kid, key in self.by_id(now).items()}
        return {kid: (jwk["n"], jwk["e"]) for kid, jwk in published.items()}

    def _read(self, arn: str) -> RSAPublicKey | None:
        kinds = self._client.exceptions
        unusable = (kinds.DisabledException, kinds.KMSInvalidStateException, kinds.NotFoundException)
        try:
            read = load_der_public_key(self._client.get_public_key(KeyId=arn)["PublicKey"])
        except unusable:
            return None
        if not isinstance(read, RSAPublicKey):
            message = f"The key {arn} does not sign with {ALGORITHM}: TOKEN_KEYS names RSA keys."
            raise TypeError(message)
        return read


class TokenVerifier:
    """Verifies the tokens of this stack's sessions."""

    def __init__(self, keys: KmsKeys, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def verify(self, token: str, now: datetime) -> Claims:
        """Return what the token says.

        Raises
        ------
        TokenRefused
            When it is not ours, not for this stack or not any more.
        """
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.by_id(now).get(header.get("kid", ""))
            if header.get("typ") != TYPE:
                raise TokenRefused("token-of-another-type")
            if key is None:
                raise TokenRefused("token-of-an-unknown-key")
            claims = Claims.model_validate(verified(token, key, audience=self._audience, issuer=self._issuer))
        except (jwt.InvalidTokenError, ValidationError) as error:
            raise TokenRefused("token-invalid") from error
        if not claims.issued_at - CLOCKS_APART <= now < claims.expires_at:
            raise TokenRefused("token-expired", claims.caller())
        return claims


def verified(token: str, key: RSAPublicKey | jwt.PyJWK, *, audience: str, issuer: str) -> dict[str, Any]:
    """Return what the token says, which the key has signed for the audience; its times are the caller's to compare."""
    return jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        audience=audience,
        issuer=issuer,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
