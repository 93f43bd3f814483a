"""The user pool: the households' accounts, named by household id."""

from contextlib import suppress
from typing import TYPE_CHECKING

from identity.model import UnusableEmail, WeakPassword

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


class UserPool:
    """Users made by us, with the password they chose."""

    def __init__(self, client: "CognitoIdentityProviderClient", pool_id: str) -> None:
        self._client = client
        self._pool_id = pool_id

    def keep(self, username: str, email: str, password: str) -> None:
        """Make the user with its password, or set the password of the user that an earlier try made."""
        try:
            # As the temporary password too, so that a weak one is refused before there is a user. A user that is there
            # already is this registration's own: its name is derived from the session and the caller's key.
            with suppress(self._client.exceptions.UsernameExistsException):
                self._client.admin_create_user(
                    UserPoolId=self._pool_id,
                    Username=username,
                    TemporaryPassword=password,
                    UserAttributes=[{"Name": "email", "Value": email}],
                    MessageAction="SUPPRESS",
                )
            self._client.admin_set_user_password(
                UserPoolId=self._pool_id, Username=username, Password=password, Permanent=True
            )
        except self._client.exceptions.InvalidPasswordException as error:
            raise WeakPassword from error
        except self._client.exceptions.InvalidParameterException as error:
            # One exception for whatever Cognito does not like; of what we send, address and password are the caller's.
            # A password that begins or ends with a space is against the parameter's pattern, and not against a policy.
            message = error.response["Error"].get("Message", "").lower()
            if "password" in message:
                raise WeakPassword from error
            if "email" in message:
                raise UnusableEmail from error
            raise

    def admit(self, username: str, email: str) -> None:
        """Let the user sign in by the e-mail address, which is its alias from then on."""
        # The address is written once more: an earlier try, which came to nothing, may have made the user with another
        # one, which nobody confirmed.
        self._client.admin_update_user_attributes(
            UserPoolId=self._pool_id,
            Username=username,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
        )

    def remove(self, username: str) -> None:
        """Delete the user, if it is there."""
        with suppress(self._client.exceptions.UserNotFoundException):
            self._client.admin_delete_user(UserPoolId=self._pool_id, Username=username)
