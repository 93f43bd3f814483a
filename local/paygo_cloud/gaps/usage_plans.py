"""A usage plan answers without the limits it does not have, and its stages and limits are patched as what they are.

AWS: https://docs.aws.amazon.com/apigateway/latest/api/API_UsagePlan.html,
https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

import json
from typing import Any

from ministack.services import apigateway_v1 as v1

type Json = dict[str, Any]

_NUMBERS = {"rateLimit": float, "burstLimit": int, "limit": int, "offset": int}


def install() -> None:
    """Wrap making and changing."""
    original_create = v1._create_usage_plan
    original_update = v1._update_usage_plan

    def create(request: Json) -> Any:
        answer = original_create(request)
        for plan in v1._usage_plans.values():
            _drop_empty(plan)
        return v1._v1_response(_drop_empty(json.loads(answer[2])), answer[0]) if answer[0] < 400 else answer

    def update(plan_id: str, request: Json) -> Any:
        plan = v1._usage_plans.get(plan_id)
        patches = request.get("patchOperations") or []
        others = [patch for patch in patches if plan is None or not _apply(plan, patch)]
        return original_update(plan_id, {**request, "patchOperations": others})

    v1._create_usage_plan = create
    v1._update_usage_plan = update


def _drop_empty(plan: Json) -> Json:
    for name in ("quota", "throttle", "productCode"):
        if not plan.get(name):
            plan.pop(name, None)
    return plan


def _apply(plan: Json, patch: Json) -> bool:
    """Apply one patch; tell whether it was one of ours."""
    operation, value = patch.get("op", "replace"), patch.get("value")
    name, _, rest = patch.get("path", "").lstrip("/").partition("/")
    if name == "apiStages" and not rest:
        api_id, _, stage = str(value).partition(":")
        kept = [each for each in plan.get(name) or [] if (each["apiId"], each["stage"]) != (api_id, stage)]
        plan[name] = kept if operation == "remove" else [*kept, {"apiId": api_id, "stage": stage}]
    elif name in {"quota", "throttle"} and operation == "remove" and not rest:
        plan.pop(name, None)
    elif name in {"quota", "throttle"} and rest:
        plan.setdefault(name, {})[rest] = _NUMBERS.get(rest, str)(value)
    else:
        return False
    return True
