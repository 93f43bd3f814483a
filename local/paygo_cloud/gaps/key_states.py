"""KMS gives the public half of a key that is enabled, and of no other.

AWS: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

from typing import Any

from ministack.services import kms


def install() -> None:
    """Look at the key's state first."""
    original = kms._get_public_key

    def get_public_key(request: dict[str, Any]) -> Any:
        key = kms._resolve_key(request.get("KeyId", ""))
        refused = kms._check_key_state(key) if key else None
        return refused or original(request)

    kms._get_public_key = get_public_key
