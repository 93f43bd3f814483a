"""What stands for a Cognito identity wherever others may read it.

Cognito gives anonymous credentials to whoever knows the id of an identity without a login, so an id is as good as a
password until its session is escalated: it goes to its own caller alone. Keys, tokens, logs and audit carry its hash.
See https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html.
"""

import hashlib


def identity_hash(identity_id: str) -> str:
    """Return the SHA-256 of the identity's id in hexadecimal; an id is 122 bits of chance, so nobody guesses back."""
    return hashlib.sha256(identity_id.encode()).hexdigest()
