"""A version of a secret is written once: its token again with another value is refused, and with the same does nothing.

MiniStack writes it over.

AWS: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
"""

from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager

_VALUES = ("SecretString", "SecretBinary")


def install() -> None:
    """Wrap writing."""
    original = secretsmanager._put_secret_value

    def put(request: dict[str, Any]) -> Any:
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        token = request.get("ClientRequestToken")
        known = ((secret or {}).get("Versions") or {}).get(token)
        if known is None:
            return original(request)
        if any(known.get(name) != request.get(name) for name in _VALUES):
            return error_response_json(
                "ResourceExistsException",
                "You can't use ClientRequestToken because that value is already in use for a version of the secret.",
                400,
            )
        told = {
            "ARN": secret["ARN"],
            "Name": secret["Name"],
            "VersionId": token,
            "VersionStages": list(known["Stages"]),
        }
        return json_response(told)

    secretsmanager._put_secret_value = put
