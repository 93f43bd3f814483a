from copy import deepcopy
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from partners.model.contract import Answer, Contract, Exchange, Operation, Request, refused, unexplained
from paygo.problems import Place

NOW = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
ORDER = {
    "type": "object",
    "required": ["item", "amount"],
    "additionalProperties": False,
    "properties": {
        "item": {"type": "string", "minLength": 1},
        "amount": {"type": "integer", "minimum": 1},
        "notes": {"type": "array", "items": {"$ref": "#/components/schemas/Note"}},
        "callback": {"type": "string"},
    },
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "security": [{"credential": []}],
    "paths": {
        "/orders/{order_id}": {
            "get": {
                "parameters": [
                    {"name": "order_id", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {"name": "page", "in": "query", "schema": {"type": "integer", "maximum": 9}},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                    "default": {"headers": {"X-Reason": {"schema": {"const": "unknown"}}}},
                },
            },
            "delete": {"responses": {"204": {}}},
        },
        "/orders/last": {"get": {"responses": {"200": {}}}},
        "/orders": {
            "post": {
                "parameters": [{"$ref": "#/components/parameters/Key"}],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                },
                "responses": {
                    "404": {},
                    "201": {
                        "headers": {"X-Wait": {"schema": {"type": "integer"}, "example": 2}},
                        "content": {
                            "application/json": {
                                "schema": {},
                                "examples": {
                                    "large": {"x-paygo-when": {"/amount": 1000}, "value": {"state": "asks"}},
                                    "taken": {
                                        "x-paygo-values": {"/order/id": "$uuid", "/item": "$request.body#/item"},
                                        "value": {"state": "taken", "order": {"id": "1"}, "item": "kit"},
                                    },
                                },
                            }
                        },
                    },
                    "422": {
                        "content": {
                            "application/problem+json": {
                                "schema": {},
                                "examples": {"none": {"x-paygo-when": {"/item": "none"}, "value": {"title": "None"}}},
                            }
                        }
                    },
                },
                "callbacks": {
                    "done": {
                        "{$request.body#/callback}": {
                            "post": {
                                "requestBody": {
                                    "content": {
                                        "application/json": {
                                            "schema": {},
                                            "examples": {
                                                "failed": {"x-paygo-when": {"/item": "bad"}, "value": {"is": "failed"}},
                                                "done": {
                                                    "x-paygo-values": {
                                                        "/at": "$now",
                                                        "/of": "O-{$response.body#/order/id}",
                                                    },
                                                    "value": {"is": "done", "at": "", "of": ""},
                                                },
                                            },
                                        }
                                    }
                                }
                            }
                        }
                    }
                },
            }
        },
    },
    "components": {
        "securitySchemes": {"credential": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
        "parameters": {
            "Key": {"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string"}}
        },
        "schemas": {
            "Order": ORDER,
            "Note": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}},
        },
    },
}
CONTRACT = Contract(DOCUMENT)


def operation(method: str, route: str) -> Operation:
    found = CONTRACT.operation(method, route)
    assert found is not None
    return found


def post(body: str = '{"item": "kit", "amount": 1}', **headers: str) -> Request:
    return Request("POST", "/orders", headers=headers or {"idempotency-key": "one"}, text=body)


def exchange(request: Request, answer: Answer | None = None, **path_values: str) -> Exchange:
    ids = count(1)
    return Exchange(request, path_values, NOW, lambda: f"id-{next(ids)}", answer)


def test_a_path_without_parameters_goes_before_one_with_them() -> None:
    assert operation("GET", "/orders/last").template == "/orders/last"
    assert operation("GET", "/orders/7").template == "/orders/{order_id}"


@pytest.mark.parametrize(
    ("method", "route"),
    [("PUT", "/orders"), ("GET", "/order"), ("GET", "/orders/1/2"), ("GET", "/orders/"), ("GET", "")],
)
def test_a_route_that_the_contract_does_not_have_is_none(method: str, route: str) -> None:
    assert CONTRACT.operation(method, route) is None


def test_dots_of_a_path_are_dots() -> None:
    assert Contract({"paths": {"/v1.0/x": {"get": {}}}}).operation("GET", "/v1a0/x") is None


def test_the_parameters_of_a_path_are_read() -> None:
    assert operation("GET", "/orders/7").path_values == {"order_id": "7"}


def test_a_request_as_the_contract_says_has_no_fault() -> None:
    assert list(operation("POST", "/orders").faults(post())) == []
    assert list(operation("DELETE", "/orders/7").faults(Request("DELETE", "/orders/7"))) == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('{"item": "kit"}', Place("/amount", "is missing")),
        ('{"item": "kit", "amount": 1, "colour": "red"}', Place("/colour", "is not known")),
        ('{"item": "kit", "amount": 0}', Place("/amount", "must be bigger than or equal to 1")),
        ('{"item": 1, "amount": 1}', Place("/item", "must be string")),
        ('{"item": "kit", "amount": 1, "notes": [{}, {"id": "1"}]}', Place("/notes/1/id", "must be uuid")),
        ("[]", Place("/", "must be object")),
        ("", Place("/", "must be JSON")),
        ("{", Place("/", "must be JSON")),
    ],
)
def test_a_fault_of_the_body_is_pointed_at(body: str, place: Place) -> None:
    assert list(operation("POST", "/orders").faults(post(body))) == [place]


def test_a_missing_header_is_pointed_at() -> None:
    assert list(operation("POST", "/orders").faults(post(accept="all"))) == [Place("/Idempotency-Key", "is missing")]


@pytest.mark.parametrize(
    ("route", "query", "places"),
    [
        ("/orders/7", {}, []),
        ("/orders/7", {"page": "9"}, []),
        ("/orders/7", {"page": "10"}, [Place("/page", "must be smaller than or equal to 9")]),
        ("/orders/7", {"page": "two"}, [Place("/page", "must be integer")]),
        ("/orders/x", {}, [Place("/order_id", "must be integer")]),
    ],
)
def test_a_fault_of_a_parameter_is_pointed_at(route: str, query: dict[str, str], places: list[Place]) -> None:
    assert list(operation("GET", route).faults(Request("GET", route, query=query))) == places


def test_a_schema_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import fastjsonschema

    compiled: list[Any] = []
    compile_ = fastjsonschema.compile

    def note(schema: Any, **named: Any) -> Any:
        compiled.append(schema)
        return compile_(schema, **named)

    monkeypatch.setattr(fastjsonschema, "compile", note)
    contract = Contract(deepcopy(DOCUMENT))

    for value in ({"item": "kit", "amount": 1}, {}):
        contract.misfit(contract.resolve({"$ref": "#/components/schemas/Order"}), value)

    assert len(compiled) == 1


def test_the_first_good_answer_is_shown_with_its_places_filled() -> None:
    answer = operation("POST", "/orders").answer(exchange(post('{"item": "lamp", "amount": 1}')))

    assert (answer.status, answer.headers, answer.content_type) == (201, {"X-Wait": "2"}, "application/json")
    assert answer.value == {"state": "taken", "order": {"id": "id-1"}, "item": "lamp"}
    assert answer.text == '{"state": "taken", "order": {"id": "id-1"}, "item": "lamp"}'


def test_a_place_that_the_request_has_nothing_for_stays_as_shown() -> None:
    answer = operation("POST", "/orders").answer(exchange(post("{}")))

    assert answer.value["item"] == "kit"


def test_filling_an_answer_leaves_the_contract_as_it_is() -> None:
    before = deepcopy(DOCUMENT)

    operation("POST", "/orders").answer(exchange(post()))

    assert before == DOCUMENT


@pytest.mark.parametrize(
    ("body", "status", "value"),
    [
        ('{"item": "kit", "amount": 1000}', 201, {"state": "asks"}),
        ('{"item": "none", "amount": 1}', 422, {"title": "None"}),
    ],
)
def test_a_request_that_an_example_is_for_gets_it(body: str, status: int, value: Any) -> None:
    answer = operation("POST", "/orders").answer(exchange(post(body)))

    assert (answer.status, answer.value) == (status, value)


def test_a_status_can_be_asked_for() -> None:
    asked = operation("POST", "/orders")

    assert asked.answer(exchange(post()), 422).value == {"title": "None"}
    assert asked.answer(exchange(post()), 201).value["state"] == "taken"


def test_an_answer_without_an_example_is_made_from_its_schema() -> None:
    answer = operation("GET", "/orders/7").answer(exchange(Request("GET", "/orders/7")))

    assert CONTRACT.misfit(ORDER, answer.value) is None
    assert answer.value["notes"] != []


def test_an_answer_without_content_is_empty() -> None:
    assert operation("DELETE", "/orders/7").answer(exchange(Request("DELETE", "/orders/7"))) == Answer(204)


def test_a_status_that_the_contract_does_not_name_is_its_default() -> None:
    answer = operation("GET", "/orders/7").answer(exchange(Request("GET", "/orders/7")), 201)

    assert answer == Answer(201, {"X-Reason": "unknown"})


@pytest.mark.parametrize("status", [404, 500, 599])
def test_a_refusal_without_words_is_a_problem(status: int) -> None:
    answer = operation("POST", "/orders").answer(exchange(post()), status)

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert answer.value["status"] == status
    assert answer.value["title"] == {404: "Not Found", 500: "Internal Server Error", 599: "Refused"}[status]


def test_a_refusal_names_the_places() -> None:
    answer = refused(unexplained(400), [Place("/item", "is missing")])

    assert answer.value["errors"] == [{"pointer": "/item", "detail": "is missing"}]
    assert answer.value["title"] == "Bad Request"
    assert answer.text.endswith('"errors": [{"pointer": "/item", "detail": "is missing"}]}')


def test_a_callback_speaks_of_request_and_answer() -> None:
    request = post('{"item": "kit", "amount": 1, "callback": "https://api.example.org/done"}')
    asked = operation("POST", "/orders")
    answer = asked.answer(exchange(request))

    (due,) = asked.callbacks(exchange(request, answer))

    assert due.url == "https://api.example.org/done"
    assert due.value == {"is": "done", "at": "2026-11-21T10:05:00+00:00", "of": "O-id-1"}


def test_a_request_may_have_a_callback_of_its_own() -> None:
    request = post('{"item": "bad", "amount": 1}')

    (due,) = operation("POST", "/orders").callbacks(exchange(request, Answer(201)))

    assert due.value == {"is": "failed"}


def test_the_addresses_of_callbacks_are_known_before() -> None:
    request = post('{"callback": "somewhere"}')

    assert list(operation("POST", "/orders").callback_addresses(request)) == [("/callback", "somewhere")]
    assert list(operation("DELETE", "/orders/7").callback_addresses(request)) == []


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$request.body#/item", "kit"),
        ("$request.body#/amount", 1),
        ("$request.body#/nowhere", None),
        ("$request.path.order_id", "7"),
        ("$request.query.page", "2"),
        ("$request.header.Idempotency-Key", "one"),
        ("$response.body#/state", "taken"),
        ("$statusCode", None),
        ("$uuid", "id-1"),
        ("$now", "2026-11-21T10:05:00+00:00"),
        ("no expression", "no expression"),
        ("{$request.body#/item}-{$uuid}", "kit-id-1"),
    ],
)
def test_a_runtime_expression_stands_for_a_value(expression: str, value: Any) -> None:
    request = Request("POST", "/orders", {"page": "2"}, {"idempotency-key": "one"}, '{"item": "kit", "amount": 1}')
    answered = Answer.with_value(201, {"state": "taken"}, "application/json")

    assert exchange(request, answered, order_id="7").value(expression) == value


def test_before_an_answer_there_is_nothing_to_say_of_it() -> None:
    assert exchange(post()).value("$response.body#/state") is None


def test_a_credential_is_a_key_in_a_header_or_a_bearer_token() -> None:
    bearer = Contract({"security": [{"t": []}], "components": {"securitySchemes": {"t": {"type": "http"}}}})

    assert CONTRACT.credential.shown({"x-api-key": "Bearer secret"}) == "Bearer secret"
    assert bearer.credential.shown({"authorization": "Bearer secret"}) == "secret"
    assert bearer.credential.shown({}) == ""
    assert bearer.credential.shown({"authorization": "secret"}) == ""
