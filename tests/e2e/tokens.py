"""Bearer tokens as a forger makes them, and as nobody but the deployer can."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

type Part = Mapping[str, Any]


def encoded(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, Any]:
    """Return what a part of a token says."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a token's header and claims, whoever signed them."""
    header, claims, _ = token.split(".")
    return decoded(header), decoded(claims)


def unsigned(header: Part, claims: Part) -> str:
    """Return the text that a signature covers."""
    return ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


def signed_by_kms(kms: Any, header: Part, claims: Part, *, key: str | None = None) -> str:
    """Return a token that is signed with the stack's own key, as its deployer may."""
    text = unsigned(header, claims)
    made = kms.sign(
        KeyId=key or header["kid"],
        Message=text.encode(),
        MessageType="RAW",
        SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
    )
    return f"{text}.{encoded(made['Signature'])}"


def signed_by_secret(header: Part, claims: Part, secret: bytes) -> str:
    """Return a token that is signed with HMAC-SHA256."""
    text = unsigned(header, claims)
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def new_key() -> RSAPrivateKey:
    """Return a forger's own key."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def signed_by(key: RSAPrivateKey, header: Part, claims: Part) -> str:
    """Return a token that is signed with a key of the forger's own."""
    text = unsigned(header, claims)
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def as_jwk(key: RSAPrivateKey) -> dict[str, str]:
    """Return the public half as a JSON Web Key."""
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}


def public_key(jwk: Part) -> RSAPublicKey:
    """Return the key that a stack publishes."""
    n, e = (int.from_bytes(base64.urlsafe_b64decode(jwk[part] + "==")) for part in ("n", "e"))
    return rsa.RSAPublicNumbers(e, n).public_key()


def as_secrets(key: RSAPublicKey, jwk: Part) -> dict[str, bytes]:
    """Return what a verifier might take for the secret when it is talked into HMAC."""
    spki, pkcs1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    return {
        "PEM": key.public_bytes(pem, spki),
        "PEM without its last line feed": key.public_bytes(pem, spki).rstrip(),
        "PKCS#1 PEM": key.public_bytes(pem, pkcs1),
        "DER": key.public_bytes(der, spki),
        "modulus": jwk["n"].encode(),
        "JWK": json.dumps(jwk, separators=(",", ":")).encode(),
        "nothing": b"",
    }


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8))
