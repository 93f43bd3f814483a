import base64
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import Field

from paygo.http import (
    WireModel,
    answer,
    answer_once,
    api,
    entry_point,
    idempotency_store,
    location,
    origin,
    paging,
    parse,
    raw_body,
)
from paygo.identities import identity_hash
from paygo.problems import Problem
from paygo.storage import InvalidCursor, Table

type EventMaker = Callable[..., dict[str, Any]]

STORE = "paygo-test-idempotency"


class Order(WireModel):
    item: str
    count: int = Field(ge=1)


class Shop:
    """A small API that shows each way a request can end."""

    def __init__(self) -> None:
        self.app = api()
        self.sold: list[Order] = []
        self.failure: Exception | None = None
        self.app.post("/orders")(self.order)
        self.app.get("/orders")(self.list)
        self.app.post("/orders-once")(self.order_once)
        self.handler = entry_point(self.app)

    def order(self) -> Response[str]:
        order = parse(self.app.current_event, Order)
        self.sold.append(order)
        place = location(self.app.current_event, f"/orders/{len(self.sold)}")
        return answer(HTTPStatus.CREATED, order, {"Location": place})

    def list(self) -> Response[str]:
        if self.failure:
            raise self.failure
        page = paging(self.app.current_event)
        return answer(HTTPStatus.OK, page)

    def order_once(self) -> Response[str]:
        event = self.app.current_event
        order = parse(event, Order)

        def work() -> Response[str]:
            if self.failure:
                raise self.failure
            return self.order()

        return answer_once(
            idempotency_store(STORE, boto3.client("dynamodb")),
            event,
            self.app.lambda_context,
            caller=event.headers["caller"],
            intent=order.model_dump(),
            work=work,
        )


@pytest.fixture
def shop() -> Shop:
    return Shop()


def problem(answered: dict[str, Any]) -> dict[str, Any]:
    assert answered["multiValueHeaders"]["Content-Type"] == ["application/problem+json"]
    document: dict[str, Any] = json.loads(answered["body"])
    assert document["status"] == answered["statusCode"]
    assert document["instance"] == "urn:paygo:request:request-1"
    return document


def test_an_answer_carries_its_model_and_headers(shop: Shop, api_event: EventMaker, context: Any) -> None:
    answered = shop.handler(api_event("POST", "/orders", body={"item": "lamp", "count": 2}), context)

    assert answered["statusCode"] == 201
    assert json.loads(answered["body"]) == {"item": "lamp", "count": 2}
    assert answered["multiValueHeaders"]["Location"] == ["/orders/1"]
    assert answered["multiValueHeaders"]["Content-Type"] == ["application/json"]


def test_an_answer_may_have_no_body() -> None:
    answered = answer(HTTPStatus.NO_CONTENT)

    assert (answered.status_code, answered.body, answered.content_type) == (204, "", None)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"item": "lamp", "count": 0}, ["/count"]),
        ({"count": "many"}, ["/item", "/count"]),
        ({"item": "lamp", "count": 1, "gift": True}, ["/gift"]),
        ("not json", ["/"]),
        (None, ["/"]),
    ],
)
def test_each_wrong_place_is_named(
    shop: Shop, api_event: EventMaker, context: Any, body: Any, pointers: list[str]
) -> None:
    document = problem(shop.handler(api_event("POST", "/orders", body=body), context))

    assert document["type"] == "urn:paygo:problem:invalid-request"
    assert [wrong["pointer"] for wrong in document["errors"]] == pointers
    assert shop.sold == []


def test_a_refused_value_is_not_repeated(shop: Shop, api_event: EventMaker, context: Any) -> None:
    answered = shop.handler(api_event("POST", "/orders", body={"item": ["secret"], "count": 1}), context)

    assert "secret" not in answered["body"]


def test_a_route_answers_below_bearer_too(shop: Shop, api_event: EventMaker, context: Any) -> None:
    answered = shop.handler(api_event("POST", "/bearer/orders", body={"item": "lamp", "count": 2}), context)

    assert answered["statusCode"] == 201
    assert answered["multiValueHeaders"]["Location"] == ["/bearer/orders/1"]


def test_a_request_says_where_it_came_from(api_event: EventMaker) -> None:
    came = origin(APIGatewayProxyEvent(api_event("GET", "/orders")))

    assert (came.source_ip, came.user_agent) == ("192.0.2.1", "curl/8.5.0")


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS])
def test_a_refusal_is_logged_for_the_audit(
    shop: Shop, api_event: EventMaker, context: Any, log: io.StringIO, status: HTTPStatus
) -> None:
    shop.failure = Problem(status, "sold-out", "Nothing is left", "Come back tomorrow.")

    shop.handler(api_event("GET", "/orders", identity_id="us-east-1:1", headers={"Authorization": "secret"}), context)

    refused, _answered = map(json.loads, log.getvalue().splitlines())
    audit = refused["audit"]
    assert datetime.fromisoformat(audit.pop("time")).tzinfo is not None
    assert audit == {
        "act": "request-refused",
        "reason": "sold-out",
        "method": "GET",
        "route": "/orders",
        "caller": {"identity_hash": identity_hash("us-east-1:1")},
        "source_ip": "192.0.2.1",
        "user_agent": "curl/8.5.0",
        "request_id": "request-1",
    }
    assert refused["level"] == "WARNING"
    assert "secret" not in log.getvalue()


def test_a_refusal_names_the_session_of_a_token(
    shop: Shop, api_event: EventMaker, context: Any, log: io.StringIO
) -> None:
    shop.failure = Problem(HTTPStatus.FORBIDDEN, "session-refused", "No", "No.")
    told = {"identity_hash": "0a1b", "session_id": "s-1", "kind": "household", "scope": "orders:read"}

    shop.handler(api_event("GET", "/bearer/orders", authorizer=told), context)

    audit = json.loads(log.getvalue().splitlines()[0])["audit"]
    assert audit["caller"] == {"identity_hash": "0a1b", "session_id": "s-1"}


def test_what_is_not_a_refusal_is_no_matter_of_the_audit(
    shop: Shop, api_event: EventMaker, context: Any, log: io.StringIO
) -> None:
    shop.failure = Problem(HTTPStatus.CONFLICT, "sold-out", "Nothing is left", "Come back tomorrow.")

    shop.handler(api_event("GET", "/orders"), context)

    assert "audit" not in log.getvalue()


def test_an_unknown_route_is_a_problem(shop: Shop, api_event: EventMaker, context: Any) -> None:
    assert problem(shop.handler(api_event("GET", "/nowhere"), context))["status"] == 404


def test_a_problem_raised_anywhere_is_the_answer(shop: Shop, api_event: EventMaker, context: Any) -> None:
    shop.failure = Problem(HTTPStatus.CONFLICT, "sold-out", "Nothing is left", "Come back tomorrow.")

    assert problem(shop.handler(api_event("GET", "/orders"), context))["type"] == "urn:paygo:problem:sold-out"


def test_a_problem_that_passes_says_when(shop: Shop, api_event: EventMaker, context: Any) -> None:
    shop.failure = Problem(
        HTTPStatus.CONFLICT, "sold-out", "Nothing is left", "Come back.", retry_in=timedelta(milliseconds=1500)
    )

    answered = shop.handler(api_event("GET", "/orders"), context)

    assert answered["multiValueHeaders"]["Retry-After"] == ["2"]


def test_an_error_nobody_planned_for_says_nothing_of_itself(
    shop: Shop, api_event: EventMaker, context: Any, log: io.StringIO
) -> None:
    shop.failure = RuntimeError("the database's name")

    answered = shop.handler(api_event("GET", "/orders"), context)

    assert problem(answered)["type"] == "urn:paygo:problem:unexpected"
    assert "database" not in answered["body"]
    assert "the database's name" in log.getvalue()


def test_a_made_up_cursor_is_an_invalid_request(shop: Shop, api_event: EventMaker, context: Any) -> None:
    shop.failure = InvalidCursor("x")

    document = problem(shop.handler(api_event("GET", "/orders"), context))

    assert document["errors"][0]["pointer"] == "/cursor"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (None, {"cursor": None, "limit": 20}),
        ({"limit": "100", "cursor": "abc", "unknown": "1"}, {"cursor": "abc", "limit": 100}),
    ],
)
def test_a_list_is_paged_as_the_query_asks(
    shop: Shop, api_event: EventMaker, context: Any, query: Any, expected: dict[str, Any]
) -> None:
    answered = shop.handler(api_event("GET", "/orders", query=query), context)

    assert json.loads(answered["body"]) == expected


@pytest.mark.parametrize("limit", ["0", "101", "all"])
def test_a_page_has_one_to_a_hundred_items(shop: Shop, api_event: EventMaker, context: Any, limit: str) -> None:
    document = problem(shop.handler(api_event("GET", "/orders", query={"limit": limit}), context))

    assert document["errors"][0]["pointer"] == "/limit"


def test_a_body_is_its_bytes_however_the_gateway_hands_it_over() -> None:
    assert raw_body(APIGatewayProxyEvent({"body": "é", "isBase64Encoded": False})) == "é".encode()
    encoded = base64.b64encode(b"\x00\xff").decode()
    assert raw_body(APIGatewayProxyEvent({"body": encoded, "isBase64Encoded": True})) == b"\x00\xff"
    assert raw_body(APIGatewayProxyEvent({"body": None})) == b""


def test_one_line_is_logged_a_request(shop: Shop, api_event: EventMaker, context: Any, log: io.StringIO) -> None:
    shop.handler(api_event("GET", "/orders"), context)

    (line,) = log.getvalue().splitlines()
    logged = json.loads(line)
    assert (logged["route"], logged["method"], logged["status"]) == ("/orders", "GET", 200)
    assert logged["correlation_id"] == "request-1"


@pytest.fixture
def order_once(shop: Shop, idempotency: Table, api_event: EventMaker, context: Any) -> Callable[..., dict[str, Any]]:
    def send(key: str | None = "key-0001", count: int = 1, caller: str = "amina", below: str = "") -> dict[str, Any]:
        headers = {"caller": caller} | ({"Idempotency-Key": key} if key else {})
        body = {"item": "lamp", "count": count}
        return shop.handler(api_event("POST", f"{below}/orders-once", body=body, headers=headers), context)

    return send


def test_a_request_sent_twice_is_done_once_and_answered_alike(
    shop: Shop, order_once: Callable[..., dict[str, Any]]
) -> None:
    first, second = order_once(), order_once()

    assert len(shop.sold) == 1
    assert first == second
    assert first["statusCode"] == 201
    assert first["multiValueHeaders"]["Location"] == ["/orders/1"]


def test_a_request_sent_again_with_a_token_is_the_same_and_its_place_is_where_the_token_opens_it(
    shop: Shop, order_once: Callable[..., dict[str, Any]]
) -> None:
    signed, bearer, again = order_once(), order_once(below="/bearer"), order_once()

    assert len(shop.sold) == 1
    assert signed["body"] == bearer["body"]
    places = [answered["multiValueHeaders"]["Location"] for answered in (signed, bearer, again)]
    assert places == [["/orders/1"], ["/bearer/orders/1"], ["/orders/1"]]


@pytest.mark.parametrize("other", [{"key": "key-0002"}, {"caller": "brian"}])
def test_another_key_or_caller_is_another_request(
    shop: Shop, order_once: Callable[..., dict[str, Any]], other: dict[str, str]
) -> None:
    order_once()
    order_once(**other)

    assert len(shop.sold) == 2


def test_a_key_used_for_something_else_is_refused(shop: Shop, order_once: Callable[..., dict[str, Any]]) -> None:
    order_once(count=1)

    document = problem(order_once(count=2))

    assert (document["status"], document["type"]) == (422, "urn:paygo:problem:idempotency-key-reused")
    assert len(shop.sold) == 1


@pytest.mark.parametrize("key", [None, "key-001", "k" * 129, "key 0001", "key-0001\n"])
def test_a_request_without_a_key_of_the_contracts_form_is_refused(
    shop: Shop, order_once: Callable[..., dict[str, Any]], key: str | None
) -> None:
    document = problem(order_once(key=key))

    assert (document["status"], document["errors"][0]["pointer"]) == (400, "/Idempotency-Key")
    assert shop.sold == []


def test_a_request_that_failed_can_be_sent_again(shop: Shop, order_once: Callable[..., dict[str, Any]]) -> None:
    shop.failure = Problem(HTTPStatus.CONFLICT, "sold-out", "Nothing is left", "Come back tomorrow.")
    assert order_once()["statusCode"] == 409

    shop.failure = None
    assert order_once()["statusCode"] == 201


def test_a_second_request_while_the_first_is_at_work_is_told_to_wait(
    shop: Shop, order_once: Callable[..., dict[str, Any]]
) -> None:
    inner: list[dict[str, Any]] = []
    order = shop.order

    def order_and_ask_again() -> Response[str]:
        done = order()
        event, lambda_context = shop.app.current_event, shop.app.lambda_context
        with pytest.raises(Problem) as refused:
            answer_once(
                idempotency_store(STORE, boto3.client("dynamodb")),
                event,
                lambda_context,
                caller="amina",
                intent={"item": "lamp", "count": 1},
                work=order,
            )
        inner.append(refused.value.document("r"))
        return done

    shop.order = order_and_ask_again  # type: ignore[method-assign]
    assert order_once()["statusCode"] == 201

    assert inner[0]["type"] == "urn:paygo:problem:request-in-progress"
    assert len(shop.sold) == 1
