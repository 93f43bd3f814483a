"""The service's collaborators, made once in each environment."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

from identity.repository import RegistrationTable, SessionTable
from paygo.composition import own_table, sessions_table
from paygo.config import CLIENT_CONFIG, setting

if TYPE_CHECKING:
    from identity.gateways.bureau import HttpBureau
    from identity.gateways.credentials import CognitoCredentials
    from identity.gateways.users import UserPool

RESULTS_PATH = "/partners/identity-bureau/results"
"""Where the bureau answers; the contract has the same path."""


@cache
def sessions() -> SessionTable:
    """Return the sessions."""
    return SessionTable(sessions_table())


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
def users() -> "UserPool":
    """Return the user pool."""
    from identity.gateways.users import UserPool

    return UserPool(boto3.client("cognito-idp", config=CLIENT_CONFIG), setting("USER_POOL_ID"))


@cache
def bureau() -> "HttpBureau":
    """Return the identity bureau."""
    # Imported here because `requests` costs a cold start that only the bureau's function should pay.
    from identity.gateways.bureau import HttpBureau

    return HttpBureau(setting("BUREAU_URL"), setting("BUREAU_SECRET_ARN"), setting("API_URL") + RESULTS_PATH)
