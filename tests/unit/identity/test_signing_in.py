from datetime import UTC, datetime

import pytest

from identity.model import BankCustomer, BankCustomerRefused, RegistrationUnderWay
from identity.usecases.sessions import SessionRefused
from identity.usecases.signing_in import (
    IdTokenRefused,
    PoolSignIn,
    Proof,
    SessionApproved,
    SignInRefused,
    by_id_token,
    by_partner,
)
from paygo.audit import Act
from paygo.security import Session, SessionState
from tests.unit.identity.session_fakes import NOW, FakeSessions, Visits

CUSTOMER = BankCustomer(
    customer_id="customer-1", given_name="Amina", family_name="Odhiambo", email="a@example.org", phone="+254700000001"
)


class FakeIdTokens:
    """A user pool whose tokens are the user's name after a word."""

    def sign_in(self, id_token: str, now: datetime) -> PoolSignIn:
        if not id_token.startswith("token of "):
            raise IdTokenRefused
        return PoolSignIn(id_token.removeprefix("token of "), now)


class FakeHouseholds:
    """Who is registered, in memory."""

    def may_sign_in(self, household_id: str, signed_in_at: datetime) -> bool:
        signed_out_at = {"household-1": datetime.min.replace(tzinfo=UTC), "household-2": NOW}.get(household_id)
        return signed_out_at is not None and signed_in_at > signed_out_at

    def customer(self, partner: str, customer_id: str) -> str | None:
        return {("bank", "customer-1"): "household-2"}.get((partner, customer_id))


class FakeBank:
    """A bank that takes each customer's code once, and answers an intent as it did before."""

    def __init__(self) -> None:
        self.answered: dict[str, BankCustomer | None] = {}
        self.codes = {("1002003004", "493817"): CUSTOMER, ("1002003005", "493818"): CUSTOMER_OF_NOBODY}

    def verify(self, customer_number: str, one_time_code: str, intent: str) -> BankCustomer:
        if intent not in self.answered:
            self.answered[intent] = self.codes.pop((customer_number, one_time_code), None)
        customer = self.answered[intent]
        if customer is None:
            raise BankCustomerRefused
        return customer


CUSTOMER_OF_NOBODY = CUSTOMER.model_copy(update={"customer_id": "customer-2"})


@pytest.fixture
def visits() -> Visits:
    return Visits(FakeSessions())


@pytest.fixture
def session(visits: Visits) -> Session:
    return visits.open().session


def by_bank(session: Session, number: str, code: str, bank: FakeBank | None = None) -> Proof:
    return by_partner(
        bank or FakeBank(),
        FakeHouseholds(),
        session,
        partner="bank",
        customer_number=number,
        one_time_code=code,
        now=NOW,
    )


def test_an_id_token_names_its_household() -> None:
    assert by_id_token(FakeIdTokens(), FakeHouseholds(), "token of household-1", NOW) == Proof("household-1", NOW)


@pytest.mark.parametrize("id_token", ["forged", "token of nobody", "token of household-2"])
def test_an_id_token_of_nobody_or_from_before_signing_out_is_refused(id_token: str) -> None:
    with pytest.raises(SignInRefused):
        by_id_token(FakeIdTokens(), FakeHouseholds(), id_token, NOW)


def test_a_banks_customer_is_its_household(session: Session) -> None:
    assert by_bank(session, "1002003004", "493817") == Proof("household-2", NOW)


@pytest.mark.parametrize(
    ("number", "code"), [("1002003004", "000000"), ("9999999999", "493817"), ("1002003005", "493818")]
)
def test_a_customer_whom_the_bank_or_we_do_not_know_is_refused(session: Session, number: str, code: str) -> None:
    with pytest.raises(SignInRefused):
        by_bank(session, number, code)


def test_a_code_whose_answer_was_lost_is_asked_about_as_before(visits: Visits, session: Session) -> None:
    bank = FakeBank()

    assert by_bank(session, "1002003004", "493817", bank) == by_bank(session, "1002003004", "493817", bank)
    with pytest.raises(SignInRefused):
        by_bank(visits.open().session, "1002003004", "493817", bank)


def test_the_right_code_after_a_wrong_one_is_another_question(session: Session) -> None:
    bank = FakeBank()
    with pytest.raises(SignInRefused):
        by_bank(session, "1002003004", "000000", bank)

    assert by_bank(session, "1002003004", "493817", bank) == Proof("household-2", NOW)


def test_signing_in_makes_an_anonymous_session_the_households(visits: Visits, session: Session) -> None:
    opened = visits.sign_in(session)

    assert opened.credentials.access_key_id == "authenticated"
    assert opened.session.state is SessionState.AUTHENTICATED
    assert opened.session.household_id == "household-1"
    assert visits.store.one_of_household("household-1", session.session_id) == opened.session
    assert visits.store.acts() == [Act.SESSION_OPENED, Act.SIGNED_IN, Act.SESSION_ESCALATED]
    (told,) = [each for each in visits.store.told if each.act == Act.SIGNED_IN]
    assert (told.household_id, told.detail) == ("household-1", {"kind": "own"})


def test_a_lost_sign_in_is_answered_by_escalating(visits: Visits, session: Session) -> None:
    visits.sign_in(session)

    assert visits.escalate(session).credentials.access_key_id == "authenticated"


def test_only_an_anonymous_session_is_signed_in(visits: Visits) -> None:
    registering = visits.move(visits.open().session, state=SessionState.REGISTERING)
    approved = visits.stored(visits.approved().session)
    revoked = visits.move(visits.open().session, state=SessionState.REVOKED)

    with pytest.raises(RegistrationUnderWay):
        visits.sign_in(registering)
    with pytest.raises(SessionApproved):
        visits.sign_in(approved)
    with pytest.raises(SessionRefused):
        visits.sign_in(revoked)
    with pytest.raises(SessionRefused):
        visits.sign_in(visits.escalated().session)


def test_a_session_that_is_gone_is_not_signed_in(visits: Visits, session: Session) -> None:
    stranger = session.model_copy(update={"identity_id": "us-east-1:nobody"})

    with pytest.raises(SessionRefused):
        visits.sign_in(stranger)
