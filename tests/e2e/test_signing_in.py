"""Households of both kinds that come back, and the answers that got lost on the way, by the Python client."""

import json
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from uuid import UUID

import pytest

from demo.journey import eventually, make_customer, make_household, open_household, refusal_of
from demo.stage import Stage
from paygo_client import BankCustomer, Household, PaygoProblem, Session, SessionState
from paygo_client.user_pool import id_token
from tests.e2e.refusals import World

SESSION_IS_OVER = (403, "session-refused")


@pytest.fixture(scope="module")
def customer() -> BankCustomer:
    return make_customer()


@pytest.fixture(scope="module")
def bank_household(stage: Stage, customer: BankCustomer) -> Iterator[Session]:
    with open_household(stage, customer) as app:
        yield app


def refused(call: Callable[[], object]) -> tuple[int, str]:
    problem = refusal_of(call, "The call")
    return problem.status, problem.kind


def test_a_customer_of_a_bank_is_a_household_as_any_other(bank_household: Session) -> None:
    assert bank_household.status().state is SessionState.AUTHENTICATED
    assert list(bank_household.devices()) == []


def test_a_customer_of_a_bank_signs_in_again(
    bank_household: Session, customer: BankCustomer, anonymous: Session
) -> None:
    again = customer.model_copy(update={"one_time_code": "271828"})

    details = anonymous.sign_in_with_bank(again)

    assert details.household_id == bank_household.details.household_id
    assert details.identity_id != bank_household.details.identity_id
    assert {entry.session_id for entry in bank_household.sessions()} >= {details.session_id}


def test_a_bank_that_refuses_the_code_opens_nothing(customer: BankCustomer, anonymous: Session) -> None:
    wrong = customer.model_copy(update={"one_time_code": "000000"})

    assert refused(lambda: anonymous.sign_in_with_bank(wrong)) == (401, "sign-in-refused")
    assert anonymous.status().state is SessionState.ANONYMOUS


def test_nobody_learns_whether_an_address_is_registered(world: World, anonymous: Session) -> None:
    addresses = (world.story.household.email, "nobody.at.all@example.org")

    answers = [refused(partial(anonymous.sign_in, address, "not-the-password-9")) for address in addresses]

    assert answers == [(401, "sign-in-refused")] * 2


def test_a_lost_escalation_is_fetched_again_until_it_is_used(stage: Stage, anonymous: Session) -> None:
    anonymous.follow(anonymous.register(make_customer()))
    before = anonymous.details
    lost, late = (Session.resume(stage.access.api_url, before) for _ in range(2))

    first = lost.escalate()
    fetched = anonymous.escalate()
    used = anonymous.status().state

    assert fetched.household_id == first.household_id
    assert used is SessionState.AUTHENTICATED
    assert refused(late.escalate) == SESSION_IS_OVER


def test_a_lost_sign_in_is_fetched_again_and_then_no_more(
    stage: Stage, bank_household: Session, customer: BankCustomer, anonymous: Session
) -> None:
    before = anonymous.details
    with Session.resume(stage.access.api_url, before) as lost:
        lost.sign_in_with_bank(customer.model_copy(update={"one_time_code": "314159"}))

    fetched = anonymous.escalate()
    used = anonymous.status().state
    late = Session.resume(stage.access.api_url, before)

    assert fetched.household_id == bank_household.details.household_id
    assert used is SessionState.AUTHENTICATED
    assert refused(late.escalate) == SESSION_IS_OVER


def test_signing_out_everywhere_ends_every_session_by_signature_and_by_token(stage: Stage) -> None:
    customer = make_customer()
    with open_household(stage, customer) as first, Session.open(stage.access.api_url) as second:
        second.sign_in_with_bank(customer.model_copy(update={"one_time_code": "161803"}))
        tokens = [Session.resume(stage.access.api_url, app.details, bearer=True) for app in (first, second)]
        assert [token.status().state for token in tokens] == [SessionState.AUTHENTICATED] * 2

        second.sign_out_everywhere()

        assert [refused(app.status) for app in (first, second)] == [SESSION_IS_OVER] * 2
        # By the authorizer, or by the function behind it while an authorizer's answer may still be remembered.
        assert {refused(token.status)[0] for token in tokens} <= {401, 403}
        assert [refused(app.refresh)[0] for app in (first, second)] == [401, 401]


def test_an_app_that_cannot_sign_goes_the_whole_way_by_token(stage: Stage) -> None:
    with Session.open(stage.access.api_url, bearer=True) as app:
        app.follow(app.register(make_customer()))
        app.escalate()

        assert list(app.devices()) == []
        assert app.refresh().state is SessionState.AUTHENTICATED
        app.sign_out()


def test_a_household_that_has_just_registered_signs_in_with_its_password_however_its_address_is_spelt(
    stage: Stage, anonymous: Session
) -> None:
    household = make_household(f"again-{secrets.token_hex(4)}")
    spelt = household.model_copy(update={"email": household.email.upper()})
    with open_household(stage, household) as app:
        found = eventually(lambda: signed_in(anonymous, spelt), bool, "Signing in with the address")

        assert found == app.details.household_id


def test_an_id_token_from_before_signing_out_everywhere_signs_nobody_in(stage: Stage, anonymous: Session) -> None:
    household = make_household(f"void-{secrets.token_hex(4)}")
    with open_household(stage, household) as app:
        eventually(lambda: signed_in(anonymous, household), bool, "Signing in with the address")
        shown = id_token(app.configuration(), household.email, household.password)
        app.sign_out_everywhere()
    with Session.open(stage.access.api_url) as thief:
        body = json.dumps({"kind": "own", "id_token": shown}).encode()
        exchange = partial(
            thief.request, "POST", "/v1/sign-ins", body=body, headers={"Content-Type": "application/json"}
        )

        assert refused(exchange) == (401, "sign-in-refused")


def signed_in(app: Session, household: Household) -> UUID | None:
    """The address becomes a name to sign in with a moment after the household was approved."""
    try:
        return app.sign_in(household.email, household.password).household_id
    except PaygoProblem as problem:
        if problem.kind == "sign-in-refused":
            return None
        raise
