"""The service's collaborators, made once in each environment."""

import json
from functools import cache
from typing import TYPE_CHECKING

import boto3

from identity.repository import RegistrationTable
from identity.sessions_table import SessionTable
from paygo.composition import nonces, own_table, sessions_table
from paygo.config import CLIENT_CONFIG, setting
from paygo.security import Kind

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from identity.gateways.bank import HttpBank
    from identity.gateways.bureau import HttpBureau
    from identity.gateways.credentials import CognitoCredentials
    from identity.gateways.id_tokens import IdTokenVerifier
    from identity.gateways.users import UserPool
    from identity.gateways.verifier import KmsKeys, TokenVerifier
    from identity.tokens import TokenMaker
    from identity.usecases.authorizing import Routes
    from identity.usecases.sessions import Makers
    from paygo.mail import SesPost

RESULTS_PATH = "/partners/identity-bureau/results"
"""Where the bureau answers; the contract has the same path."""


@cache
def sessions() -> SessionTable:
    """Return the sessions."""
    return SessionTable(sessions_table(), own_table(), nonces())


@cache
def registrations() -> RegistrationTable:
    """Return the registrations."""
    return RegistrationTable(own_table(), sessions_table())


@cache
def credentials() -> "CognitoCredentials":
    """Return the maker of credentials."""
    from identity.gateways.credentials import CognitoCredentials

    client = boto3.client("cognito-identity", config=CLIENT_CONFIG)
    return CognitoCredentials(client, setting("IDENTITY_POOL_ID"), setting("DEVELOPER_PROVIDER"))


@cache
def makers() -> "Makers":
    """Return what makes credentials and bearer tokens."""
    from identity.usecases.sessions import Makers

    return Makers(credentials(), tokens())


@cache
def users() -> "UserPool":
    """Return the user pool."""
    from identity.gateways.users import UserPool

    return UserPool(boto3.client("cognito-idp", config=CLIENT_CONFIG), setting("USER_POOL_ID"))


@cache
def bureau() -> "HttpBureau":
    """Return the identity bureau."""
    # Imported here because only the bureau's function should pay for it in a cold start.
    from identity.gateways.bureau import HttpBureau
    from paygo.partners import api_key, partner

    return HttpBureau(partner("identity-bureau", api_key), setting("API_URL") + RESULTS_PATH)


@cache
def bank(name: str = "bank") -> "HttpBank":
    """Return a partner that vouches for its customers."""
    from identity.gateways.bank import HttpBank
    from paygo.partners import bearer, partner

    return HttpBank(partner(name, bearer))


@cache
def post() -> "SesPost":
    """Return what sends messages."""
    from paygo.mail import SesPost

    return SesPost(boto3.client("sesv2", config=CLIENT_CONFIG), setting("MAIL_SENDER"))


@cache
def kms() -> "KMSClient":
    """Return the client of the keys that sign tokens."""
    return boto3.client("kms", config=CLIENT_CONFIG)


@cache
def tokens() -> "TokenMaker":
    """Return what makes bearer tokens: they are signed with the first of the keys."""
    from identity.gateways.tokens import KmsSigner
    from identity.tokens import TokenMaker

    return TokenMaker(
        KmsSigner(kms(), _token_keys()[0]),
        issuer=setting("API_URL"),
        audience=setting("STACK"),
        scopes={Kind(kind): scopes for kind, scopes in json.loads(setting("SCOPES")).items()},
    )


@cache
def token_keys() -> "KmsKeys":
    """Return the keys by which tokens are verified: all of them."""
    from identity.gateways.verifier import KmsKeys

    return KmsKeys(kms(), _token_keys())


@cache
def token_verifier() -> "TokenVerifier":
    """Return who knows our tokens."""
    from identity.gateways.verifier import TokenVerifier

    return TokenVerifier(token_keys(), issuer=setting("API_URL"), audience=setting("STACK"))


@cache
def id_tokens() -> "IdTokenVerifier":
    """Return who knows the user pool's ID tokens."""
    # Only functions with the layer `tokens` can import it.
    from identity.gateways.id_tokens import IdTokenVerifier

    client = boto3.client("cognito-idp", config=CLIENT_CONFIG)
    return IdTokenVerifier.of_pool(client, setting("USER_POOL_ID"), setting("USER_POOL_CLIENT_ID"))


def scope_routes() -> "Routes":
    """Return which routes each scope opens, for each kind of caller."""
    return {Kind(kind): scopes for kind, scopes in json.loads(setting("SCOPE_ROUTES")).items()}


def _token_keys() -> list[str]:
    keys: list[str] = json.loads(setting("TOKEN_KEYS"))
    return keys
