"""How a session's credentials are made: Cognito's enhanced flow.

The one module that knows; another way of making credentials replaces it behind `CredentialMaker` and `Identities`.
See https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html.
"""

from typing import TYPE_CHECKING

from identity.usecases.sessions import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_cognito_identity import CognitoIdentityClient

COGNITO = "cognito-identity.amazonaws.com"


class CognitoCredentials:
    """Credentials of an identity pool's identities."""

    def __init__(self, client: "CognitoIdentityClient", pool_id: str, developer_provider: str) -> None:
        self._client = client
        self._pool_id = pool_id
        self._developer_provider = developer_provider

    def new_identity(self) -> str:
        """Return an identity: without a login, Cognito makes a new one for each call."""
        return self._client.get_id(IdentityPoolId=self._pool_id)["IdentityId"]

    def anonymous(self, identity_id: str) -> Credentials:
        """Return credentials of the pool's unauthenticated role."""
        return self._credentials(identity_id, {})

    def authenticated(self, identity_id: str, session_id: str) -> Credentials:
        """Return credentials of the pool's authenticated role.

        The developer user is the session, not the person: with the person's id Cognito would answer with the identity
        linked before. The token goes to Cognito and nowhere else.
        """
        token = self._client.get_open_id_token_for_developer_identity(
            IdentityPoolId=self._pool_id,
            IdentityId=identity_id,
            Logins={self._developer_provider: session_id},
        )["Token"]
        return self._credentials(identity_id, {COGNITO: token})

    def delete(self, identity_ids: "Sequence[str]") -> frozenset[str]:
        """Delete the identities, and return those that could not be deleted."""
        answer = self._client.delete_identities(IdentityIdsToDelete=list(identity_ids))
        return frozenset(each["IdentityId"] for each in answer.get("UnprocessedIdentityIds", []))

    def _credentials(self, identity_id: str, logins: "Mapping[str, str]") -> Credentials:
        made = self._client.get_credentials_for_identity(IdentityId=identity_id, Logins=logins)["Credentials"]
        return Credentials(
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretKey"],
            session_token=made["SessionToken"],
            expires_at=made["Expiration"],
        )
