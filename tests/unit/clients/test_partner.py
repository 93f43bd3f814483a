from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygo_client import Money, PartnerClient, PaygoProblem, signatures
from tests.unit.clients.scripted_api import CUT, NOW, Asked, ScriptedApi, Time, answer, problem

PAYMENT = {"payment_id": "4b7e3f10-7a0f-4f8a-9b67-1a2b3c4d5e6f", "reference": "MM-1", "state": "confirmed"}


def partner(api: ScriptedApi, time: Time) -> PartnerClient:
    return PartnerClient(api.url, "the-api-key", "the-signing-key", clock=time.clock, sleep=time.sleep)


def is_signed(asked: Asked) -> bool:
    url = urlsplit(asked.target)
    text = signatures.string_to_sign(
        method=asked.method,
        path=url.path.removeprefix("/_aws/execute-api/abc123/live"),
        query=parse_qsl(url.query, keep_blank_values=True),
        timestamp=asked.headers["X-Paygo-Timestamp"],
        nonce=asked.headers["X-Paygo-Nonce"],
        body=asked.body,
    )
    return signatures.signature("the-signing-key", text) == asked.headers["X-Paygo-Signature"]


def test_a_payment_is_notified_with_key_and_signature(api: ScriptedApi, time: Time) -> None:
    api.will(answer(PAYMENT))

    with partner(api, time) as mobile_money:
        payment = mobile_money.notify_payment(
            reference="MM-1",
            account="SHS-000001",
            amount=Money(amount=25_000, currency="KES"),
            paid_at=datetime(2026, 11, 21, 13, 5, tzinfo=timezone(timedelta(hours=3))),
        )

    assert payment.reference == "MM-1"
    assert api.asked[0].headers["X-Api-Key"] == "the-api-key"
    assert api.asked[0].headers["X-Paygo-Timestamp"] == str(int(NOW.timestamp()))
    assert is_signed(api.asked[0])
    assert api.asked[0].json == {
        "reference": "MM-1",
        "account": "SHS-000001",
        "amount": {"amount": 25_000, "currency": "KES"},
        "paid_at": "2026-11-21T10:05:00Z",
    }


def test_a_manifest_is_imported_as_csv(api: ScriptedApi, time: Time) -> None:
    api.will(answer({"imported": 1, "known": 0, "rejected": [{"line": 3, "reason": "model: must not be empty"}]}))

    report = partner(api, time).import_manifest("serial_number\nŠHS\n")

    assert (report.imported, report.rejected[0].line) == (1, 3)
    assert api.asked[0].headers["Content-Type"] == "text/csv"
    assert api.asked[0].body == "serial_number\nŠHS\n".encode()
    assert is_signed(api.asked[0])


def test_every_try_is_signed_anew_with_a_nonce_of_its_own(api: ScriptedApi, time: Time) -> None:
    api.will(CUT, problem(503, "unavailable"), answer(PAYMENT))

    partner(api, time).notify_payment(
        reference="MM-1", account="SHS-000001", amount=Money(amount=1, currency="KES"), paid_at=NOW
    )

    assert len({asked.headers["X-Paygo-Nonce"] for asked in api.asked}) == 3
    assert all(is_signed(asked) for asked in api.asked)
    assert len({asked.body for asked in api.asked}) == 1


def test_any_request_can_be_signed(api: ScriptedApi, time: Time) -> None:
    api.will(answer({}))

    partner(api, time).request("GET", "/partners/supplier/x", query=[("b", "2 é"), ("a", "+"), ("b", "1")])

    assert is_signed(api.asked[0])


def test_a_request_that_may_have_been_done_is_not_sent_again(api: ScriptedApi, time: Time) -> None:
    api.will(problem(503, "unavailable"))

    with pytest.raises(PaygoProblem, match="503"):
        partner(api, time).request("POST", "/partners/supplier/x", body=b"\x00\xff")

    assert len(api.asked) == 1


def test_a_forged_signature_is_told_as_a_problem(api: ScriptedApi, time: Time) -> None:
    api.will(problem(401, "signature-refused"))

    with pytest.raises(PaygoProblem) as refused:
        partner(api, time).import_manifest("")

    assert refused.value.kind == "signature-refused"
