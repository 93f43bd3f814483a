"""A stage serves what was deployed to it; a change of the API is served from the next deployment on.

MiniStack serves a change at once, which hides a deployment that Terraform forgot. A deployment is refused while a
method has no integration, and is not deleted while a stage serves it.

AWS: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html,
https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html
"""

import copy
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import apigateway_v1 as v1

_STORES = ("_resources", "_authorizers_v1", "_request_validators", "_models")
_snapshots: dict[str, dict[str, Any]] = {}
_served: ContextVar[dict[str, Any] | None] = ContextVar("served", default=None)


class _AsDeployed(AccountRegionScopedDict):  # type: ignore[misc]
    """A store that answers from the deployment being served, if one is."""

    def __init__(self, name: str, current: Any) -> None:
        super().__init__()
        self._name = name
        self._data = current._data

    def get(self, key: Any, default: Any = None) -> Any:
        served = _served.get()
        found = super().get(key, default) if served is None else served[self._name]
        return default if found is None else found


def install() -> None:
    """Snapshot when deploying, and serve from the snapshot."""
    for name in _STORES:
        setattr(v1, name, _AsDeployed(name, getattr(v1, name)))
    original_create = v1._create_deployment
    original_delete = v1._delete_deployment
    original_execute = v1.handle_execute
    original_authorization = v1.method_authorization_type

    def create(api_id: str, request: dict[str, Any]) -> Any:
        problem = _problem(api_id)
        if problem:
            return v1._v1_error("BadRequestException", problem, 400)
        before = set(v1._deployments_v1.get(api_id, {}))
        answer = original_create(api_id, request)
        for deployment_id in set(v1._deployments_v1.get(api_id, {})) - before:
            _snapshots[deployment_id] = {name: copy.deepcopy(getattr(v1, name).get(api_id)) for name in _STORES}
        return answer

    def delete(api_id: str, deployment_id: str) -> Any:
        stages = v1._stages_v1.get(api_id, {}).values()
        if any(stage["deploymentId"] == deployment_id for stage in stages):
            message = "Active stages pointing to this deployment must be moved or deleted"
            return v1._v1_error("BadRequestException", message, 400)
        _snapshots.pop(deployment_id, None)
        return original_delete(api_id, deployment_id)

    async def execute(api_id: str, stage: str, *request: Any) -> Any:
        token = _served.set(_snapshot(api_id, stage))
        try:
            return await original_execute(api_id, stage, *request)
        finally:
            _served.reset(token)

    def authorization_type(api_id: str, stage: str, *request: Any) -> Any:
        token = _served.set(_snapshot(api_id, stage))
        try:
            return original_authorization(api_id, stage, *request)
        finally:
            _served.reset(token)

    v1._create_deployment = create
    v1._delete_deployment = delete
    v1.handle_execute = execute
    v1.method_authorization_type = authorization_type


def _problem(api_id: str) -> str | None:
    resources = (v1._resources.get(api_id) or {}).values()
    methods = [method for resource in resources for method in resource["resourceMethods"].values()]
    if resources and not methods:
        return "The REST API doesn't contain any methods"
    if any(not method["methodIntegration"] for method in methods):
        return "No integration defined for method"
    return None


def _snapshot(api_id: str, stage: str) -> dict[str, Any] | None:
    served = (v1.stages_for_api(api_id) or {}).get(stage) or {}
    return _snapshots.get(served.get("deploymentId", ""))
