"""Whether a policy allows a call, by the part of IAM's rules that our policies use.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. Libraries at hand evaluate no
conditions (moto), and what these policies say hangs on conditions.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

type Statement = Mapping[str, Any]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Call:
    """What somebody asks for; the context's keys are those that AWS sends with this action."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)


def allows(statements: Iterable[Statement], call: Call) -> bool:
    """Tell whether some statement allows a call and none denies it."""
    matching = [one for one in statements if _matches(one, call)]
    effects = {one["Effect"] for one in matching}
    return effects == {"Allow"}


def _matches(statement: Statement, call: Call) -> bool:
    actions, others = _list(statement.get("Action")), _list(statement.get("NotAction"))
    named = (
        any(_like(call.action, one, ignore_case=True) for one in actions)
        if actions
        else not any(_like(call.action, one, ignore_case=True) for one in others)
    )
    resources = (_filled(one, call) for one in _list(statement.get("Resource", statement.get("NotResource"))))
    listed = any(one is not None and _like(call.resource, one) for one in resources)
    return (
        named
        and listed is ("Resource" in statement)
        and all(
            _OPERATORS[operator](call.context.get(key), _list(values))
            for operator, block in statement.get("Condition", {}).items()
            for key, values in block.items()
        )
    )


# A key that a request does not have equals nothing, and so is unequal to everything.
_OPERATORS: Mapping[str, Callable[[str | None, list[str]], bool]] = {
    "StringEquals": lambda had, values: had in values,
    "StringNotEquals": lambda had, values: had not in values,
    "StringLike": lambda had, values: had is not None and any(_like(had, value) for value in values),
    "StringNotLike": lambda had, values: had is None or not any(_like(had, value) for value in values),
    "Null": lambda had, values: values == [str(had is None).lower()],
    "Bool": lambda had, values: had in values,
}


def _filled(resource: str, call: Call) -> str | None:
    """Put the caller's tags in; a variable that the request does not have matches nothing."""
    names = _VARIABLE.findall(resource)
    if any(name not in call.context for name in names):
        return None
    return _VARIABLE.sub(lambda match: call.context[match[1]], resource)


def _like(text: str, pattern: str, *, ignore_case: bool = False) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return bool(re.fullmatch(expression, text, re.IGNORECASE if ignore_case else 0))


def _list(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value
