from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.model import (
    Applicant,
    ContradictingAnswer,
    Outcome,
    Registration,
    RegistrationState,
    RegistrationUnderWay,
    UnknownRegistration,
    WeakPassword,
)
from identity.repository import RegistrationTable
from identity.usecases.registrations import decide, read, request_check, submit
from paygo.events import Event, HouseholdRegistered, RegistrationSubmitted
from paygo.partners import PartnerUnavailable
from paygo.security import SessionState, session_key
from paygo.storage import Table
from tests.unit.identity.conftest import AMINA, CAUSE, NOW, PASSWORD, Identity

SUBMITTED, REGISTERED = RegistrationSubmitted.TYPE, HouseholdRegistered.TYPE

type Events = Callable[[], list[str]]


class AskedBureau:
    """A bureau that notes whom it was asked about."""

    def __init__(self, meanwhile: Callable[[str], object] = lambda _: None) -> None:
        self.asked: list[tuple[str, Applicant, str]] = []
        self._meanwhile = meanwhile

    def ask(self, registration_id: str, applicant: Applicant, intent: str) -> None:
        self.asked.append((registration_id, applicant, intent))
        self._meanwhile(registration_id)


def registering(identity: Identity) -> Registration:
    return identity.register(identity.open().session.identity_id)


def state_of(identity: Identity, registration: Registration) -> RegistrationState:
    found = identity.registrations.find(registration.registration_id)
    assert found
    return found.state


def session_state(identity: Identity, registration: Registration) -> SessionState:
    session = identity.sessions.find(registration.identity_id)
    assert session
    return session.state


def household(table: Table, registration: Registration) -> dict[str, Any] | None:
    return table.get(pk=f"HOUSEHOLD#{registration.household_id}", sk="HOUSEHOLD")


def test_a_registration_is_submitted_with_its_account_its_session_and_its_event(
    identity: Identity, events: Events
) -> None:
    registration = registering(identity)

    assert identity.registrations.find(registration.registration_id) == registration
    assert registration.state is RegistrationState.SUBMITTED
    assert session_state(identity, registration) is SessionState.REGISTERING
    session = identity.sessions.find(registration.identity_id)
    assert session
    assert session.registration_id == registration.registration_id
    assert identity.users.names() == [registration.household_id]
    assert events() == [SUBMITTED]


def test_the_event_names_the_registration_and_nobody(identity: Identity, table: Table) -> None:
    registration = registering(identity)

    rows = boto3.client("dynamodb").scan(TableName=table.name)["Items"]
    [text] = [row["event"]["S"] for row in rows if row["pk"]["S"].startswith("OUTBOX#")]
    event = Event[RegistrationSubmitted].model_validate_json(text)
    assert event.data.registration_id == event.subject == registration.registration_id
    assert (event.source, event.correlationid, event.time) == (CAUSE.source, CAUSE.correlation_id, NOW)
    assert AMINA.family_name not in text


def test_the_password_is_kept_by_the_user_pool_only(identity: Identity, table: Table) -> None:
    registering(identity)

    assert PASSWORD not in str(boto3.client("dynamodb").scan(TableName=table.name)["Items"])


def test_the_same_intent_again_is_the_same_registration(identity: Identity, events: Events) -> None:
    identity_id = identity.open().session.identity_id
    first = identity.register(identity_id, intent="key-0001")

    assert identity.register(identity_id, intent="key-0001") == first
    assert events() == [SUBMITTED]


def test_a_session_registers_once_at_a_time(identity: Identity) -> None:
    registration = registering(identity)

    with pytest.raises(RegistrationUnderWay):
        identity.register(registration.identity_id)

    assert identity.users.names() == [registration.household_id]


def test_of_two_registrations_at_once_one_is_told_of_the_other(identity: Identity, events: Events) -> None:
    identity_id = identity.open().session.identity_id

    anonymous = identity.sessions.find(identity_id)
    assert anonymous
    identity.register(identity_id, intent="first")

    with pytest.raises(RegistrationUnderWay):
        submit(
            identity.registrations, identity.users, anonymous, AMINA, PASSWORD, intent="second", cause=CAUSE, now=NOW
        )

    assert events() == [SUBMITTED]


def test_a_crash_after_the_account_was_made_is_healed_by_the_retry(
    identity: Identity, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise TimeoutError

    identity_id = identity.open().session.identity_id
    with monkeypatch.context() as crashing:
        crashing.setattr(identity.registrations, "submit", crash)
        with pytest.raises(TimeoutError):
            identity.register(identity_id, intent="key-0001")
    assert len(identity.users.names()) == 1

    registration = identity.register(identity_id, intent="key-0001")

    assert identity.users.names() == [registration.household_id]
    assert events() == [SUBMITTED]


def test_a_weak_password_is_refused_and_registers_nothing(identity: Identity, events: Events) -> None:
    identity_id = identity.open().session.identity_id

    with pytest.raises(WeakPassword):
        identity.register(identity_id, password="aaaaaaaaaaaa")

    assert events() == []
    assert identity.register(identity_id)


def test_a_session_reads_its_own_registration(identity: Identity) -> None:
    registration = registering(identity)
    session = identity.sessions.find(registration.identity_id)
    assert session

    assert read(identity.registrations, registration.registration_id, session) == registration


def test_a_session_reads_no_other_registration(identity: Identity) -> None:
    registration = registering(identity)
    other = identity.open().session

    for registration_id in (registration.registration_id, str(uuid4())):
        with pytest.raises(UnknownRegistration):
            read(identity.registrations, registration_id, other)


def test_the_bureau_is_asked_about_a_submitted_registration(identity: Identity) -> None:
    registration, bureau = registering(identity), AskedBureau()

    request_check(identity.registrations, bureau, registration.registration_id, "event-1")

    assert bureau.asked == [(registration.registration_id, AMINA, "event-1")]
    assert state_of(identity, registration) is RegistrationState.CHECKING


def test_the_bureau_is_asked_once_when_the_event_comes_twice(identity: Identity) -> None:
    registration, bureau = registering(identity), AskedBureau()

    for _ in range(2):
        request_check(identity.registrations, bureau, registration.registration_id, "event-1")

    assert len(bureau.asked) == 1


def test_the_bureau_is_not_asked_about_what_it_decided(identity: Identity) -> None:
    registration, bureau = registering(identity), AskedBureau()
    identity.answer(registration.registration_id)

    request_check(identity.registrations, bureau, registration.registration_id, "event-1")

    assert bureau.asked == []
    assert state_of(identity, registration) is RegistrationState.APPROVED


def test_an_answer_may_be_faster_than_the_note_that_it_was_asked_for(identity: Identity) -> None:
    registration = registering(identity)
    bureau = AskedBureau(meanwhile=identity.answer)

    request_check(identity.registrations, bureau, registration.registration_id, "event-1")

    assert state_of(identity, registration) is RegistrationState.APPROVED


def test_a_bureau_that_does_not_take_the_question_is_asked_again(identity: Identity) -> None:
    def refuse(_: str) -> None:
        raise PartnerUnavailable("away")

    registration, bureau = registering(identity), AskedBureau()
    with pytest.raises(PartnerUnavailable):
        request_check(identity.registrations, AskedBureau(meanwhile=refuse), registration.registration_id, "event-1")

    assert state_of(identity, registration) is RegistrationState.SUBMITTED
    request_check(identity.registrations, bureau, registration.registration_id, "event-1")
    assert len(bureau.asked) == 1


def test_nobody_is_asked_about_a_registration_that_is_not_there(identity: Identity) -> None:
    with pytest.raises(UnknownRegistration):
        request_check(identity.registrations, AskedBureau(), str(uuid4()), "event-1")


def test_an_approved_registration_makes_a_household(identity: Identity, table: Table, events: Events) -> None:
    registration = registering(identity)

    identity.answer(registration.registration_id)

    assert state_of(identity, registration) is RegistrationState.APPROVED
    made = household(table, registration)
    assert made
    assert (made["email"], made["given_name"]) == (AMINA.email, AMINA.given_name)
    session = identity.sessions.find(registration.identity_id)
    assert session
    assert session.state is SessionState.APPROVED
    assert session.household_id == registration.household_id
    assert events() == [REGISTERED, SUBMITTED]
    assert identity.users.names() == [registration.household_id]


def test_a_rejected_registration_frees_its_session_and_takes_its_account_away(
    identity: Identity, table: Table, events: Events
) -> None:
    registration = registering(identity)

    identity.answer(registration.registration_id, Outcome.REJECTED)

    assert state_of(identity, registration) is RegistrationState.REJECTED
    assert household(table, registration) is None
    session = identity.sessions.find(registration.identity_id)
    assert session
    assert (session.state, session.registration_id) == (SessionState.ANONYMOUS, None)
    assert events() == [SUBMITTED]
    assert identity.users.names() == []


def test_a_rejected_household_may_register_again(identity: Identity) -> None:
    rejected = registering(identity)
    identity.answer(rejected.registration_id, Outcome.REJECTED)

    again = identity.register(rejected.identity_id)
    identity.answer(again.registration_id)

    assert session_state(identity, again) is SessionState.APPROVED


def test_the_account_goes_even_if_the_first_answer_crashed_before(identity: Identity) -> None:
    registration = registering(identity)
    identity.registrations.reject(registration, Outcome.REJECTED)
    assert identity.users.names() == [registration.household_id]

    identity.answer(registration.registration_id, Outcome.REJECTED)

    assert identity.users.names() == []


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_same_answer_again_changes_nothing(identity: Identity, events: Events, outcome: Outcome) -> None:
    registration = registering(identity)
    identity.answer(registration.registration_id, outcome)
    before = (identity.registrations.find(registration.registration_id), events())

    identity.answer(registration.registration_id, outcome)

    assert (identity.registrations.find(registration.registration_id), events()) == before


def test_a_contradicting_answer_is_refused(identity: Identity, events: Events) -> None:
    registration = registering(identity)
    identity.answer(registration.registration_id)

    with pytest.raises(ContradictingAnswer):
        identity.answer(registration.registration_id, Outcome.REJECTED)

    assert state_of(identity, registration) is RegistrationState.APPROVED
    assert identity.users.names() == [registration.household_id]


def test_an_answer_to_no_question_is_refused(identity: Identity) -> None:
    with pytest.raises(UnknownRegistration):
        identity.answer(str(uuid4()))


@pytest.mark.parametrize("email", [AMINA.email, AMINA.email.upper()])
def test_a_second_household_with_an_e_mail_address_ends_rejected(
    identity: Identity, table: Table, events: Events, email: str
) -> None:
    identity.answer(registering(identity).registration_id)
    applicant = AMINA.model_copy(update={"email": email})
    second = identity.register(identity.open().session.identity_id, applicant=applicant)
    assert second.state is RegistrationState.SUBMITTED

    identity.answer(second.registration_id)

    assert state_of(identity, second) is RegistrationState.REJECTED
    assert session_state(identity, second) is SessionState.ANONYMOUS
    assert household(table, second) is None
    assert events() == [REGISTERED, SUBMITTED, SUBMITTED]
    assert second.household_id not in identity.users.names()


def test_the_bureau_may_repeat_its_approval_of_a_person_whose_e_mail_address_was_taken(identity: Identity) -> None:
    identity.answer(registering(identity).registration_id)
    second = registering(identity)
    identity.answer(second.registration_id)

    identity.answer(second.registration_id)

    with pytest.raises(ContradictingAnswer):
        identity.answer(second.registration_id, Outcome.REJECTED)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_household_is_decided_on_without_its_session(
    identity: Identity, table: Table, sessions: Table, outcome: Outcome, gone: bool
) -> None:
    registration = registering(identity)
    if gone:
        sessions.transact([sessions.deleting(session_key(registration.identity_id))])
    else:
        identity.sessions.revoke(registration.identity_id)

    identity.answer(registration.registration_id, outcome)

    assert (household(table, registration) is not None) == (outcome is Outcome.APPROVED)
    assert state_of(identity, registration).value == outcome.value
    session = identity.sessions.find(registration.identity_id)
    assert session is None if gone else session and session.state is SessionState.REVOKED


class Meanwhile(RegistrationTable):
    """A table where somebody else does something just before the next decision is written."""

    def __init__(self, table: Table, sessions: Table, *meanwhile: Callable[[], object]) -> None:
        super().__init__(table, sessions)
        self._doing = list(meanwhile)

    def approve(self, registration: Registration, event: Event[HouseholdRegistered], now: datetime) -> None:
        self._do()
        super().approve(registration, event, now)

    def reject(self, registration: Registration, outcome: Outcome) -> None:
        self._do()
        super().reject(registration, outcome)

    def _do(self) -> None:
        if self._doing:
            self._doing.pop()()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_same_answer_twice_at_once_decides_once(
    identity: Identity, table: Table, sessions: Table, events: Events, outcome: Outcome
) -> None:
    registration = registering(identity)
    racing = Meanwhile(table, sessions, lambda: identity.answer(registration.registration_id, outcome))

    decide(racing, identity.users, registration.registration_id, outcome, cause=CAUSE, now=NOW)

    assert events().count(REGISTERED) == (1 if outcome is Outcome.APPROVED else 0)
    assert state_of(identity, registration).value == outcome.value


def test_of_two_contradicting_answers_at_once_the_first_counts(
    identity: Identity, table: Table, sessions: Table
) -> None:
    registration = registering(identity)
    racing = Meanwhile(table, sessions, lambda: identity.answer(registration.registration_id, Outcome.REJECTED))

    with pytest.raises(ContradictingAnswer):
        decide(racing, identity.users, registration.registration_id, Outcome.APPROVED, cause=CAUSE, now=NOW)

    assert household(table, registration) is None


STEPS = ["ask", "approve", "reject", "revoke"]
ANSWERS = {"approve": Outcome.APPROVED, "reject": Outcome.REJECTED}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS), max_size=7), st.booleans())
def test_whatever_comes_in_whatever_order_the_first_answer_counts(
    identity: Identity, table: Table, steps: list[str], email_is_taken: bool
) -> None:
    applicant = AMINA.model_copy(update={"email": f"{uuid4()}@example.org"})
    if email_is_taken:
        first = identity.register(identity.open().session.identity_id, applicant=applicant)
        identity.answer(first.registration_id)
    registration = identity.register(identity.open().session.identity_id, applicant=applicant)
    bureau = AskedBureau()

    for step in steps:
        if step == "ask":
            request_check(identity.registrations, bureau, registration.registration_id, "event-1")
        elif step == "revoke":
            identity.sessions.revoke(registration.identity_id)
        else:
            with suppress(ContradictingAnswer):
                identity.answer(registration.registration_id, ANSWERS[step])

    answers = [ANSWERS[step] for step in steps if step in ANSWERS]
    approved = answers[:1] == [Outcome.APPROVED] and not email_is_taken
    assert (household(table, registration) is not None) == approved
    assert (registration.household_id in identity.users.names()) == (approved or not answers)
    asked_before = "ask" in steps[: next((i for i, step in enumerate(steps) if step in ANSWERS), len(steps))]
    assert len(bureau.asked) == (1 if asked_before else 0)
    if answers:
        expected = RegistrationState.APPROVED if approved else RegistrationState.REJECTED
    else:
        expected = RegistrationState.CHECKING if asked_before else RegistrationState.SUBMITTED
    assert state_of(identity, registration) is expected
    if "revoke" in steps:
        assert session_state(identity, registration) is SessionState.REVOKED
