"""What stands for a secret or a person's data in keys and rows, where it must not be read."""

import hashlib


def sha256(text: str) -> str:
    """Return the text's SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
