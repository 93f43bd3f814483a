"""IAM policy variables are substituted before a statement is matched; an unresolved one matches nothing.

AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from dataclasses import replace
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import sts

COGNITO = "cognito-identity.amazonaws.com"
_VARIABLE = re.compile(r"\$\{([^},]+)(?:,\s*'([^']*)')?\}")
_LITERALS = {"*", "?", "$"}
_UNRESOLVED = "\0"  # in no ARN and no value, so that nothing matches it


def install() -> None:
    """Substitute in every statement that is about to be matched."""
    original_match = iam_evaluator._first_match
    original_keys = iam_evaluator._principal_keys

    def first_match(context: Any, statements: list[Any], effect: str) -> Any:
        return original_match(context, [_resolved(each, context) for each in statements], effect)

    def principal_keys(credential: Any) -> dict[str, Any]:
        keys: dict[str, Any] = original_keys(credential)
        session = sts._sessions.get(credential.access_key_id) or {}
        if session.get("_identity_id"):
            keys[f"{COGNITO}:sub"] = session["_identity_id"]
            keys[f"{COGNITO}:aud"] = session["_identity_pool_id"]
            keys[f"{COGNITO}:amr"] = session["_cognito_amr"]
        return keys

    iam_evaluator._first_match = first_match
    iam_evaluator._principal_keys = principal_keys


def _resolved(statement: Any, context: Any) -> Any:
    if "${" not in f"{statement.resources}{statement.not_resources}{statement.conditions}":
        return statement
    not_resources = [_substitute(each, context) for each in statement.not_resources]
    if any(_UNRESOLVED in each for each in not_resources):
        # "All but what cannot be told" allows nothing and denies everything.
        not_resources = ["*"] if statement.effect == "Allow" else [_UNRESOLVED]
    return replace(
        statement,
        resources=[_substitute(each, context) for each in statement.resources],
        not_resources=not_resources,
        conditions={
            operator: {key: _substitute_all(values, context) for key, values in block.items()}
            for operator, block in statement.conditions.items()
        },
    )


def _substitute_all(values: Any, context: Any) -> Any:
    if isinstance(values, list):
        return [_substitute(each, context) for each in values]
    return _substitute(values, context)


def _substitute(text: Any, context: Any) -> Any:
    if not isinstance(text, str):
        return text

    def value(match: re.Match[str]) -> str:
        name, default = match.group(1).strip(), match.group(2)
        if name in _LITERALS:
            return name
        found = iam_evaluator._resolve_condition_key(name, context)
        if found is None or isinstance(found, list):
            return _UNRESOLVED if default is None else default
        return str(found)

    return _VARIABLE.sub(value, text)
