"""A role's tags are known wherever its permissions are judged, as when a service acts under it.

AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principaltag
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

_TAG = "aws:principaltag/"


def install() -> None:
    """Look a role's tags up where the caller was described without them."""
    original = iam_evaluator._resolve_condition_key

    def resolve(key: str, context: Any) -> Any:
        found = original(key, context)
        if found is not None or not key.lower().startswith(_TAG) or context.principal_type != "AssumedRole":
            return found
        return _tag_of_role(context, key[len(_TAG) :].lower())

    iam_evaluator._resolve_condition_key = resolve


def _tag_of_role(context: Any, name: str) -> str | None:
    role = iam_evaluator._role_name_from_assumed_arn(context.principal_arn)
    tags = (iam._roles.get_scoped(context.principal_account, None, role) or {}).get("Tags") or []
    return next((str(tag["Value"]) for tag in tags if tag["Key"].lower() == name), None)
