from collections.abc import Callable
from typing import Any

import pytest

from contracts.document import load
from contracts.lint import faults


def test_the_contract_has_no_fault() -> None:
    assert list(faults(load())) == []


def register_device(document: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"]["/v1/devices"]["post"]
    return operation


def drift(document: dict[str, Any]) -> None:
    content = register_device(document)["requestBody"]["content"]["application/json"]
    content["examples"]["kit"]["value"]["serial_number"] = 7


def forget_the_example(document: dict[str, Any]) -> None:
    del register_device(document)["requestBody"]["content"]["application/json"]["examples"]


def forget_an_answers_example(document: dict[str, Any]) -> None:
    del register_device(document)["responses"]["201"]["content"]["application/json"]["examples"]


def forget_a_parameters_example(document: dict[str, Any]) -> None:
    del document["components"]["parameters"]["DeviceId"]["example"]


def drift_a_parameter(document: dict[str, Any]) -> None:
    document["components"]["parameters"]["Limit"]["example"] = 1000


def name_two_alike(document: dict[str, Any]) -> None:
    register_device(document)["operationId"] = "listDevices"


def forget_the_function(document: dict[str, Any]) -> None:
    del register_device(document)["x-paygo-function"]


def forget_who_may_call(document: dict[str, Any]) -> None:
    del register_device(document)["security"]


def forget_whose_session(document: dict[str, Any]) -> None:
    del register_device(document)["x-paygo-callers"]


def name_another_caller(document: dict[str, Any]) -> None:
    register_device(document)["x-paygo-callers"] = ["household", "operator"]


def forget_the_scope(document: dict[str, Any]) -> None:
    del register_device(document)["x-paygo-scope"]


def mistake_the_scope(document: dict[str, Any]) -> None:
    register_device(document)["x-paygo-scope"] = "devices:read"


def give_a_partner_a_scope(document: dict[str, Any]) -> None:
    document["paths"]["/partners/supplier/manifests"]["post"]["x-paygo-scope"] = "devices:write"


def forget_that_a_key_may_be_reused(document: dict[str, Any]) -> None:
    del register_device(document)["responses"]["422"]


def break_openapi(document: dict[str, Any]) -> None:
    register_device(document)["responses"] = {}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (drift, "POST /v1/devices request application/json kit: the example does not fit its schema: 7"),
        (forget_that_a_key_may_be_reused, "POST /v1/devices: takes an Idempotency-Key and has no 422 answer"),
        (forget_the_example, "POST /v1/devices request application/json: has no example"),
        (forget_an_answers_example, "POST /v1/devices response 201 application/json: has no example"),
        (forget_a_parameters_example, "GET /v1/devices/{device_id} parameter device_id: has no example"),
        (drift_a_parameter, "GET /v1/devices parameter limit: the example does not fit its schema: 1000"),
        (name_two_alike, "2 operations are named listDevices"),
        (forget_the_function, "POST /v1/devices: has no x-paygo-function"),
        (forget_who_may_call, "POST /v1/devices: has no security"),
        (forget_whose_session, "POST /v1/devices: x-paygo-callers must name anonymous or household, or both"),
        (name_another_caller, "POST /v1/devices: x-paygo-callers must name anonymous or household, or both"),
        (forget_the_scope, "POST /v1/devices: x-paygo-scope must name a scope, as devices:read"),
        (mistake_the_scope, "POST /v1/devices: devices:read does not fit the method"),
        (give_a_partner_a_scope, "POST /partners/supplier/manifests: has x-paygo-callers or x-paygo-scope"),
        (break_openapi, "not valid OpenAPI"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_fault_is_a_sentence(spoil: Callable[[dict[str, Any]], None], sentence: str) -> None:
    document = load()

    spoil(document)

    assert any(fault.startswith(sentence) for fault in faults(document))
