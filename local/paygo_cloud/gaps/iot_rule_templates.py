"""Substitution templates in a rule's actions are expanded with the message that matched.

AWS: https://docs.aws.amazon.com/iot/latest/developerguide/iot-substitution-templates.html
"""

import json
import re
from contextvars import ContextVar
from typing import Any

from ministack.services import iot

_TEMPLATE = re.compile(r"\$\{([^}]*)\}")
_message: ContextVar[tuple[str, bytes, str | None] | None] = ContextVar("message", default=None)


def install() -> None:
    """Remember the message while its rule runs, and expand each action with it."""
    original_run = iot._run_rule_actions
    original_dispatch = iot._dispatch_rule_action

    async def run(account: str, region: str, rule: Any, payload: bytes, *origin: Any) -> None:
        topic, client = (*origin, None, None)[:2]
        token = _message.set((topic or "", payload or b"", client))
        try:
            await original_run(account, region, rule, payload, *origin)
        finally:
            _message.reset(token)

    async def dispatch(account: str, region: str, rule: str, action: dict[str, Any], event: Any) -> None:
        await original_dispatch(account, region, rule, _expand(action), event)

    iot._run_rule_actions = run
    iot._dispatch_rule_action = dispatch


def _expand(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _expand(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_expand(each) for each in value]
    message = _message.get()
    if not isinstance(value, str) or message is None:
        return value
    topic, payload, client = message

    def evaluate(match: re.Match[str]) -> str:
        result = iot._eval_select_expr(match.group(1), topic, payload, iot._rule_message(payload), client)
        if result is iot._MISSING:
            return ""
        return result if isinstance(result, str) else json.dumps(result)

    expanded = _TEMPLATE.sub(evaluate, value)
    return expanded.replace("$$", "$", 1) if expanded.startswith("$$") else expanded
