import json
import threading
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import paygo_client
from paygo_client import (
    ApiUnreachable,
    Money,
    PaygoProblem,
    PaymentRequestState,
    RetryPolicy,
    Session,
    SessionDetails,
    SessionState,
)
from paygo_client.transport import utc_now
from tests.unit.clients.apps import CUSTOMER, HOUSEHOLD, opened
from tests.unit.clients.scripted_api import CUT, NOW, Asked, Scripted, ScriptedApi, Time, answer, problem, session

DEVICE_ID = UUID("9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d")
DEVICE = {
    "device_id": str(DEVICE_ID),
    "serial_number": "SHS-000001",
    "model": "solar-home-50",
    "state": "active",
    "registered_at": "2026-11-21T10:02:00Z",
}


def device(number: int) -> dict[str, str]:
    return DEVICE | {"serial_number": f"SHS-{number:06}"}


def is_signed_by(api: ScriptedApi, asked: Asked, name: str) -> bool:
    """Whether botocore, signing the request as it arrived, comes to the same signature."""
    sent = asked.headers["Authorization"]
    signed_headers = sent.split("SignedHeaders=")[1].split(",")[0].split(";")
    host = f"{urlsplit(api.url).scheme}://{asked.headers['Host']}"
    request = AWSRequest(
        asked.method,
        host + asked.target,
        data=asked.body,
        headers={key: value for key, value in asked.headers.items() if key.lower() in signed_headers},
    )
    request.context["timestamp"] = asked.headers["X-Amz-Date"]
    signer = SigV4Auth(
        Credentials(f"ASIA{name.upper()}", f"secret-{name}", f"token-{name}"), "execute-api", "eu-west-1"
    )
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    scope = f"Credential=ASIA{name.upper()}/20261121/eu-west-1/execute-api/aws4_request"
    return scope in sent and f"Signature={signature}" in sent


def test_opening_a_session_needs_no_signature(api: ScriptedApi, time: Time) -> None:
    opening = opened(api, time)

    assert opening.details.state is SessionState.ANONYMOUS
    assert opening.details.region == "eu-west-1"
    assert api.asked[0].target == "/_aws/execute-api/abc123/live/v1/sessions"
    assert "Authorization" not in api.asked[0].headers


def test_secrets_do_not_show_in_a_representation(api: ScriptedApi, time: Time) -> None:
    shown = repr(opened(api, time).details) + repr(HOUSEHOLD) + repr(CUSTOMER)

    secrets = ("secret-first", "token-first", "bearer-first", "refresh-first", "correct-horse", "493817")
    assert not [secret for secret in secrets if secret in shown]


def test_a_call_is_signed_for_the_url_as_it_is_sent(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer({"items": [], "next_cursor": None}), answer(DEVICE, 201))

    app.request("GET", "/v1/devices", query=[("limit", "5"), ("cursor", "a+b/c= ~é"), ("limit", "4")])
    app.register_device("SHS-000001", "K7QM-2X9D")

    assert api.asked[1].target.endswith("/v1/devices?limit=5&cursor=a%2Bb%2Fc%3D%20~%C3%A9&limit=4")
    assert is_signed_by(api, api.asked[1], "first")
    assert is_signed_by(api, api.asked[2], "first")


def test_the_status_of_a_session_is_typed(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer(session(state="registering")))

    assert app.status().state is SessionState.REGISTERING


def test_escalation_signs_with_the_old_and_then_with_the_new_credentials(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer(session("second", "authenticated")), answer(DEVICE | {"desired": CREDIT, "reported": None}))

    app.escalate()
    app.device(DEVICE_ID)

    assert app.details.state is SessionState.AUTHENTICATED
    assert is_signed_by(api, api.asked[1], "first")
    assert is_signed_by(api, api.asked[2], "second")


CREDIT = {"credit_until": "2026-11-26T10:05:00Z", "credit_version": 1}


def test_a_device_has_caught_up_when_it_reported_what_it_was_told(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    reported = [None, CREDIT | {"credit_version": 0}, CREDIT]
    api.will(*[answer(DEVICE | {"desired": CREDIT, "reported": one}) for one in reported])

    assert [app.device(DEVICE_ID).has_caught_up for _ in reported] == [False, False, True]


def test_credit_is_typed(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    price = {"amount": 5000, "currency": "KES"}
    api.will(answer({"device_id": str(DEVICE_ID), **CREDIT, "price_per_day": price, "added_later": True}))

    credit = app.credit(DEVICE_ID)

    assert credit.price_per_day == paygo_client.Money(amount=5000, currency="KES")
    assert credit.credit_until is not None
    assert credit.credit_until - NOW == timedelta(days=5, minutes=5)


def test_credentials_are_replaced_before_they_expire(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(
        answer(session()),
        answer(session("second", expires_at=NOW + timedelta(hours=2))),
        answer(session()),
        answer(session()),
    )

    time.now = NOW + timedelta(minutes=54, seconds=59)
    app.status()
    time.now = NOW + timedelta(minutes=55)
    app.status()
    app.status()

    assert [asked.target.rsplit("/v1/")[1] for asked in api.asked] == [
        "sessions",
        "sessions/current",
        "sessions/refresh",
        "sessions/current",
        "sessions/current",
    ]
    assert api.asked[2].json == {"refresh_token": "refresh-first-0123456789"}
    assert "Authorization" not in api.asked[2].headers
    assert is_signed_by(api, api.asked[3], "second")


def test_threads_that_need_new_credentials_at_once_refresh_once(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    time.now = NOW + timedelta(minutes=59)
    later = session("second", expires_at=NOW + timedelta(hours=2))
    api.will(answer(later), *[answer(later) for _ in range(8)])

    threads = [threading.Thread(target=app.status) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(asked.target.endswith("/refresh") for asked in api.asked) == 1
    assert all(is_signed_by(api, asked, "second") for asked in api.asked[2:])


def test_a_refresh_whose_answer_is_lost_is_not_sent_again(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(CUT)

    with pytest.raises(ApiUnreachable):
        app.refresh()

    assert len(api.asked) == 2


def test_a_session_that_was_kept_goes_on(api: ScriptedApi, time: Time) -> None:
    kept = opened(api, time).details.model_dump_json()
    api.will(answer(session()))

    with Session.resume(api.url, SessionDetails.model_validate_json(kept), clock=time.clock, sleep=time.sleep) as app:
        app.status()

    assert is_signed_by(api, api.asked[1], "first")


@pytest.mark.parametrize(
    "passing",
    [
        CUT,
        problem(503, "unavailable"),
        problem(429, "too-many-requests"),
        problem(409, "request-in-progress"),
        problem(409, "session-changed"),
    ],
    ids=["cut", "503", "429", "in progress", "changed meanwhile"],
)
def test_the_tries_of_one_intent_carry_one_idempotency_key(api: ScriptedApi, time: Time, passing: Scripted) -> None:
    app = opened(api, time)
    api.will(passing, passing, answer(DEVICE, 201), answer(DEVICE, 201))

    app.register_device("SHS-000001", "K7QM-2X9D")
    app.register_device("SHS-000001", "K7QM-2X9D")

    keys = [asked.headers["Idempotency-Key"] for asked in api.asked[1:]]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert len(time.slept) == 2


def test_a_try_is_signed_at_its_own_time(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(problem(503, "unavailable", retry_after="7"), answer(session()))

    app.status()

    assert [asked.headers["X-Amz-Date"] for asked in api.asked[1:]] == ["20261121T100000Z", "20261121T100007Z"]


@pytest.mark.parametrize("failure", [CUT, problem(503, "unavailable")], ids=["cut", "503"])
def test_a_call_that_may_have_been_done_is_not_sent_again(api: ScriptedApi, time: Time, failure: Scripted) -> None:
    app = opened(api, time)
    api.will(failure)

    with pytest.raises((ApiUnreachable, PaygoProblem)):
        app.request("POST", "/v1/anything")

    assert len(api.asked) == 2


def test_a_refused_call_is_not_sent_again(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(problem(403, "session-refused"))

    with pytest.raises(PaygoProblem):
        app.status()

    assert len(api.asked) == 2


def test_tries_end(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(*[problem(503, "unavailable") for _ in range(9)])

    with pytest.raises(PaygoProblem):
        app.status()

    assert len(api.asked) == 1 + RetryPolicy().attempts


def test_a_wait_longer_than_the_budget_is_not_begun(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(problem(429, "too-many-requests", retry_after="21"))

    with pytest.raises(PaygoProblem) as refused:
        app.status()

    assert refused.value.retry_after == 21
    assert time.slept == []


def test_an_api_that_is_not_there_is_tried_again_even_for_what_is_not_repeatable(time: Time) -> None:
    with pytest.raises(ApiUnreachable, match="POST /v1/sessions"):
        Session.open("http://127.0.0.1:9/live", clock=time.clock, sleep=time.sleep)

    assert len(time.slept) == 3


def test_a_connection_that_is_not_made_in_time_was_not_sent(api: ScriptedApi, time: Time) -> None:
    class Unreachable(requests.Session):
        def request(self, *_args: object, **_more: object) -> requests.Response:
            raise requests.ConnectTimeout

    kept = SessionDetails.model_validate(session(expires_at=utc_now() + timedelta(hours=1)))
    app = Session.resume(api.url, kept, http=Unreachable(), sleep=time.sleep)

    with pytest.raises(ApiUnreachable):
        app.escalate()

    assert len(time.slept) == RetryPolicy().attempts - 1


def test_a_problem_says_what_is_wrong_and_where(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(problem(400, "invalid-request", errors=[{"pointer": "/phone", "detail": "must be E.164"}]))

    with pytest.raises(PaygoProblem) as refused:
        app.register(HOUSEHOLD)

    wrong = refused.value
    assert (wrong.kind, wrong.status, wrong.instance) == ("invalid-request", 400, "urn:paygo:request:1")
    assert wrong.errors == (paygo_client.Place(pointer="/phone", detail="must be E.164"),)
    assert str(wrong) == "400 It did not work. Do something else. [/phone: must be E.164]"


@pytest.mark.parametrize(("status", "title"), [(502, "Bad Gateway"), (599, "Error")])
def test_an_error_that_is_no_problem_becomes_one(api: ScriptedApi, time: Time, status: int, title: str) -> None:
    app = opened(api, time)
    api.will(Scripted(status, b"<html>\xff"))

    with pytest.raises(PaygoProblem) as refused:
        app.request("POST", "/v1/anything")

    wrong = refused.value
    assert (wrong.type, wrong.kind, wrong.title) == ("about:blank", "about:blank", title)
    assert wrong.detail == "<html>�"
    assert (wrong.retry_after, wrong.instance) == (None, None)


def test_a_problem_that_leaves_its_status_out_has_that_of_the_answer(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(Scripted(403, b'{"type": "urn:paygo:problem:access-refused", "title": "Access was refused"}'))

    with pytest.raises(PaygoProblem) as refused:
        app.status()

    assert (refused.value.status, refused.value.kind) == (403, "access-refused")


def test_a_redirect_is_not_followed(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(Scripted(302, headers={"Location": "http://127.0.0.1:9/"}))

    with pytest.raises(PaygoProblem, match="302"):
        app.status()


def test_an_answer_outside_the_contract_is_told_apart(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer({"state": "unheard-of"}))

    with pytest.raises(paygo_client.UnexpectedAnswer, match="/v1/sessions/current answered something else"):
        app.status()


def test_devices_are_read_page_by_page_as_they_are_needed(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(
        answer({"items": [device(1), device(2)], "next_cursor": "a=b&c"}),
        answer({"items": [device(3)], "next_cursor": None}),
    )

    devices = app.devices(page_size=2)
    first = next(devices)
    asked_for_the_first = len(api.asked)
    rest = list(devices)

    assert asked_for_the_first == 2
    assert [one.serial_number for one in (first, *rest)] == ["SHS-000001", "SHS-000002", "SHS-000003"]
    assert api.asked[1].target.endswith("/v1/devices?limit=2")
    assert api.asked[2].target.endswith("/v1/devices?cursor=a%3Db%26c&limit=2")


def test_a_statement_is_the_newest_balance_and_every_entry(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)

    def page(balance: int, amounts: list[int], next_cursor: str | None) -> Scripted:
        entries = [
            {
                "transaction_id": "2c3b7a54-2f44-4f6d-8a3e-6b1e0c9d2f10",
                "booked_at": "2026-11-21T10:05:00Z",
                "amount": {"amount": amount, "currency": "KES"},
                "description": "payment",
                "device_id": str(DEVICE_ID),
            }
            for amount in amounts
        ]
        return answer({"balance": {"amount": balance, "currency": "KES"}, "items": entries, "next_cursor": next_cursor})

    api.will(page(7, [-1, 2], "more"), page(8, [3], None), page(0, [4], None))

    statement = app.statement()

    assert statement.balance.amount == 7
    assert [entry.amount.amount for entry in statement.entries] == [-1, 2, 3]
    assert [entry.amount.amount for entry in app.statement_entries(page_size=50)] == [4]
    assert api.asked[-1].target.endswith("?limit=50")


PAYMENT_REQUEST = {
    "payment_request_id": "6f1d2c3b-4a59-5e68-8f77-0a1b2c3d4e5f",
    "provider": "mobile-money",
    "serial_number": "SHS-000001",
    "amount": {"amount": 25000, "currency": "KES"},
    "state": "requested",
    "requested_at": "2026-11-21T10:04:00Z",
}


def test_a_payment_is_asked_for_and_followed(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer(PAYMENT_REQUEST, 202), answer(PAYMENT_REQUEST | {"state": "paid"}))

    asked = app.request_payment(
        "mobile-money",
        "SHS-000001",
        Money(amount=25000, currency="KES"),
        "+254700000001",
        idempotency_key="kept-on-disk-1",
    )
    followed = app.payment_request(asked.payment_request_id)

    assert (asked.state, followed.state) == (PaymentRequestState.REQUESTED, PaymentRequestState.PAID)
    assert asked.amount == Money(amount=25000, currency="KES")
    sent, read = api.asked[1:]
    assert json.loads(sent.body) == {
        "provider": "mobile-money",
        "serial_number": "SHS-000001",
        "amount": {"amount": 25000, "currency": "KES"},
        "phone": "+254700000001",
    }
    assert sent.headers["Idempotency-Key"] == "kept-on-disk-1"
    assert read.target.endswith("/v1/payment-requests/6f1d2c3b-4a59-5e68-8f77-0a1b2c3d4e5f")


def test_a_request_for_a_payment_whose_answer_was_lost_is_sent_again_with_its_key(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(problem(503, "unavailable"), answer(PAYMENT_REQUEST, 202))

    app.request_payment("mobile-money", "SHS-000001", Money(amount=25000, currency="KES"), "+254700000001")

    keys = [asked.headers["Idempotency-Key"] for asked in api.asked[1:]]
    assert len(keys) == 2
    assert keys[0] == keys[1]
