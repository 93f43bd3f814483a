"""What Terraform changes on a REST API, its keys and its plans beside the OpenAPI document.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html,
https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html,
https://docs.aws.amazon.com/apigateway/latest/api/API_UsagePlan.html
"""

from typing import Any

import pytest
import requests

from tests.local.conftest import Bench, refusal
from tests.local.test_rest_api_import import MOCK, Api, document


@pytest.fixture
def api(bench: Bench) -> Api:
    return Api(bench)


def change(operation: str, path: str, value: str | None = None) -> dict[str, str]:
    return {"op": operation, "path": path} | ({} if value is None else {"value": value})


def test_settings_are_patched_as_what_they_are(api: Api) -> None:
    def patch(*changes: dict[str, str]) -> dict[str, Any]:
        api.client.update_rest_api(restApiId=api.id, patchOperations=list(changes))
        answer: dict[str, Any] = api.client.get_rest_api(restApiId=api.id)
        return answer

    after = patch(
        change("add", "/binaryMediaTypes/image~1png"),
        change("add", "/binaryMediaTypes/a~1b"),
        change("replace", "/minimumCompressionSize", "1024"),
        change("replace", "/disableExecuteApiEndpoint", "true"),
        change("replace", "/description", "told"),
    )
    assert after["binaryMediaTypes"] == ["image/png", "a/b"]
    assert after["minimumCompressionSize"] == 1024
    assert after["disableExecuteApiEndpoint"] is True
    assert after["description"] == "told"

    after = patch(
        change("remove", "/binaryMediaTypes/a~1b"),
        change("replace", "/minimumCompressionSize"),
        change("replace", "/disableExecuteApiEndpoint", "false"),
    )
    assert after["binaryMediaTypes"] == ["image/png"]
    assert "minimumCompressionSize" not in after
    assert after["disableExecuteApiEndpoint"] is False


def test_a_key_without_a_value_is_given_one(api: Api, bench: Bench) -> None:
    made = api.client.create_api_key(name=bench.name, value="")
    bench.later(api.client.delete_api_key, apiKey=made["id"])

    assert len(made["value"]) >= 20


def test_a_plan_answers_without_the_limits_it_does_not_have(api: Api, bench: Bench) -> None:
    made = api.client.create_usage_plan(name=bench.name)
    bench.later(api.client.delete_usage_plan, usagePlanId=made["id"])

    for plan in (made, api.client.get_usage_plan(usagePlanId=made["id"])):
        assert not {"quota", "throttle"} & plan.keys()


def test_a_plans_stages_and_limits_are_patched(api: Api, bench: Bench) -> None:
    api.put(document({"/a": {"get": MOCK}}))
    api.deploy()
    throttle = {"rateLimit": 10.0, "burstLimit": 20}
    plan = api.client.create_usage_plan(
        name=bench.name,
        apiStages=[{"apiId": "gone", "stage": "v"}],
        throttle=throttle,
        quota={"limit": 5, "period": "DAY"},
    )["id"]
    bench.later(api.client.delete_usage_plan, usagePlanId=plan)

    api.client.update_usage_plan(
        usagePlanId=plan,
        patchOperations=[
            change("remove", "/apiStages", "gone:v"),
            change("add", "/apiStages", f"{api.id}:v"),
            change("replace", "/throttle/rateLimit", "11"),
            change("remove", "/quota"),
        ],
    )
    after = api.client.get_usage_plan(usagePlanId=plan)

    assert after["apiStages"] == [{"apiId": api.id, "stage": "v"}]
    assert after["throttle"] == {"rateLimit": 11.0, "burstLimit": 20}
    assert "quota" not in after


def test_a_stage_serves_what_was_deployed_to_it(api: Api) -> None:
    api.put(document({"/old": {"get": MOCK}}))
    url = api.deploy()
    api.put(document({"/new": {"get": MOCK}}))

    assert [requests.get(f"{url}/{path}", timeout=10).status_code for path in ("old", "new")] == [200, 403]
    api.deploy()
    assert [requests.get(f"{url}/{path}", timeout=10).status_code for path in ("old", "new")] == [403, 200]


def test_a_method_may_be_without_the_stages_limits(api: Api) -> None:
    api.put(document({"/limited": {"get": MOCK}, "/free/{rest+}": {"get": MOCK}}))
    url = api.deploy()

    def limit(path: str, rate: str) -> list[dict[str, str]]:
        return [change("replace", f"{path}/throttling/{name}", rate) for name in ("rateLimit", "burstLimit")]

    api.client.update_stage(
        restApiId=api.id, stageName="v", patchOperations=[*limit("/*/*", "1"), *limit("/~1free~1{rest+}/GET", "-1")]
    )

    def answers(path: str) -> set[int]:
        return {requests.get(f"{url}/{path}", timeout=10).status_code for _ in range(10)}

    assert answers("limited") == {200, 429}
    assert answers("free/a/b") == {200}


def test_a_methods_settings_go_by_the_name_that_they_were_given(api: Api) -> None:
    api.put(document({"/free/{rest+}": {"get": MOCK}}))
    api.deploy()
    name = "~1free~1{rest+}/GET"

    def patch(operation: str, path: str, *value: str) -> set[str]:
        stage = api.client.update_stage(
            restApiId=api.id, stageName="v", patchOperations=[change(operation, path, *value)]
        )
        assert stage["methodSettings"] == api.client.get_stage(restApiId=api.id, stageName="v")["methodSettings"]
        return set(stage["methodSettings"])

    assert patch("replace", f"/{name}/throttling/rateLimit", "-1") == {name}
    assert patch("remove", f"/{name}") == set()


def test_what_cannot_be_served_is_not_deployed(api: Api) -> None:
    assert refusal(api.deploy) == "BadRequestException"
    api.put(document({"/a": {"get": {"responses": {}}}}))
    assert refusal(api.deploy) == "BadRequestException"


def test_a_deployment_that_a_stage_serves_is_not_deleted(api: Api) -> None:
    api.put(document({"/a": {"get": MOCK}}))
    api.deploy()
    deployment = api.client.get_stage(restApiId=api.id, stageName="v")["deploymentId"]

    assert (
        refusal(lambda: api.client.delete_deployment(restApiId=api.id, deploymentId=deployment))
        == "BadRequestException"
    )
    api.deploy()
    api.client.delete_deployment(restApiId=api.id, deploymentId=deployment)
