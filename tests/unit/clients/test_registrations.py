from uuid import UUID

import pytest

from paygo_client import (
    ApiUnreachable,
    BankCustomer,
    Household,
    NotConfirmed,
    NotDecidedInTime,
    PaygoProblem,
    Registration,
    RegistrationKind,
    RegistrationState,
)
from tests.unit.clients.apps import CUSTOMER, HOUSEHOLD, opened, paths
from tests.unit.clients.scripted_api import CUT, ScriptedApi, Time, answer, problem

REGISTRATION_ID = "2c3b7a54-2f44-4f6d-8a3e-6b1e0c9d2f10"
LOCATION = f"/v1/registrations/{REGISTRATION_ID}"


def registration(state: str, kind: str = "own") -> dict[str, str]:
    return {
        "registration_id": REGISTRATION_ID,
        "kind": kind,
        "state": state,
        "submitted_at": "2026-11-21T10:00:00Z",
        "expires_at": "2026-11-22T10:00:00Z",
    }


@pytest.mark.parametrize(
    ("applicant", "sent"),
    [
        (
            HOUSEHOLD,
            {
                "kind": "own",
                "email": "amina@example.org",
                "password": "correct-horse-battery-9",
                "given_name": "Amina",
                "family_name": "Odhiambo",
                "date_of_birth": "1990-05-17",
                "phone": "+254700000001",
            },
        ),
        (
            CUSTOMER,
            {"kind": "partner", "partner": "bank", "customer_number": "1002003004", "one_time_code": "493817"},
        ),
    ],
    ids=["own", "partner"],
)
def test_both_kinds_of_household_register_by_one_route(
    api: ScriptedApi, time: Time, applicant: Household | BankCustomer, sent: dict[str, str]
) -> None:
    app = opened(api, time)
    api.will(answer(registration("submitted", sent["kind"]), 202))

    pending = app.register(applicant)

    assert api.asked[1].json == sent
    assert pending.registration.kind is RegistrationKind(sent["kind"])


def test_a_code_confirms_the_address_before_anybody_decides(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(
        answer(registration("unconfirmed"), 202, Location=LOCATION, Retry_After="2"),
        answer(registration("submitted")),
        answer(registration("submitted"), Retry_After="2"),
        answer(registration("checking"), Retry_After="3"),
        answer(registration("checking")),
        answer(registration("approved")),
    )

    pending = app.register(HOUSEHOLD)
    confirmed = app.confirm(pending, "493817")
    decided = app.follow(pending)

    assert (pending.location, pending.retry_after) == (LOCATION, 2)
    assert confirmed.state is RegistrationState.SUBMITTED
    assert decided.state is RegistrationState.APPROVED
    assert time.slept == [2, 3, 1]
    assert paths(api)[1:3] == [f"POST {LOCATION}/confirmation", f"GET {LOCATION}"]
    assert api.asked[2].json == {"code": "493817"}


def test_waiting_for_a_code_is_not_waiting_for_a_decision(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(*[answer(registration("unconfirmed"), Retry_After="2")] * 2)

    with pytest.raises(NotConfirmed, match=f"{REGISTRATION_ID} waits for the code sent by e-mail"):
        app.follow(app.registration(UUID(REGISTRATION_ID)))

    assert time.slept == []


def test_a_registration_that_expired_is_followed_no_longer(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer(registration("unconfirmed")), answer(registration("expired")))

    ended = app.follow(app.registration(UUID(REGISTRATION_ID)))

    assert ended.state is RegistrationState.EXPIRED
    assert time.slept == []


def test_a_customer_of_a_bank_is_followed_at_once(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(
        answer(registration("submitted", "partner"), 202, Location=LOCATION, Retry_After="2"),
        answer(registration("rejected", "partner")),
    )

    assert app.follow(app.register(CUSTOMER)).state is RegistrationState.REJECTED
    assert time.slept == [2]


def test_a_registration_that_stays_undecided_is_given_up(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(*[answer(registration("checking"), Retry_After="4") for _ in range(4)])

    with pytest.raises(NotDecidedInTime, match="still checking"):
        app.follow(app.registration(UUID(REGISTRATION_ID)), patience_seconds=10)

    assert sum(time.slept) <= 10


def test_a_confirmation_whose_answer_was_lost_is_sent_again(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(CUT, answer(registration("checking")))

    assert app.confirm(known(), "493817").state is RegistrationState.CHECKING
    assert api.asked[1].body == api.asked[2].body


def test_a_refused_code_is_told(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(problem(422, "code-refused"))

    with pytest.raises(PaygoProblem) as refused:
        app.confirm(known(), "000000")

    assert (refused.value.kind, len(api.asked)) == ("code-refused", 2)


def test_another_code_is_asked_for_once_even_when_the_answer_is_lost(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer(registration("unconfirmed"), 202), CUT)

    assert app.send_code(known()).state is RegistrationState.UNCONFIRMED
    with pytest.raises(ApiUnreachable):
        app.send_code(known())

    assert paths(api) == [f"POST {LOCATION}/codes"] * 2


def test_a_registration_that_had_all_its_codes_is_not_asked_about_again(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(problem(429, "too-many-codes"))

    with pytest.raises(PaygoProblem) as refused:
        app.send_code(known())

    assert (refused.value.kind, time.slept) == ("too-many-codes", [])


def known() -> Registration:
    return Registration.model_validate(registration("unconfirmed"))


def test_an_intent_may_bring_its_own_idempotency_key(api: ScriptedApi, time: Time) -> None:
    app = opened(api, time)
    api.will(answer(registration("submitted"), 202))

    pending = app.register(HOUSEHOLD, idempotency_key="kept-on-disk-1")

    assert api.asked[1].headers["Idempotency-Key"] == "kept-on-disk-1"
    assert pending.retry_after == 1
