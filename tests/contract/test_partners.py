"""The partners' contracts have no fault, and whatever the mock answers is what they say."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from openapi_schema_validator import OAS31Validator

from contracts.document import FOLDER, Document, content_examples, load_partners, operations, resolve
from contracts.lint import partner_faults
from deploy.packages import as_json
from partners.model.contract import Answer, Contract, Exchange, Operation, Request

PARTNERS = load_partners()
NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)


def test_every_partner_is_there() -> None:
    assert set(PARTNERS) == {"bank", "crm", "identity-bureau", "mobile-money", "mobile-wallet"}


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_contract_has_no_fault(partner: str) -> None:
    assert list(partner_faults(PARTNERS[partner])) == []


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_mock_plays_what_is_written(partner: str) -> None:
    file = FOLDER / "partners" / partner / "openapi.yaml"

    assert json.loads(as_json([file])[file]) == PARTNERS[partner]


@dataclass(frozen=True)
class Case:
    """An operation of a partner, asked as its own example asks."""

    partner: str
    contract: Contract
    document: Document
    operation: Operation
    request: Request

    @property
    def exchange(self) -> Exchange:
        ids = count(1)
        return Exchange(self.request, self.operation.path_values, NOW, lambda: f"{next(ids)}-{uuid4()}"[:36])


def cases(partner: str, document: Document) -> Iterator[Case]:
    contract = Contract(document)
    for each in operations(document):
        route, headers = each.path, {}
        for part in each.spec.get("parameters", []):
            parameter = resolve(document, part)
            route = route.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
            headers[parameter["name"].lower()] = str(parameter["example"])
        body = next(content_examples(document, "", resolve(document, each.spec.get("requestBody", {}))), None)
        request = Request(each.method, route, headers=headers, text=json.dumps(body.value) if body else "")
        operation = contract.operation(each.method, route)
        assert operation is not None
        yield Case(partner, contract, document, operation, request)


CASES = [case for partner, document in PARTNERS.items() for case in cases(partner, document)]


def names(case: Any) -> str:
    return f"{case.partner} {case.request.method} {case.operation.template}" if isinstance(case, Case) else ""


def misfits(document: Document, response: Document, answer: Answer) -> list[str]:
    """Why an answer is not what the contract says of its status."""
    content = resolve(document, response).get("content", {})
    if not content:
        return [] if not answer.text else ["a body where there is to be none"]
    if answer.content_type not in content:
        return [f"{answer.content_type} is none of {sorted(content)}"]
    schema = {**content[answer.content_type]["schema"], "components": document["components"]}
    errors = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER).iter_errors(json.loads(answer.text))
    return [error.message for error in errors]


def answers(case: Case) -> Iterator[tuple[Document, Answer]]:
    responses = case.operation.spec["responses"]
    unasked = case.operation.answer(case.exchange)
    yield responses[str(unasked.status)], unasked
    for status, response in responses.items():
        yield response, case.operation.answer(case.exchange, int(status))


def all_misfits(document: Document) -> list[str]:
    return [
        f"{names(case)}: {misfit}"
        for case in cases("drifted", document)
        for response, answer in answers(case)
        for misfit in misfits(document, response, answer)
    ]


def without_examples(document: Document) -> Document:
    bare = deepcopy(document)
    holders = [*bare["components"]["responses"].values()]
    holders += [response for each in operations(bare) for response in each.spec["responses"].values()]
    for holder in holders:
        for content in holder.get("content", {}).values():
            del content["examples"]
    return bare


@pytest.mark.parametrize("case", CASES, ids=names)
def test_a_request_like_the_contracts_own_is_taken(case: Case) -> None:
    assert list(case.operation.faults(case.request)) == []
    assert case.operation.answer(case.exchange).is_success


@pytest.mark.parametrize("partner", PARTNERS)
def test_every_answer_that_is_shown_is_what_the_contract_says(partner: str) -> None:
    assert all_misfits(PARTNERS[partner]) == []


@pytest.mark.parametrize("partner", PARTNERS)
def test_every_answer_that_is_made_up_is_what_the_contract_says(partner: str) -> None:
    assert all_misfits(without_examples(PARTNERS[partner])) == []


def examples_of(document: Document) -> Iterator[tuple[Document, Document]]:
    for each in operations(document):
        for part in each.spec["responses"].values():
            response = resolve(document, part)
            for content in response.get("content", {}).values():
                for example in content["examples"].values():
                    yield example, each.spec


@pytest.mark.parametrize("partner", PARTNERS)
def test_an_example_that_drifts_is_found(partner: str) -> None:
    drifted = deepcopy(PARTNERS[partner])
    example = next(example for example, _ in examples_of(drifted))
    # A place that the answer takes from the request would hide the drift.
    name = next(reversed(example["value"]))
    example["x-paygo-values"] = {}
    example["value"][name] = {"drifted": True}

    assert all_misfits(drifted) != []
    assert any("does not fit its schema" in fault for fault in partner_faults(drifted))


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_schema_that_drifts_is_found(partner: str) -> None:
    drifted = deepcopy(PARTNERS[partner])
    for name, schema in drifted["components"]["schemas"].items():
        if name != "Problem":
            schema["required"] = [*schema["required"], "forgotten"]
            schema.get("properties", {})["forgotten"] = {"type": "string"}

    assert all_misfits(drifted) != []
    assert all_misfits(without_examples(drifted)) == []


@pytest.mark.parametrize("partner", PARTNERS)
def test_an_answer_is_as_its_contract_says_for_any_request_that_an_example_names(partner: str) -> None:
    document = PARTNERS[partner]
    for case in cases(partner, document):
        for example, spec in examples_of(document):
            if spec is not case.operation.spec or "x-paygo-when" not in example:
                continue
            body = {**case.request.body, **{at.strip("/"): value for at, value in example["x-paygo-when"].items()}}
            asked = replace(case, request=replace(case.request, text=json.dumps(body)))
            answer = asked.operation.answer(asked.exchange)

            assert list(asked.operation.faults(asked.request)) == []
            assert answer.value["title"] == example["value"]["title"]
            assert misfits(document, spec["responses"][str(answer.status)], answer) == []


CALLING = [case for case in CASES if "callbacks" in case.operation.spec]


def calls(case: Case) -> Iterator[tuple[Document, Any]]:
    """Each call that follows the case's answer, with what its body must be."""
    exchange = replace(case.exchange, answer=case.operation.answer(case.exchange))
    specs = [methods["post"] for paths in case.operation.spec["callbacks"].values() for methods in paths.values()]
    for spec, due in zip(specs, case.operation.callbacks(exchange), strict=True):
        schema = spec["requestBody"]["content"]["application/json"]["schema"]
        yield {**schema, "components": case.document["components"]}, due


@pytest.mark.parametrize("case", CALLING, ids=names)
def test_what_a_partner_calls_us_with_is_what_its_contract_says(case: Case) -> None:
    for schema, due in calls(case):
        validator = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)
        assert [error.message for error in validator.iter_errors(due.value)] == []


def spoilt(value: Any) -> Iterator[Any]:
    """Values like this one with one thing wrong, at any depth."""
    if isinstance(value, dict):
        yield []
        yield {**value, "unknown": 1}
        for name, inner in value.items():
            yield {other: kept for other, kept in value.items() if other != name}
            for bad in (None, 7.5, "", True, *spoilt(inner)):
                yield {**value, name: bad}
    else:
        yield {"nested": value}


@pytest.mark.parametrize("case", [case for case in CASES if case.request.text], ids=names)
def test_the_mock_refuses_what_the_contract_refuses_and_nothing_else(case: Case) -> None:
    body = resolve(case.document, case.operation.spec["requestBody"])["content"]["application/json"]["schema"]
    schema = {**body, "components": case.document["components"]}
    judge = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)

    judged = {
        json.dumps(value): (
            judge.is_valid(value),
            not list(case.operation.faults(replace(case.request, text=json.dumps(value)))),
        )
        for value in (case.request.body, *spoilt(case.request.body))
    }

    assert {text: pair for text, pair in judged.items() if pair[0] != pair[1]} == {}
    assert {pair[0] for pair in judged.values()} == {True, False}


def create(document: Document) -> Document:
    found: Document = document["paths"]["/checks"]["post"]
    return found


def forget_the_rate(document: Document) -> None:
    del document["info"]["x-paygo-calls-per-second"]


def forget_the_credential(document: Document) -> None:
    document["security"] = []


def show_the_credential_in_the_query(document: Document) -> None:
    document["components"]["securitySchemes"]["credential"]["in"] = "query"


def forget_the_refusal(document: Document) -> None:
    del create(document)["responses"]["401"]


def refuse_in_other_words(document: Document) -> None:
    response = resolve(document, create(document)["responses"]["400"])
    response["content"]["text/plain"] = response["content"].pop("application/problem+json")


def drift_a_callback(document: Document) -> None:
    callback = create(document)["callbacks"]["result"]["{$request.body#/callback_url}"]["post"]
    callback["requestBody"]["content"]["application/json"]["examples"]["approved"]["value"]["outcome"] = "perhaps"


def call_somewhere_else(document: Document) -> None:
    callbacks = create(document)["callbacks"]["result"]
    callbacks["https://example.org"] = callbacks.pop("{$request.body#/callback_url}")


def name_a_place_that_requests_do_not_have(document: Document) -> None:
    callback = create(document)["callbacks"]["result"]["{$request.body#/callback_url}"]["post"]
    callback["requestBody"]["content"]["application/json"]["examples"]["rejected"]["x-paygo-when"] = {"/surname": "X"}


def name_a_place_that_the_answer_does_not_have(document: Document) -> None:
    example = create(document)["responses"]["202"]["content"]["application/json"]["examples"]["pending"]
    example["x-paygo-values"] = {"/reference/deeper": "$uuid"}


def forget_the_summary(document: Document) -> None:
    del create(document)["summary"]


def break_openapi(document: Document) -> None:
    del document["info"]["title"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (forget_the_rate, "info: x-paygo-calls-per-second must say"),
        (forget_the_credential, "security: must name one scheme"),
        (show_the_credential_in_the_query, "security: must name one scheme"),
        (forget_the_refusal, "POST /checks: has no 401 answer as application/problem+json"),
        (refuse_in_other_words, "POST /checks: has no 400 answer as application/problem+json"),
        (
            drift_a_callback,
            "POST {$request.body#/callback_url} request application/json approved: the example does not",
        ),
        (call_somewhere_else, "POST /checks callback https://example.org: its address must be a place"),
        (
            name_a_place_that_requests_do_not_have,
            "POST {$request.body#/callback_url} example rejected: there is no /sur",
        ),
        (name_a_place_that_the_answer_does_not_have, "POST /checks example pending: there is no /reference/deeper"),
        (forget_the_summary, "POST /checks: has no summary"),
        (break_openapi, "not valid OpenAPI"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_fault_is_a_sentence(spoil: Callable[[Document], None], sentence: str) -> None:
    document = deepcopy(PARTNERS["identity-bureau"])

    spoil(document)

    assert any(fault.startswith(sentence) for fault in partner_faults(document)), list(partner_faults(document))
