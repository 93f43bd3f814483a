"""Signing by KMS, which never hands out the private key."""

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from identity.tokens import Claims


ALGORITHM = "RS256"
TYPE = "at+jwt"


class KmsSigner:
    """Signs JSON Web Tokens with one asymmetric key (RS256, RFC 7518)."""

    def __init__(self, client: "KMSClient", key_arn: str) -> None:
        self._client = client
        self._key_arn = key_arn

    def sign(self, claims: "Claims") -> str:
        """Return the claims as a signed access token (RFC 9068)."""
        signed = f"{_part({'alg': ALGORITHM, 'typ': TYPE, 'kid': key_id(self._key_arn)})}.{_part(claims)}"
        made = self._client.sign(
            KeyId=self._key_arn,
            Message=signed.encode(),
            MessageType="RAW",
            SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
        )
        return f"{signed}.{_encoded(made['Signature'])}"


def key_id(arn: str) -> str:
    """Return the id of the key, which is its `kid` in tokens and among the published keys."""
    return arn.rpartition("/")[2]


def _part(value: "Claims") -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
