"""The service's collaborators, made once in each environment."""

from functools import cache
from typing import TYPE_CHECKING

import boto3

from identity.repository import RegistrationTable
from identity.sessions_table import SessionTable
from paygo.composition import own_table, sessions_table
from paygo.config import CLIENT_CONFIG, setting

if TYPE_CHECKING:
    from identity.gateways.bank import HttpBank
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
    # Imported here because only the bureau's function should pay for it in a cold start.
    from identity.gateways.bureau import HttpBureau
    from paygo.partners import api_key, partner

    return HttpBureau(partner("identity-bureau", api_key), setting("API_URL") + RESULTS_PATH)


@cache
def bank() -> "HttpBank":
    """Return the bank that vouches for its customers."""
    from identity.gateways.bank import HttpBank
    from paygo.partners import bearer, partner

    return HttpBank(partner("bank", bearer))
