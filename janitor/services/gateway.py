"""The API, and who may call it how often."""

import contextlib
from collections.abc import Iterator

from janitor.clients import Clients
from janitor.found import Found
from janitor.services import pages


def apis(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "apigateway", "get_rest_apis", "items", PaginationConfig={"PageSize": 500}):
        if one["name"].startswith(prefix):
            yield Found(one["id"], one["name"], one.get("tags") or None)


def remove_api(clients: Clients, found: Found) -> None:
    clients("apigateway").delete_rest_api(restApiId=found.id)
    logs = clients("logs")
    with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName=f"API-Gateway-Execution-Logs_{found.id}/v")


def stages(clients: Clients, prefix: str) -> Iterator[Found]:
    for api in apis(clients, prefix):
        with contextlib.suppress(clients("apigateway").exceptions.NotFoundException):
            for one in clients("apigateway").get_stages(restApiId=api.id)["item"]:
                yield Found(f"{api.id}/{one['stageName']}", api.name, api.tags)


def remove_stage(clients: Clients, found: Found) -> None:
    api, _, stage = found.id.partition("/")
    clients("apigateway").delete_stage(restApiId=api, stageName=stage)


def plans(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "apigateway", "get_usage_plans", "items", PaginationConfig={"PageSize": 500}):
        if one["name"].startswith(prefix):
            yield Found(one["id"], one["name"], one.get("tags") or None)


def remove_plan(clients: Clients, found: Found) -> None:
    """Take a plan off its stages, all in one call, and delete it.

    AWS refuses to delete a plan that has stages ("Cannot delete Usage Plan ... because there are API Stages associated
    with it"), so that every plan costs an UpdateUsagePlan, of which there is one in 20 s. Deleting the API first might
    save it, but AWS documents nowhere that the stages leave their plans with the API; and it would save no time: the
    plans' 20 s go by beside the APIs' 30 s.
    """
    gateway = clients("apigateway")
    stages = gateway.get_usage_plan(usagePlanId=found.id).get("apiStages") or []
    if stages:
        places = [f"{stage['apiId']}:{stage['stage']}" for stage in stages]
        operations = [{"op": "remove", "path": "/apiStages", "value": place} for place in places]
        gateway.update_usage_plan(usagePlanId=found.id, patchOperations=operations)
    gateway.delete_usage_plan(usagePlanId=found.id)


def keys(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "apigateway", "get_api_keys", "items", nameQuery=prefix):
        if one["name"].startswith(prefix):
            yield Found(one["id"], one["name"], one.get("tags") or None)


def remove_key(clients: Clients, found: Found) -> None:
    clients("apigateway").delete_api_key(apiKey=found.id)
