"""In a user pool that is not case sensitive, a name or an address is the same however it is spelt.

AWS: https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-case-sensitivity.html
"""

from collections.abc import Iterator
from typing import Any

from ministack.services import cognito


def install() -> None:
    """Find users by any spelling."""
    original = cognito._resolve_user

    def resolve(pool: dict[str, Any], username: str) -> Any:
        found = original(pool, username)
        if found[0] or not username or pool.get("UsernameConfiguration", {}).get("CaseSensitive", True):
            return found
        spelt = next((name for name in _names(pool) if name.casefold() == username.casefold()), username)
        return original(pool, spelt)

    cognito._resolve_user = resolve


def _names(pool: dict[str, Any]) -> Iterator[str]:
    aliases = {*pool.get("AliasAttributes", []), *pool.get("UsernameAttributes", [])}
    for name, user in pool["_users"].items():
        yield name
        yield from (each["Value"] for each in user.get("Attributes", []) if each["Name"] in aliases)
