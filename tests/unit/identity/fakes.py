from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from identity.model import UnusableEmail, WeakPassword
from identity.usecases.sessions import Credentials


class IdentityIsLinked(Exception):
    """Cognito gives an identity with a login no credentials without one."""


class FakeCredentials:
    """An identity pool in memory: the key id says which credentials they are."""

    def __init__(self) -> None:
        self.linked: dict[str, str] = {}
        self.deleted: list[str] = []
        self.undeletable: frozenset[str] = frozenset()

    def new_identity(self) -> str:
        return f"us-east-1:{uuid4()}"

    def anonymous(self, identity_id: str) -> Credentials:
        if identity_id in self.linked:
            raise IdentityIsLinked
        return self._credentials("anonymous")

    def authenticated(self, identity_id: str, session_id: str) -> Credentials:
        assert self.linked.setdefault(identity_id, session_id) == session_id
        return self._credentials("authenticated")

    def delete(self, identity_ids: Sequence[str]) -> frozenset[str]:
        assert 0 < len(identity_ids) <= 60
        self.deleted += [each for each in identity_ids if each not in self.undeletable]
        return self.undeletable & set(identity_ids)

    def _credentials(self, kind: str) -> Credentials:
        return Credentials(kind, "secret", "token", datetime.now(UTC) + timedelta(hours=1))


class FakeUsers:
    """A user pool in memory, whose passwords need a digit."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.admitted: set[str] = set()

    def keep(self, username: str, email: str, password: str) -> None:
        if ".@" in email:
            raise UnusableEmail
        if not any(character.isdigit() for character in password):
            raise WeakPassword
        self.passwords[username] = password
        self.addresses.setdefault(username, email)

    def admit(self, username: str, email: str) -> None:
        assert username in self.passwords
        self.addresses[username] = email
        self.admitted.add(username)

    def remove(self, username: str) -> None:
        self.passwords.pop(username, None)

    def names(self) -> list[str]:
        return sorted(self.passwords)
