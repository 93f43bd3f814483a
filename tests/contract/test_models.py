"""The functions' models and the contract say the same: fields, what is required, and every example."""

import json
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, Secret, SecretStr

from contracts.document import content_examples, load, operations, resolve
from devices import wire as devices
from identity import wire as identity
from ledger import wire as ledger
from operations import wire as operations_wire
from paygo.http import WireModel
from payments import wire as payments

REQUESTS: dict[str, type[BaseModel] | tuple[type[BaseModel], ...]] = {
    "refreshSession": identity.SessionRefreshBody,
    "issueToken": identity.TokenRequestBody,
    "signIn": (identity.OwnSignInBody, identity.PartnerSignInBody),
    "register": (identity.OwnRegistrationBody, identity.PartnerRegistrationBody),
    "confirmRegistration": identity.ConfirmationBody,
    "receiveCheckResult": identity.CheckResultBody,
    "registerDevice": devices.DeviceRegistration,
    "requestPayment": payments.PaymentRequestBody,
    "discardDeadLetter": operations_wire.Discard,
    "redriveDeadLetters": operations_wire.Redrives,
    "discardDeadLetters": operations_wire.Discards,
}
ANSWERS: dict[str, type[BaseModel] | tuple[type[BaseModel], ...]] = {
    "readConfiguration": identity.ConfigurationBody,
    "readKeys": identity.KeySetBody,
    "openSession": identity.SessionBody,
    "listSessions": identity.SessionPageBody,
    "issueToken": identity.BearerTokenBody,
    "signIn": identity.SessionBody,
    "refreshSession": identity.SessionBody,
    "readSession": identity.SessionStateBody,
    "escalateSession": identity.SessionBody,
    "register": identity.RegistrationBody,
    "readRegistration": identity.RegistrationBody,
    "confirmRegistration": identity.RegistrationBody,
    "sendCode": identity.RegistrationBody,
    "registerDevice": devices.Device,
    "listDevices": devices.DevicePage,
    "readDevice": devices.DeviceStatus,
    "readCredit": ledger.Credit,
    "readStatement": ledger.Statement,
    "importManifest": devices.ManifestReport,
    "notifyPayment": payments.Payment,
    "requestPayment": payments.PaymentRequest,
    "readPaymentRequest": payments.PaymentRequest,
    "listDeadLetters": operations_wire.DeadLetterPage,
    "readDeadLetter": operations_wire.DeadLetterDetail,
    "redriveDeadLetter": operations_wire.DeadLetter,
    "discardDeadLetter": operations_wire.DeadLetter,
    "redriveDeadLetters": operations_wire.Moved,
    "discardDeadLetters": operations_wire.Moved,
    "listErrorReports": operations_wire.ReportPage,
    "listAuditEvents": operations_wire.AuditEventPage,
}
# What a provider notifies is as its own contract says: see test_gateways.py.
OF_A_PARTNER = {"request": {"notifyPayment"}, "answer": set[str]()}
DOCUMENT = load()
OPERATIONS = {operation.id: operation for operation in operations(DOCUMENT)}


def body_of(operation_id: str, kind: str) -> dict[str, Any] | None:
    spec = OPERATIONS[operation_id].spec
    if kind == "request":
        return resolve(DOCUMENT, spec["requestBody"]) if "requestBody" in spec else None
    success = next((answer for status, answer in spec["responses"].items() if status.startswith("2")), None)
    return resolve(DOCUMENT, success) if success else None


def json_body(operation_id: str, kind: str) -> dict[str, Any] | None:
    body = body_of(operation_id, kind)
    return body if body and "application/json" in body.get("content", {}) else None


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    schema = resolve(DOCUMENT, schema)
    if "allOf" in schema:
        (part,) = schema["allOf"]
        return plain(part)
    return plain(schema["items"]) if schema.get("type") == "array" else schema


def pairs(body: dict[str, Any], models: type[BaseModel] | tuple[type[BaseModel], ...]) -> Iterator[Any]:
    """Each model with its schema and the examples of it; a body of several kinds has a model for each."""
    content = body["content"]["application/json"]
    examples = [example.value for example in content_examples(DOCUMENT, "", body)]
    schema = plain(content["schema"])
    if not isinstance(models, tuple):
        yield schema, examples, models
        return
    for part, model in zip(schema["oneOf"], models, strict=True):
        kinds = resolve(DOCUMENT, part)["properties"]["kind"]["enum"]
        yield part, [example for example in examples if example["kind"] in kinds], model


def bodies() -> Iterator[Any]:
    for kind, models in (("request", REQUESTS), ("answer", ANSWERS)):
        for name, model in models.items():
            body = json_body(name, kind)
            if body is None:
                yield pytest.param({}, [], model, id=f"{name} {kind}")
                continue
            for schema, examples, one in pairs(body, model):
                yield pytest.param(schema, examples, one, id=f"{name} {kind} {one.__name__}")


PAIRS = list(bodies())


@pytest.mark.parametrize(("kind", "models"), [("request", REQUESTS), ("answer", ANSWERS)])
def test_every_json_body_of_the_contract_has_a_model(kind: str, models: dict[str, object]) -> None:
    assert set(models) | OF_A_PARTNER[kind] == {name for name in OPERATIONS if json_body(name, kind)}


@pytest.mark.parametrize(("schema", "_examples", "model"), PAIRS)
def test_the_model_has_the_contracts_fields(
    schema: dict[str, Any], _examples: list[Any], model: type[BaseModel]
) -> None:
    assert differences(model, schema, model.__name__) == []


@pytest.mark.parametrize(("_schema", "examples", "model"), PAIRS)
def test_the_model_takes_every_example_and_gives_it_back(
    _schema: dict[str, Any], examples: list[Any], model: type[BaseModel]
) -> None:
    assert examples
    for example in examples:
        parsed = model.model_validate_json(json.dumps(example))

        hidden = {name: value.get_secret_value() for name, value in parsed if isinstance(value, Secret | SecretStr)}
        assert parsed.model_dump(mode="json", exclude_unset=True) | hidden == example


def differences(model: type[BaseModel], schema: dict[str, Any], where: str) -> list[str]:
    """Every place, at any depth, in which the model and the schema do not have the same fields."""
    schema = plain(schema)
    found = []
    properties, required = schema.get("properties", {}), set(schema.get("required", []))
    names = {field.alias or name: field for name, field in model.model_fields.items()}
    if set(names) != set(properties):
        found.append(f"{where}: fields {sorted(set(names) ^ set(properties))} are on one side only")
    for name in set(names) & set(properties):
        # Answers always carry every field, so a default does not make one optional there.
        if names[name].is_required() and name not in required:
            found.append(f"{where}.{name}: the model asks for it, the contract does not")
        inner = nested(names[name].annotation)
        if inner is not None:
            found += differences(inner, plain(properties[name]), f"{where}.{name}")
    return found


def nested(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `tuple[Device, ...]` or `Money | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, tuple, list):
        return next((inner for part in get_args(annotation) if (inner := nested(part))), None)
    return None


def test_requests_refuse_what_the_contract_does_not_have() -> None:
    for models in REQUESTS.values():
        for model in models if isinstance(models, tuple) else (models,):
            assert issubclass(model, WireModel)
            assert model.model_config["extra"] == "forbid"
